// Tokens back to text: what each piece stands for, and what happens at the ends of a whole text.
// Invariant: the text of many tokens is their bytes one after the other, read as UTF-8, with the
// ends stripped; so it can be given out token by token.
// Semantics: huggingface/tokenizers decoders. One difference: bytes that are not UTF-8 become
// U+FFFD per broken part as everywhere here, not one per byte of the whole run of byte pieces.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model/pattern.h"

namespace model {

/// Copies of one character that are taken off the ends of a text.
struct EndStrip {
    std::string character;
    std::int64_t at_start = 0;
    std::int64_t at_end = 0;
};

/// The byte of a piece such as "<0x0A>"; none for other pieces.
std::optional<char> byte_of_piece(std::string_view piece);

class TokenDecoder {
public:
    struct Replace {
        Pattern pattern;
        std::string content;
    };
    struct ByteFallback {};
    struct ByteLevel {};
    using Step = std::variant<Replace, EndStrip, ByteFallback, ByteLevel>;

    /// A step that every piece goes through.
    void add(Step&& step);
    void set_ends(EndStrip ends) { ends_ = std::move(ends); }

    /// What `piece` stands for; perhaps half a character.
    std::string bytes_of(std::string_view piece) const;
    const EndStrip& ends() const { return ends_; }

private:
    std::vector<Step> steps_;
    EndStrip ends_;
};

/// Strips the ends of a text that arrives in parts.
class EndStripper {
public:
    explicit EndStripper(EndStrip ends) : ends_(std::move(ends)) {}
    /// Nothing is stripped from the start any more.
    void keep_start() { is_inside_ = true; }
    /// What can be shown now.
    std::string push(std::string text);
    /// What is left at the end of the text.
    std::string finish();

private:
    EndStrip ends_;
    bool is_inside_ = false;  // something that is not stripped has come
    std::string held_;        // may be the end
};

}  // namespace model

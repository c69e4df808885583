// UTF-8, strictly: no overlong forms, no surrogates, nothing above U+10FFFF.
// Broken input becomes one U+FFFD per longest broken run, as Rust's String::from_utf8_lossy and so
// as huggingface/tokenizers decode it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace model {

struct Utf8Step {
    enum class Kind { Complete, Broken, Cut };
    Kind kind = Kind::Complete;
    std::size_t length = 0;  // bytes the step covers, at least 1
};

/// What stands at the start of `text`: a character, a broken run, or a character that the end of
/// `text` cuts off. Requires: text is not empty.
Utf8Step utf8_step(std::string_view text);

/// How long a character is that begins with `first`; 1 where none does.
constexpr std::size_t character_length(char first) {
    const auto byte = static_cast<unsigned char>(first);
    return byte < 0xc0 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

/// Offset of the first byte that is not UTF-8; none when all of `text` is.
std::optional<std::size_t> first_broken_byte(std::string_view text);

/// The character at the start of `text`. Requires: it is complete.
char32_t code_point(std::string_view text);

/// Appends `character` to `out`. Requires: character <= U+10FFFF and no surrogate.
void append_utf8(std::string& out, char32_t character);

/// The Unicode property White_Space.
bool is_white_space(char32_t character);

/// How many bytes of white space `text` starts with. Requires: `text` is UTF-8, here and below.
std::size_t leading_space(std::string_view text);

/// `text` without the white space it ends with.
std::string_view without_trailing_space(std::string_view text);

/// The last character of `text`. Requires: text is not empty.
char32_t last_code_point(std::string_view text);

/// A character of words: \w as Rust's regex has it (UTS 18: letters, marks, digits, connectors).
bool is_word_character(char32_t character);

/// Turns bytes that arrive in pieces into text; never gives out half a character.
class Utf8Stream {
public:
    /// The characters that are complete now.
    std::string push(std::string_view bytes);
    /// The rest; a cut-off character becomes U+FFFD.
    std::string finish();

private:
    std::string pending_;
};

}  // namespace model

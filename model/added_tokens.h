// Tokens that are found in the text before anything else, special ones such as <|eot_id|> among
// them. Invariant: at each place the longest one wins, places are taken from left to right.
// Semantics: huggingface/tokenizers src/tokenizer/added_vocabulary.rs find_matches.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace model {

struct AddedToken {
    std::int32_t id = 0;
    std::string content;
    bool strips_left = false;     // takes the white space before it along
    bool strips_right = false;    // and after it
    bool is_single_word = false;  // not inside a word
    bool is_special = false;
};

/// A stretch of text, or a token found in it.
struct TextRun {
    std::string_view text;
    std::optional<std::int32_t> token;
};

class AddedTokens {
public:
    AddedTokens() = default;
    /// Requires: contents are distinct and not empty.
    explicit AddedTokens(std::vector<AddedToken> tokens);

    /// The runs of `text`, left to right; text runs are not empty. Requires: `text` is UTF-8.
    std::vector<TextRun> split(std::string_view text) const;
    std::optional<std::int32_t> find(std::string_view content) const;

private:
    /// The longest token at the start of `text`, or null.
    const AddedToken* longest(std::string_view text) const;

    std::vector<AddedToken> tokens_;  // sorted by content
    std::array<bool, 256> starts_{};  // first bytes in use
};

}  // namespace model

#include "model/added_tokens.h"

#include <algorithm>

#include "core/error.h"
#include "model/utf8.h"

namespace model {

namespace {

/// Whether the characters around [begin, end) of `text` belong to a word.
bool touches_word(std::string_view text, std::size_t begin, std::size_t end) {
    return (begin > 0 && is_word_character(last_code_point(text.substr(0, begin)))) ||
           (end < text.size() && is_word_character(code_point(text.substr(end))));
}

}  // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
    std::sort(tokens_.begin(), tokens_.end(),
              [](const AddedToken& a, const AddedToken& b) { return a.content < b.content; });
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
        const std::string& content = tokens_[i].content;
        core::require(!content.empty(), "an added token has text");
        core::require(i == 0 || tokens_[i - 1].content != content, "added tokens are distinct");
        starts_[static_cast<unsigned char>(content[0])] = true;
    }
}

const AddedToken* AddedTokens::longest(std::string_view text) const {
    if (!starts_[static_cast<unsigned char>(text[0])]) return nullptr;
    // Tokens in [low, high) share the first `depth` bytes of the text.
    const AddedToken* best = nullptr;
    auto low = tokens_.begin();
    auto high = tokens_.end();
    for (std::size_t depth = 0; low != high; ++depth) {
        if (low->content.size() == depth) best = &*low++;
        if (depth == text.size()) break;
        const auto wanted = static_cast<unsigned char>(text[depth]);
        low = std::partition_point(low, high, [&](const AddedToken& token) {
            return static_cast<unsigned char>(token.content[depth]) < wanted;
        });
        high = std::partition_point(low, high, [&](const AddedToken& token) {
            return static_cast<unsigned char>(token.content[depth]) == wanted;
        });
    }
    return best;
}

std::vector<TextRun> AddedTokens::split(std::string_view text) const {
    std::vector<TextRun> runs;
    std::size_t done = 0;
    std::size_t at = 0;
    while (at < text.size()) {
        const AddedToken* token = longest(text.substr(at));
        if (token == nullptr) {
            ++at;
            continue;
        }
        const std::size_t end = at + token->content.size();
        if (token->is_single_word && touches_word(text, at, end)) {
            at = end;
            continue;
        }
        std::string_view before = text.substr(done, at - done);
        if (token->strips_left) before = without_trailing_space(before);
        if (!before.empty()) runs.push_back({before, std::nullopt});
        runs.push_back({{}, token->id});
        done = end;
        if (token->strips_right) done += leading_space(text.substr(done));
        at = done;
    }
    if (done < text.size()) runs.push_back({text.substr(done), std::nullopt});
    return runs;
}

std::optional<std::int32_t> AddedTokens::find(std::string_view content) const {
    const auto token = std::lower_bound(
        tokens_.begin(), tokens_.end(), content,
        [](const AddedToken& entry, std::string_view text) { return entry.content < text; });
    if (token == tokens_.end() || token->content != content) return std::nullopt;
    return token->id;
}

}  // namespace model

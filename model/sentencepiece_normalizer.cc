#include "model/sentencepiece_normalizer.h"

#include <algorithm>
#include <cstring>

#include "model/utf8.h"

namespace model {

namespace {

constexpr std::string_view kMark = "\xe2\x96\x81";  // U+2581

/// A unit of a darts-clone trie: where its children are, and whether a key ends at it.
struct Unit {
    std::uint32_t bits = 0;
    std::size_t offset() const { return (std::size_t{bits} >> 10) << ((bits & (1u << 9)) >> 6); }
    bool has_value() const { return (bits >> 8 & 1u) != 0; }
    std::uint32_t value() const { return bits & 0x7fffffffu; }
    std::uint32_t label() const { return bits & 0x800000ffu; }
};

}  // namespace

SentencePieceNormalizer::SentencePieceNormalizer(const SentencePieceFile& file)
    : texts_(file.replacements.texts),
      space_(file.escapes_spaces ? kMark : std::string_view(" ")),
      adds_space_(file.adds_space),
      drops_spaces_(file.drops_spaces),
      spaces_end_words_(file.spaces_end_words) {
    trie_.resize(file.replacements.trie.size() / 4);
    if (!trie_.empty()) std::memcpy(trie_.data(), file.replacements.trie.data(), 4 * trie_.size());
    std::vector<PieceTrie::Entry> kept;
    for (const SentencePieceFile::Piece& piece : file.pieces) {
        if (piece.type == SentencePieceFile::Type::UserDefined) kept.push_back({piece.text, 0});
    }
    kept_ = PieceTrie(std::move(kept));
}

SentencePieceNormalizer::Prefix SentencePieceNormalizer::replaced(std::string_view text) const {
    if (trie_.empty()) return {};
    Prefix longest;
    std::size_t node = Unit{trie_[0]}.offset();
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        node ^= byte;
        const Unit unit{trie_[node]};
        if (unit.label() != byte) break;
        node ^= unit.offset();
        if (unit.has_value()) {
            longest = {std::string_view(texts_.c_str() + Unit{trie_[node]}.value()), i + 1};
        }
    }
    return longest;
}

SentencePieceNormalizer::Prefix SentencePieceNormalizer::prefix(std::string_view text) const {
    std::size_t kept = 0;
    kept_.each_prefix(text, [&](std::size_t length, std::int32_t) { kept = length; });
    if (kept > 0) return {text.substr(0, kept), kept};
    const Prefix found = replaced(text);
    if (found.length > 0) return found;
    const std::size_t length = std::min(character_length(text.front()), text.size());
    return {text.substr(0, length), length};
}

void SentencePieceNormalizer::append(std::string_view text, std::string& out) const {
    for (const char c : text) {
        if (c == ' ') {
            out += space_;
        } else {
            out += c;
        }
    }
}

std::string SentencePieceNormalizer::normalized(std::string_view text) const {
    std::string out;
    while (drops_spaces_ && !text.empty()) {
        const Prefix next = prefix(text);
        if (next.text != " ") break;
        text.remove_prefix(next.length);
    }
    if (text.empty()) return out;
    out.reserve(text.size() + text.size() / 2);
    if (adds_space_ && !spaces_end_words_) out += space_;
    bool follows_space = drops_spaces_;
    while (!text.empty()) {
        Prefix next = prefix(text);
        text.remove_prefix(next.length);
        while (follows_space && next.text.starts_with(' ')) next.text.remove_prefix(1);
        if (next.text.empty()) continue;
        append(next.text, out);
        follows_space = drops_spaces_ && next.text.ends_with(' ');
    }
    while (drops_spaces_ && out.ends_with(space_)) out.resize(out.size() - space_.size());
    if (adds_space_ && spaces_end_words_) out += space_;
    return out;
}

}  // namespace model

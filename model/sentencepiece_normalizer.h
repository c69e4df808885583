// What SentencePiece does to a text before it looks for pieces: characters replaced by a table
// (NFKC and the like), spaces dropped, put in front and written as U+2581.
// Invariant: the same bytes as the library's, for valid UTF-8; user-defined pieces stay as they
// are.
// Rules: google/sentencepiece: src/normalizer.cc; third_party/darts_clone/darts.h for the table.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/piece_trie.h"
#include "model/sentencepiece_file.h"

namespace model {

class SentencePieceNormalizer {
public:
    explicit SentencePieceNormalizer(const SentencePieceFile& file);

    /// Requires: `text` is UTF-8.
    std::string normalized(std::string_view text) const;

private:
    /// What the start of a text becomes, and how much of it.
    struct Prefix {
        std::string_view text;
        std::size_t length = 0;
    };
    Prefix prefix(std::string_view text) const;
    Prefix replaced(std::string_view text) const;
    void append(std::string_view text, std::string& out) const;

    PieceTrie kept_;                   // user-defined pieces
    std::vector<std::uint32_t> trie_;  // of the table; empty: nothing is replaced
    std::string texts_;                // the replacements, each with a zero byte behind it
    std::string_view space_;
    bool adds_space_ = true;
    bool drops_spaces_ = true;
    bool spaces_end_words_ = false;
};

}  // namespace model

// Unigram pieces of a text: of all ways to cut it the one whose scores add up to the most.
// Invariant: the ids of SentencePiece's own encoder, its rounding included: the sum is a float that
// runs over the whole text. Where no piece crosses a place the way there is final, so memory is
// that of the longest stretch that pieces overlap.
// Rules: google/sentencepiece v0.1.97: src/unigram_model.cc EncodeOptimized,
// src/sentencepiece_processor.cc PopulateSentencePieceText.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "model/piece_trie.h"
#include "model/sentencepiece_file.h"

namespace model {

class Unigram {
public:
    /// Requires: pieces that the library has accepted.
    explicit Unigram(const SentencePieceFile& file);

    /// Appends the tokens of `text`, normalized and UTF-8.
    void encode(std::string_view text, std::vector<std::int32_t>& ids) const;

private:
    class Search;

    PieceTrie trie_;
    std::vector<double> scores_;  // by id
    float unknown_score_ = 0;
    std::int32_t unknown_ = 0;
    std::vector<std::int32_t> byte_ids_;  // 256, or none: an unknown character is one token
};

}  // namespace model

// Byte-pair encoding of one pre-token: the pair with the lowest rank merges first, the leftmost
// among equals, until no pair is left. O(n log n) in the length of the pre-token.
// The first symbols are bytes (byte-level BPE), or characters with byte pieces or an unknown token
// for those that have no piece. Same results as huggingface/tokenizers src/models/bpe: model.rs
// merge_word and word.rs merge_all.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace model {

/// Whether a pre-token that is a vocabulary entry is taken as it is ("ignore_merges": true).
enum class WholePieces { Merge, Lookup };

/// The merges of a vocabulary, found by the pair of tokens: an open-addressed table, as looking up
/// pairs is most of the work.
class MergeTable {
public:
    struct Merge {
        std::int32_t rank = 0;
        std::int32_t merged = 0;
    };
    /// A pair given again is replaced. Requires: ids are not negative.
    void add(std::int32_t left, std::int32_t right, Merge merge);
    const Merge* find(std::int32_t left, std::int32_t right) const;

private:
    struct Slot {
        std::int32_t left = -1;  // -1: free
        std::int32_t right = -1;
        Merge merge;
    };
    std::size_t slot_of(std::int32_t left, std::int32_t right) const;
    void grow();

    std::vector<Slot> slots_ = std::vector<Slot>(64);  // a power of two, at most half full
    std::size_t used_ = 0;
};

class Bpe {
public:
    using ByteIds = std::array<std::int32_t, 256>;

    /// What stands for a character without a piece; without either it is left out.
    struct Unknown {
        std::optional<ByteIds> bytes;       // one piece per byte, -1 where there is none
        std::optional<std::int32_t> token;  // else this
        bool fuses = false;                 // one token for a run of unknown characters
    };

    Bpe() : Bpe(Unknown{}, WholePieces::Merge) {}
    /// Symbols are bytes; `byte_ids` are their tokens.
    Bpe(const ByteIds& byte_ids, WholePieces whole) : byte_ids_(byte_ids), whole_(whole) {}
    /// Symbols are characters.
    Bpe(Unknown unknown, WholePieces whole) : unknown_(unknown), whole_(whole) {}

    /// `text` is the vocabulary entry `id`.
    void add_piece(std::string text, std::int32_t id) { ids_.emplace(std::move(text), id); }
    /// Tokens `left` and `right` make `merged`; lower ranks first. A pair given again is replaced.
    void add_merge(std::int32_t left, std::int32_t right, std::int32_t rank, std::int32_t merged) {
        merges_.add(left, right, {rank, merged});
    }

    /// Memory that encode uses again from call to call.
    struct Scratch;
    /// Appends the tokens of `text` to `out`. Requires: `text` is UTF-8 where symbols are
    /// characters.
    void encode(std::string_view text, std::vector<std::int32_t>& out, Scratch& scratch) const;

private:
    struct TextHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const {
            return std::hash<std::string_view>{}(text);
        }
    };

    void characters_of(std::string_view text, std::vector<std::int32_t>& symbols) const;
    void merge_few(std::vector<std::int32_t>& symbols, std::vector<std::int32_t>& ranks) const;
    void merge_many(Scratch& scratch) const;

    std::optional<ByteIds> byte_ids_;
    Unknown unknown_;
    WholePieces whole_;
    // Looked up only, never iterated.
    std::unordered_map<std::string, std::int32_t, TextHash, std::equal_to<>> ids_;
    MergeTable merges_;
};

struct Bpe::Scratch {
    /// A token in a doubly linked list over the pre-token; `id` -1 once merged into its left one.
    struct Symbol {
        std::int32_t id = -1;
        std::uint32_t previous = 0;
        std::uint32_t next = 0;
    };
    struct Candidate {
        std::int32_t rank = 0;
        std::int32_t merged = 0;
        std::uint32_t left = 0;

        /// For a heap whose top is the lowest rank, the leftmost among equals.
        bool operator<(const Candidate& other) const {
            return rank != other.rank ? rank > other.rank : left > other.left;
        }
    };
    std::vector<std::int32_t> ids;
    std::vector<std::int32_t> ranks;
    std::vector<Symbol> symbols;
    std::vector<Candidate> heap;
};

}  // namespace model

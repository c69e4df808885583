// Byte-pair encoding of one pre-token: the pair with the lowest rank merges first, the leftmost
// among equals, until no pair is left. O(n log n) in the bytes of the pre-token.
// Same results as huggingface/tokenizers src/models/bpe/word.rs merge_all.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace model {

/// Whether a pre-token that is a vocabulary entry is taken as it is ("ignore_merges": true).
enum class WholePieces { Merge, Lookup };

class Bpe {
public:
    /// `byte_ids` are the tokens of the single bytes.
    Bpe(const std::array<std::int32_t, 256>& byte_ids, WholePieces whole)
        : byte_ids_(byte_ids), whole_(whole) {}

    /// `bytes` is the vocabulary entry `id`; used with WholePieces::Lookup.
    void add_piece(std::string bytes, std::int32_t id) { ids_.emplace(std::move(bytes), id); }
    /// Tokens `left` and `right` make `merged`; lower ranks first. A pair given again is replaced.
    void add_merge(std::int32_t left, std::int32_t right, std::int32_t rank, std::int32_t merged) {
        merges_[pair(left, right)] = {rank, merged};
    }

    /// Appends the tokens of `bytes` to `out`.
    void encode(std::string_view bytes, std::vector<std::int32_t>& out) const;

private:
    struct Merge {
        std::int32_t rank = 0;
        std::int32_t merged = 0;
    };
    struct TextHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const {
            return std::hash<std::string_view>{}(text);
        }
    };

    static std::uint64_t pair(std::int32_t left, std::int32_t right) {
        return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32) |
               static_cast<std::uint32_t>(right);
    }
    const Merge* find(std::int32_t left, std::int32_t right) const;

    std::array<std::int32_t, 256> byte_ids_;
    WholePieces whole_;
    // Looked up only, never iterated.
    std::unordered_map<std::string, std::int32_t, TextHash, std::equal_to<>> ids_;
    std::unordered_map<std::uint64_t, Merge> merges_;
};

}  // namespace model

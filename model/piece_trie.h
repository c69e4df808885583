// Texts by their bytes: which of them does a text begin with. A double array: a state's child on a
// byte is at base + byte when that slot says it is its child, so a step is one look.
// Invariant: immutable once built. Layout: Aoe, "An Efficient Digital Search Algorithm by Using a
// Double-Array Structure" (1989).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace model {

class PieceTrie {
public:
    struct Entry {
        std::string_view text;
        std::int32_t id = 0;
    };

    PieceTrie() = default;
    /// Requires: texts are not empty and differ, ids are not negative.
    explicit PieceTrie(std::vector<Entry> entries);

    /// visit(length, id) for every entry that `text` begins with, the shortest first.
    template <class Visit>
    void each_prefix(std::string_view text, const Visit& visit) const {
        if (slots_.empty()) return;
        std::size_t state = 0;
        for (std::size_t i = 0; i < text.size(); ++i) {
            const std::size_t child = slots_[state].base + static_cast<unsigned char>(text[i]);
            if (slots_[child].parent != state) return;
            state = child;
            if (slots_[state].id >= 0) visit(i + 1, slots_[state].id);
        }
    }

private:
    static constexpr std::uint32_t kNone = ~std::uint32_t{0};  // of a free slot
    static constexpr std::uint32_t kRoot = kNone - 1;
    struct Slot {
        std::uint32_t base = 0;
        std::uint32_t parent = kNone;
        std::int32_t id = -1;
    };
    struct Builder;

    std::vector<Slot> slots_;  // every base has 256 behind it
};

}  // namespace model

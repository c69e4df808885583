#include "fabric/search.h"

#include <algorithm>
#include <bit>
#include <cstdint>

namespace fabric {
namespace {

using Mask = std::uint64_t;

constexpr std::size_t kMostChips = 64;
constexpr std::int64_t kMostSteps = 300'000;  // a fraction of a second

constexpr Mask bit(std::size_t index) { return Mask{1} << index; }

class Search {
public:
    Search(const Wiring& wiring, const std::vector<ChipId>& chips, mesh::Shape shape,
           std::array<bool, 2> wraps)
        : chips_(chips), shape_(shape), wraps_(wraps), adjacent_(chips.size(), 0) {
        for (const Edge& edge : wiring.edges) {
            const std::size_t a = index_of(edge.a);
            const std::size_t b = index_of(edge.b);
            if (a == chips.size() || b == chips.size()) continue;
            adjacent_[a] |= bit(b);
            adjacent_[b] |= bit(a);
        }
        free_ = chips.size() == kMostChips ? ~Mask{0} : bit(chips.size()) - 1;
        covers_all_ = static_cast<std::size_t>(shape.chips()) == chips.size();
    }

    std::optional<std::vector<ChipId>> run() {
        if (!enough_edges() || !place(0)) return std::nullopt;
        std::vector<ChipId> order;
        for (const std::size_t index : placed_) order.push_back(chips_[index]);
        return order;
    }

private:
    std::size_t index_of(ChipId chip) const {
        const auto at = std::lower_bound(chips_.begin(), chips_.end(), chip);
        if (at == chips_.end() || *at != chip) return chips_.size();
        return static_cast<std::size_t>(at - chips_.begin());
    }

    /// A grid needs this many pairs; a wiring with fewer needs no search.
    bool enough_edges() const {
        int have = 0;
        for (const Mask neighbours : adjacent_) have += std::popcount(neighbours);
        int need = shape_.rows * (shape_.cols - 1) + shape_.cols * (shape_.rows - 1);
        if (wraps_[0]) need += shape_.cols;
        if (wraps_[1]) need += shape_.rows;
        return have / 2 >= need;
    }

    /// Chips that may take the next place: free and joined to all neighbours already placed.
    Mask candidates() const {
        const auto next = static_cast<std::int32_t>(placed_.size());
        const mesh::Coord at = shape_.coord(next);
        Mask mask = free_;
        const auto join = [&](mesh::Coord neighbour) {
            mask &= adjacent_[placed_[static_cast<std::size_t>(shape_.index(neighbour))]];
        };
        if (at.col > 0) join({at.row, at.col - 1});
        if (at.row > 0) join({at.row - 1, at.col});
        if (wraps_[1] && at.col == shape_.cols - 1) join({at.row, 0});
        if (wraps_[0] && at.row == shape_.rows - 1) join({0, at.col});
        return mask;
    }

    /// On a path through all chips: every chip left must still be within reach of `tip`.
    bool reaches_all(std::size_t tip, Mask left) const {
        Mask seen = adjacent_[tip] & left;
        Mask border = seen;
        while (border != 0) {
            const auto index = static_cast<std::size_t>(std::countr_zero(border));
            border &= border - 1;
            const Mask fresh = adjacent_[index] & left & ~seen;
            seen |= fresh;
            border |= fresh;
        }
        return seen == left;
    }

    bool is_path() const { return shape_.rows == 1 || shape_.cols == 1; }

    /// Chips with the fewest ways out first (Warnsdorff): they are the ones that get lost.
    std::vector<std::size_t> ordered(Mask mask) const {
        std::vector<std::size_t> order;
        for (; mask != 0; mask &= mask - 1) {
            order.push_back(static_cast<std::size_t>(std::countr_zero(mask)));
        }
        std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
            return std::popcount(adjacent_[a] & free_) < std::popcount(adjacent_[b] & free_);
        });
        return order;
    }

    bool place(std::size_t count) {
        if (count == static_cast<std::size_t>(shape_.chips())) return true;
        for (const std::size_t index : ordered(candidates())) {
            if (++steps_ > kMostSteps) return false;
            const Mask left = free_ & ~bit(index);
            if (covers_all_ && is_path() && !reaches_all(index, left)) continue;
            free_ = left;
            placed_.push_back(index);
            if (place(count + 1)) return true;
            placed_.pop_back();
            free_ |= bit(index);
            // A ring through all chips can start anywhere: one start decides.
            if (count == 0 && covers_all_ && is_path() && (wraps_[0] || wraps_[1])) return false;
        }
        return false;
    }

    const std::vector<ChipId>& chips_;
    mesh::Shape shape_;
    std::array<bool, 2> wraps_;
    std::vector<Mask> adjacent_;  // by index into chips_
    std::vector<std::size_t> placed_;
    Mask free_ = 0;
    bool covers_all_ = false;
    std::int64_t steps_ = 0;
};

}  // namespace

std::optional<std::vector<ChipId>> search_layout(const Wiring& wiring,
                                                 const std::vector<ChipId>& chips,
                                                 mesh::Shape shape, std::array<bool, 2> wraps) {
    if (chips.size() > kMostChips || static_cast<std::size_t>(shape.chips()) > chips.size()) {
        return std::nullopt;
    }
    return Search(wiring, chips, shape, wraps).run();
}

}  // namespace fabric

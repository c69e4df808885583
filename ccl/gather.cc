// All-gather on lines and rings; also the second phase of an all-reduce, and the gather of whole
// inputs that GatherAndSum sums locally.
#include <algorithm>
#include <numeric>

#include "ccl/algorithms.h"

namespace ccl {
namespace {

constexpr Direction opposite(Direction direction) {
    return direction == Direction::Forward ? Direction::Backward : Direction::Forward;
}

/// `range` of a rank's whole input, cut at the slice borders.
void add_input_pieces(const Collective& collective, PageRange range, Transfer transfer, Step& out) {
    const std::int64_t end = range.first + range.count;
    std::int64_t base = 0;
    for (std::int32_t slice = 0; slice < collective.ranks; ++slice) {
        const std::int64_t pages = collective.slice_pages[static_cast<std::size_t>(slice)];
        const std::int64_t from = std::max(range.first, base);
        const std::int64_t to = std::min(end, base + pages);
        if (from < to) {
            transfer.slice = slice;
            transfer.first_page = from - base;
            transfer.pages = to - from;
            out.push_back(transfer);
        }
        base += pages;
    }
}

std::int64_t item_pages(const Collective& collective, Gathered gathered, std::int32_t item) {
    const std::vector<std::int64_t>& pages = collective.slice_pages;
    if (gathered != Gathered::Inputs) return pages[static_cast<std::size_t>(item)];
    return std::accumulate(pages.begin(), pages.end(), std::int64_t{0});
}

void add_item(const Collective& collective, Gathered gathered, std::int32_t item, PageRange range,
              Transfer transfer, Step& out) {
    if (gathered == Gathered::Inputs) {
        transfer.lane = item;
        add_input_pieces(collective, range, transfer, out);
        return;
    }
    if (range.count == 0) return;
    // Sums start on the output lane, the one after the lanes they were summed from.
    if (gathered == Gathered::Sums) {
        transfer.lane = summed_lanes(collective);
        transfer.payload = Payload::Landed;
    }
    transfer.slice = item;
    transfer.first_page = range.first;
    transfer.pages = range.count;
    out.push_back(transfer);
}

}  // namespace

std::int32_t gather_steps(const Collective& collective) {
    const bool ring = collective.topology == fabric::Topology::Ring;
    return ring ? collective.ranks / 2 : collective.ranks - 1;
}

Step gather_step(const Collective& collective, Gathered gathered, std::int32_t index) {
    const std::int32_t ranks = collective.ranks;
    const bool split = collective.topology == fabric::Topology::Ring && 2 * (index + 1) == ranks;
    Step out;
    for (std::int32_t rank = 0; rank < ranks; ++rank) {
        for (const Direction direction : kDirections) {
            const std::int32_t to = rank_at(collective, rank, direction, 1);
            const std::int32_t item = rank_at(collective, rank, opposite(direction), index);
            if (to == kNoRank || item == kNoRank) continue;
            const std::int64_t pages = item_pages(collective, gathered, item);
            Transfer transfer;
            transfer.from = rank;
            transfer.to = to;
            transfer.payload = index == 0 ? Payload::Own : Payload::Landed;
            const PageRange range =
                split ? opposite_share(collective, pages, direction) : whole(pages);
            add_item(collective, gathered, item, range, transfer, out);
        }
    }
    return out;
}

}  // namespace ccl

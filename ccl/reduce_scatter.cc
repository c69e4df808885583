// Reduce-scatter by reducing hops, on lines and on rings of an even number of chips.
#include "ccl/algorithms.h"

namespace ccl {
namespace {

std::int32_t lane_of(Direction direction) { return direction == Direction::Forward ? 0 : 1; }

void add(Transfer transfer, PageRange range, Step& out) {
    if (range.count == 0) return;
    transfer.first_page = range.first;
    transfer.pages = range.count;
    out.push_back(transfer);
}

/// The slice a rank sends on at a step: its owner is `hops` ahead.
struct Send {
    std::int32_t hops = 0;  // 0: nothing
    Payload payload = Payload::Own;
};

/// Rank r starts as soon as the rank behind it has sent it the farthest slice.
Send line_send(const Collective& collective, std::int32_t rank, Direction direction,
               std::int32_t index) {
    const std::int32_t last = collective.ranks - 1;
    const std::int32_t behind = direction == Direction::Forward ? rank : last - rank;
    if (index < behind || behind == last) return {};
    return {last - index, behind == 0 ? Payload::Own : Payload::OwnPlusLanded};
}

Send ring_send(const Collective& collective, std::int32_t index) {
    return {collective.ranks / 2 - index, index == 0 ? Payload::Own : Payload::OwnPlusLanded};
}

}  // namespace

std::int32_t reduce_scatter_steps(const Collective& collective) {
    const bool ring = collective.topology == fabric::Topology::Ring;
    return ring ? collective.ranks / 2 : collective.ranks - 1;
}

Step reduce_scatter_step(const Collective& collective, std::int32_t index) {
    const bool ring = collective.topology == fabric::Topology::Ring;
    Step out;
    for (std::int32_t rank = 0; rank < collective.ranks; ++rank) {
        for (const Direction direction : kDirections) {
            const Send send =
                ring ? ring_send(collective, index) : line_send(collective, rank, direction, index);
            if (send.hops == 0) continue;
            Transfer transfer;
            transfer.from = rank;
            transfer.to = rank_at(collective, rank, direction, 1);
            transfer.slice = rank_at(collective, rank, direction, send.hops);
            transfer.lane = lane_of(direction);
            transfer.payload = send.payload;
            const std::int64_t pages =
                collective.slice_pages[static_cast<std::size_t>(transfer.slice)];
            add(transfer, ring && index == 0 ? half(pages, direction) : whole(pages), out);
        }
    }
    return out;
}

}  // namespace ccl

// Every rank to every rank, the shortest way: all-to-all and the one-shot reduce-scatter.
#include "ccl/algorithms.h"

namespace ccl {
namespace {

/// The chunk of rank `source` that belongs to rank `owner`.
Transfer chunk(const Collective& collective, std::int32_t source, std::int32_t owner) {
    Transfer transfer;
    if (collective.kind == Kind::AllToAll) {
        transfer.slice = source * collective.ranks + owner;
    } else {
        transfer.slice = owner;
        transfer.lane = source;
    }
    return transfer;
}

void add_chunk(const Collective& collective, std::int32_t source, Direction direction,
               std::int32_t hops, std::int32_t index, Step& out) {
    const std::int32_t owner = rank_at(collective, source, direction, hops);
    if (owner == kNoRank) return;
    const bool ring = collective.topology == fabric::Topology::Ring;
    const bool split = ring && 2 * hops == collective.ranks;
    Transfer transfer = chunk(collective, source, owner);
    const std::int64_t pages = collective.slice_pages[static_cast<std::size_t>(transfer.slice)];
    const PageRange range = split ? opposite_share(collective, pages, direction) : whole(pages);
    if (range.count == 0) return;
    transfer.from = rank_at(collective, source, direction, index);
    transfer.to = rank_at(collective, source, direction, index + 1);
    transfer.first_page = range.first;
    transfer.pages = range.count;
    transfer.payload = index == 0 ? Payload::Own : Payload::Landed;
    out.push_back(transfer);
}

}  // namespace

std::int32_t straight_steps(const Collective& collective) {
    const bool ring = collective.topology == fabric::Topology::Ring;
    return ring ? collective.ranks / 2 : collective.ranks - 1;
}

Step straight_step(const Collective& collective, std::int32_t index) {
    Step out;
    for (std::int32_t source = 0; source < collective.ranks; ++source) {
        for (std::int32_t hops = straight_steps(collective); hops > index; --hops) {
            for (const Direction direction : kDirections) {
                add_chunk(collective, source, direction, hops, index, out);
            }
        }
    }
    return out;
}

}  // namespace ccl

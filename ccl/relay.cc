// One slice from one rank to others: broadcast and point-to-point.
// A relay passes a chunk on as soon as it has landed whole, so hops pipeline. Chunk: 20 packets of
// 4352 B, how often a line relay of tt-metal is told of arrivals (tenstorrent/tt-metal:
// tech_reports/CCLs/CCL_bandwidth.md @1080d1c4a0d9). Several hop latencies long on the wire (7 us
// at 12 GB/s against 0.7 us), so latency is hidden; short enough that h hops cost only h - 1 chunks
// more than one hop.
#include <algorithm>
#include <cstdlib>

#include "ccl/algorithms.h"
#include "core/error.h"

namespace ccl {
namespace {

constexpr core::Bytes kRelayChunk{20 * 4352};

std::int64_t chunk_pages(const Collective& collective) {
    return std::max<std::int64_t>(1, kRelayChunk / collective.page);
}

std::int64_t chunk_count(const Collective& collective) {
    return core::ceil_div(collective.slice_pages[0], chunk_pages(collective));
}

/// How many hops the slice goes from the root in `direction`.
std::int32_t reach(const Collective& collective, Direction direction) {
    const std::int32_t ranks = collective.ranks;
    const bool ring = collective.topology == fabric::Topology::Ring;
    if (collective.kind == Kind::Broadcast) {
        if (ring) return direction == Direction::Forward ? ranks / 2 : (ranks - 1) / 2;
        return direction == Direction::Forward ? ranks - 1 - collective.root : collective.root;
    }
    const std::int32_t ahead = sign(direction) * (collective.target - collective.root);
    if (!ring) return std::max(ahead, 0);
    const std::int32_t hops = (ahead + ranks) % ranks;
    const bool shorter = 2 * hops < ranks;
    const bool tie = 2 * hops == ranks && direction == Direction::Forward;
    return shorter || tie ? hops : 0;
}

}  // namespace

std::int32_t relay_steps(const Collective& collective) {
    const std::int64_t chunks = chunk_count(collective);
    const std::int32_t hops =
        std::max(reach(collective, Direction::Forward), reach(collective, Direction::Backward));
    if (chunks == 0 || hops == 0) return 0;
    return static_cast<std::int32_t>(chunks + hops - 1);
}

Step relay_step(const Collective& collective, std::int32_t index) {
    const std::int64_t size = chunk_pages(collective);
    Step out;
    for (const Direction direction : kDirections) {
        for (std::int32_t hop = 0; hop < reach(collective, direction) && hop <= index; ++hop) {
            const std::int64_t first = (index - hop) * size;
            if (first >= collective.slice_pages[0]) continue;
            Transfer transfer;
            transfer.from = rank_at(collective, collective.root, direction, hop);
            transfer.to = rank_at(collective, collective.root, direction, hop + 1);
            transfer.first_page = first;
            transfer.pages = std::min(size, collective.slice_pages[0] - first);
            transfer.payload = hop == 0 ? Payload::Own : Payload::Landed;
            out.push_back(transfer);
        }
    }
    return out;
}

}  // namespace ccl

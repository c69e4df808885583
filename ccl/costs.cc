#include "ccl/costs.h"

#include <algorithm>
#include <numeric>

#include "core/error.h"

namespace ccl {
namespace {

using core::Bytes;
using core::Picoseconds;

/// `whole` x part / total, rounded down; zero of nothing.
Picoseconds share_of(Picoseconds whole, Bytes part, Bytes total) {
    if (total.value <= 0) return {};
    const core::detail::Wide scaled = core::detail::Wide{whole.count()} * part.value;
    return Picoseconds{static_cast<std::int64_t>(scaled / total.value)};
}

/// Rises from nothing to `most`; half of it at `half`.
Picoseconds saturating(Picoseconds most, Bytes size, Bytes half) {
    return share_of(most, size, size + half);
}

Picoseconds at_rate(Bytes size, core::BytesPerSecond rate, std::int32_t links) {
    return rate.value > 0 ? size / (rate * links) : Picoseconds{};
}

core::BytesPerSecond slower(core::BytesPerSecond a, core::BytesPerSecond b) {
    if (a.value == 0 || b.value == 0) return std::max(a, b);
    return std::min(a, b);
}

// Workers per direction per link of an all-gather, by the bytes each link moves: tenstorrent/
// tt-metal: ttnn/cpp/ttnn/operations/experimental/ccl/all_gather_async (2026-05-23).
std::int64_t gather_workers(Bytes per_link) {
    constexpr Bytes kMany{256 * 1024};
    constexpr Bytes kFew{4 * 1024};
    if (per_link > kMany) return 4;
    return per_link <= kFew ? 1 : 2;
}

// all_to_all_async_generic and the one-shot reduce-scatter. GUESS: as many as the others have at
// small sizes; with it two Blackhole chips exchange 15 GB/s per link (measured 15.05).
constexpr std::int64_t kStraightWorkers = 2;

}  // namespace

std::vector<Phase> phases_of(const Plan& plan) {
    const Collective& collective = plan.collective();
    const bool reduces =
        collective.kind == Kind::ReduceScatter || collective.kind == Kind::AllReduce;
    const std::int32_t steps = plan.step_count();
    // A direct all-gather multicasts: routers forward each slice to all others.
    const bool multicasts =
        collective.kind == Kind::AllGather && collective.algorithm == Algorithm::Direct;
    if (collective.kind == Kind::AllToAll || multicasts) return {{Movement::Straight, 0, steps}};
    if (!reduces || collective.algorithm == Algorithm::GatherAndSum) {
        return {{Movement::Gather, 0, steps}};
    }
    const Movement first =
        collective.algorithm == Algorithm::Direct ? Movement::Straight : Movement::Reduce;
    if (collective.kind == Kind::ReduceScatter) return {{first, 0, steps}};
    return {{first, 0, plan.gather_phase()}, {Movement::Gather, plan.gather_phase(), steps}};
}

PhaseCosts::PhaseCosts(const Collective& collective, Movement movement,
                       const fabric::LinkSpec& link)
    : collective_(collective), movement_(movement), link_(link) {}

bool PhaseCosts::has_entry_barrier() const {
    return movement_ != Movement::Straight && collective_.kind != Kind::PointToPoint;
}

Picoseconds PhaseCosts::setup() const {
    const fabric::StraightSpec& straight = link_.collectives.straight;
    if (movement_ != Movement::Straight) return link_.collective_setup;
    // A multicast is one chunk; others send each chip its own. With persistent buffers nobody waits
    // for one chunk before sending the next.
    const bool once =
        collective_.kind == Kind::AllGather || collective_.buffers == Buffers::Persistent;
    return straight.setup + straight.chunk * (once ? 1 : collective_.ranks - 1);
}

Bytes PhaseCosts::packet_of(std::int64_t pages) const {
    const std::int64_t fit = std::max<std::int64_t>(1, link_.packet_payload / collective_.page);
    return bytes(std::min({pages, fit, fabric::kPagesPerPacket}));
}

Picoseconds PhaseCosts::first_packet(std::int64_t pages) const {
    return fabric::packet_time(link_, fabric::Topology::Line,
                               std::min(packet_of(pages), link_.packet_payload));
}

Picoseconds PhaseCosts::relay() const {
    const fabric::CollectiveSpec& spec = link_.collectives;
    if (movement_ == Movement::Straight) return {};
    if (movement_ == Movement::Reduce) {
        return is_ring() ? spec.reduce.ring_relay : spec.reduce.line_relay;
    }
    return is_ring() ? spec.gather.ring_relay : Picoseconds{};
}

Picoseconds PhaseCosts::occupied(std::int32_t from, std::int32_t to, std::int64_t pages) const {
    const fabric::Load load{collective_.page, pages, collective_.links};
    if (movement_ == Movement::Gather) {
        return fabric::wire_time(link_, collective_.topology, load);
    }
    // What a ring's acknowledgements cost these is part of their own rates.
    const Picoseconds wire = fabric::wire_time(link_, fabric::Topology::Line, load);
    if (movement_ == Movement::Straight) return wire + shared(from, to, wire);
    const fabric::ReduceSpec& reduce = link_.collectives.reduce;
    const core::BytesPerSecond rate = is_ring() ? reduce.ring_rate : reduce.line_rate;
    return std::max(wire, at_rate(bytes(pages), rate, collective_.links));
}

// Sources that share a hop wait behind each other's blocked packets: each beyond the second costs a
// share of the wire time, once the slots of the routers no longer hide it.
Picoseconds PhaseCosts::shared(std::int32_t from, std::int32_t to, Picoseconds wire) const {
    const fabric::StraightSpec& straight = link_.collectives.straight;
    const std::int32_t ranks = collective_.ranks;
    const std::int32_t behind = to > from ? from + 1 : ranks - from;
    // In halves: of a ring's sources the farthest sends half.
    const std::int64_t sources =
        is_ring() ? ranks - 1 : 2 * std::int64_t{std::min(behind, ranks - behind)};
    if (sources <= 4) return {};
    const std::int64_t chunks =
        is_ring() ? std::int64_t{ranks} * ranks / 8 : std::int64_t{behind} * (ranks - behind);
    const std::int64_t pieces =
        collective_.kind == Kind::AllToAll ? std::int64_t{ranks} * ranks : ranks;
    const Bytes over_link = everything() * chunks / pieces / collective_.links;
    const Picoseconds most = wire * ((sources - 4) * straight.sharing_permille) / 2000;
    return saturating(most, over_link, straight.sharing_bytes);
}

Picoseconds PhaseCosts::latency(std::int64_t pages) const {
    const fabric::CollectiveSpec& spec = link_.collectives;
    Picoseconds latency = link_.hop_latency + link_.endpoint_latency;
    if (movement_ == Movement::Gather && !is_ring()) latency += spec.gather.line_hop;
    if (movement_ == Movement::Reduce) {
        latency += share_of(spec.reduce.packet, std::min(bytes(pages), link_.packet_payload),
                            link_.packet_payload);
    }
    return latency;
}

// Seen with two chips alone only: four chips pass more through the same workers and routers. The
// cause is not established.
core::BytesPerSecond PhaseCosts::injection_rate() const {
    if (movement_ == Movement::Reduce || collective_.ranks != 2) return {};
    const fabric::CollectiveSpec& spec = link_.collectives;
    if (movement_ == Movement::Straight) {
        return slower(spec.pair_rate, spec.pair_worker * kStraightWorkers);
    }
    const bool stacked = collective_.algorithm == Algorithm::GatherAndSum;
    const Bytes per_link = everything() / (stacked ? 1 : 2) / collective_.links;
    return slower(spec.pair_rate, spec.pair_worker * gather_workers(per_link));
}

Picoseconds PhaseCosts::injection(std::int64_t pages) const {
    return at_rate(bytes(pages), injection_rate(), collective_.links);
}

Picoseconds PhaseCosts::fill() const {
    if (movement_ != Movement::Gather) return {};
    const fabric::GatherSpec& gather = link_.collectives.gather;
    return saturating(is_ring() ? gather.ring_fill : gather.line_fill, largest_slice(),
                      gather.fill_slice);
}

Picoseconds PhaseCosts::sum(std::int64_t pages) const {
    const fabric::CollectiveSpec& spec = link_.collectives;
    if (movement_ == Movement::Straight && collective_.buffers == Buffers::Persistent) {
        // What landed before is summed; the last packet's terms are left.
        return at_rate(packet_of(pages) * collective_.ranks, spec.reduce.local_sum, 1);
    }
    if (movement_ == Movement::Straight) {
        const Bytes late = std::max(everything() - spec.straight.direct_window, Bytes{});
        return spec.straight.direct_sum + at_rate(late, spec.straight.direct_rest, 1);
    }
    if (movement_ == Movement::Gather) return {};
    const Picoseconds add = at_rate(bytes(pages), spec.reduce.local_sum, collective_.links);
    if (is_ring()) return add;
    return add + saturating(spec.reduce.line_fill, bytes(pages), spec.reduce.fill_slice);
}

Bytes PhaseCosts::everything() const {
    const std::vector<std::int64_t>& pages = collective_.slice_pages;
    return bytes(std::accumulate(pages.begin(), pages.end(), std::int64_t{0}));
}

Bytes PhaseCosts::largest_slice() const {
    if (collective_.algorithm == Algorithm::GatherAndSum) return everything();
    const std::vector<std::int64_t>& pages = collective_.slice_pages;
    return bytes(*std::max_element(pages.begin(), pages.end()));
}

}  // namespace ccl

#include "ccl/uniform_ring.h"

#include <algorithm>
#include <array>

#include "ccl/costs.h"
#include "core/error.h"

namespace ccl {
namespace {

using core::Picoseconds;

/// One direction of the rank that stands for all.
struct Way {
    Picoseconds free{};
    Picoseconds landed{};  // at this rank, from the other side: all ranks are alike
    core::Bytes carried;
    Picoseconds occupied{};
};
using Ways = std::array<Way, 2>;

void add(const Transfer& transfer, const Plan& plan, const PhaseCosts& costs, bool is_relay,
         Way& way) {
    const Picoseconds ready = is_relay ? way.landed + costs.relay() : Picoseconds{};
    const Picoseconds occupied = costs.occupied(transfer.from, transfer.to, transfer.pages);
    way.free = std::max(way.free, ready) + occupied;
    way.landed = way.free + costs.latency(transfer.pages);
    way.carried += plan.collective().page * transfer.pages;
    way.occupied += occupied;
}

/// From the ranks' first sends to the end of the phase.
Picoseconds play(const Plan& plan, const Phase& phase, const PhaseCosts& costs, Ways& ways) {
    for (Way& way : ways) way.free = way.landed = Picoseconds{};
    for (std::int32_t index = phase.first; index < phase.end; ++index) {
        for (const Transfer& transfer : plan.step(index)) {
            if (transfer.from != 0) continue;
            add(transfer, plan, costs, index > phase.first, ways[transfer.to == 1 ? 0 : 1]);
        }
    }
    Picoseconds end = std::max(ways[0].landed, ways[1].landed);
    if (phase.movement == Movement::Reduce) end += costs.sum(plan.collective().slice_pages[0]);
    return end + costs.fill();
}

}  // namespace

bool is_uniform_ring(const Plan& plan, std::span<const core::SimTime> ready) {
    const Collective& collective = plan.collective();
    const auto differs = [](const auto& list) {
        return std::any_of(list.begin(), list.end(),
                           [&](const auto& value) { return value != list.front(); });
    };
    const bool in_hops = collective.kind == Kind::AllGather ||
                         collective.kind == Kind::ReduceScatter ||
                         collective.kind == Kind::AllReduce;
    return in_hops && collective.algorithm == Algorithm::Default &&
           collective.topology == fabric::Topology::Ring && collective.slice_pages[0] > 1 &&
           !differs(collective.slice_pages) && !differs(ready);
}

Picoseconds play_uniform_ring(const Plan& plan, std::span<const std::int32_t> chips,
                              fabric::Network& network) {
    const Collective& collective = plan.collective();
    Picoseconds end{};
    Ways ways;
    for (const Phase& phase : phases_of(plan)) {
        const PhaseCosts costs(collective, phase.movement, network.mesh().system.link);
        end += costs.setup() + costs.semaphore_hop() * (collective.ranks / 2);
        end += play(plan, phase, costs, ways);
    }
    const auto ranks = static_cast<std::size_t>(collective.ranks);
    for (std::size_t rank = 0; rank < ranks; ++rank) {
        const std::size_t ahead = (rank + 1) % ranks;
        const auto book = [&](std::size_t from, std::size_t to, const Way& way) {
            network.book(
                {chips[from], chips[to]},
                {.size = way.carried, .links = collective.links, .occupied = way.occupied});
        };
        book(rank, ahead, ways[0]);
        book(ahead, rank, ways[1]);
    }
    return end;
}

}  // namespace ccl

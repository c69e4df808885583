// The fabric's reading of a plan: when is every rank done.
// Dependencies are per rank and page: a relay or reducing hop starts when what it carries has
// landed and its rank is ready. Sends over one hop queue in the network in the order they become
// possible. What sends, relays, barriers and local sums cost: ccl/costs.h.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "ccl/plan.h"
#include "fabric/network.h"

namespace ccl {

class Player;

/// When each rank has all it must end with and its own sends have arrived; not before its start.
struct Playing {
    std::vector<core::SimTime> done;
    std::shared_ptr<const Player> player;  // absent: timed at once
};

/// Throws fabric::Hang, with who waits for whom, when the queue has run dry and `playing` has not
/// ended: a router on the way stands still.
void require_ended(const Playing& playing);

/// Plays `plan` on `network`. `chips[r]` is the mesh index of rank r, `ready[r]` when its input
/// exists; nothing starts before the queue's now(). Gathers and reductions begin with a barrier: a
/// rank sends when a semaphore of every other rank has come. Several groups may be started on one
/// network before its queue runs; a uniform ring of more than kMostPlayed ranks counts on links of
/// its own. `result` is filled in when the queue has run, and must live until then; plan, chips
/// and ready need not. Requires: one chip and one ready time per rank.
void play(const Plan& plan, std::span<const std::int32_t> chips,
          std::span<const core::SimTime> ready, fabric::Network& network, Playing& result);

/// Larger uniform rings are timed by one rank (ccl/uniform_ring.h).
inline constexpr std::int32_t kMostPlayed = 64;

/// All chips of the group ready at once on an otherwise idle `mesh`: when the last is done.
/// Throws fabric::Hang when that is never.
core::Picoseconds time_alone(const Plan& plan, const fabric::Mesh& mesh,
                             std::span<const std::int32_t> chips);

}  // namespace ccl

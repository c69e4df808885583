// The fabric's reading of a plan: when is every rank done.
// Dependencies are per rank and page: a relay or reducing hop starts when what it carries has
// landed and its rank is ready. Sends over one hop queue in the network in the order they become
// possible. The time of local sums is not counted: the reducing kernels overlap it with the
// transfers.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ccl/plan.h"
#include "fabric/network.h"

namespace ccl {

/// When each rank has all it must end with and its own sends have arrived; not before its start.
struct Playing {
    std::vector<core::SimTime> done;
};

/// Plays `plan` on `network`. `chips[r]` is the mesh index of rank r, `ready[r]` when its input
/// exists; a rank starts `setup` later (LinkSpec::collective_setup of the mesh's system: barrier
/// and semaphores, once per collective), but not before the queue's now(). Several groups may be
/// started on one network before its queue runs. `result` is filled in when the queue has run, and
/// must live until then; plan, chips and ready need not. Requires: one chip and one ready time per
/// rank.
void play(const Plan& plan, std::span<const std::int32_t> chips,
          std::span<const core::SimTime> ready, core::Picoseconds setup, fabric::Network& network,
          Playing& result);

}  // namespace ccl

// A ring on which every rank does the same at the same time, timed by one of them. For the .cc
// files of this room only. Invariant: the same times and bytes as playing all ranks gives on links
// nobody else uses; a ring of 1024 has a million transfers, one of its ranks a thousand.
#pragma once

#include <span>

#include "ccl/plan.h"
#include "fabric/network.h"

namespace ccl {

/// Gathers and reducing hops of equal slices on a ring, all ranks ready at once.
bool is_uniform_ring(const Plan& plan, std::span<const core::SimTime> ready);

/// From the common ready time to the end; the bytes are booked on `network`.
core::Picoseconds play_uniform_ring(const Plan& plan, std::span<const std::int32_t> chips,
                                    fabric::Network& network);

}  // namespace ccl

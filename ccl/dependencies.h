// A phase of a plan as a graph: who waits for whose landing. For the .cc files of this room only.
// Invariant: a node comes after all it waits for. Built once per played phase.
#pragma once

#include <cstdint>
#include <vector>

#include "ccl/costs.h"
#include "ccl/plan.h"

namespace ccl {

/// A transfer, or a local sum (from == to).
struct Node {
    std::int32_t from = 0;
    std::int32_t to = 0;
    std::int64_t pages = 0;
    std::int32_t waits = 1;  // the rank's start, and what must have landed before
    bool is_relay = false;   // carries what landed in this phase
    std::vector<std::size_t> next;
};

/// The transfers of the phase, and the sums that end it.
std::vector<Node> nodes_of(const Plan& plan, const Phase& phase);

}  // namespace ccl

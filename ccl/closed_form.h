// How many bytes the busiest hop of a collective must carry, without a plan.
// Invariant: for slices of one even number of pages it equals Plan::bottleneck_bytes(), except for
// an AllReduce in two phases: there it is the sum of the phases' busiest hops. On a line these are
// different hops, and no hop carries more than T. Bytes are payload, per direction of one pair of
// neighbours, all links of the pair together.
// Source: tenstorrent/tt-metal: tech_reports/CCLs/CCL_bandwidth.md @1080d1c4a0d9.
#pragma once

#include <cstdint>

#include "ccl/plan.h"

namespace ccl {

/// Directions a published "bottleneck" is shared by: 1 on a line, 2 on a ring. The published figure
/// is bottleneck_closed_form x directions.
std::int32_t directions(fabric::Topology topology);

/// `total`, T: AllGather output, ReduceScatter input, AllReduce input, Broadcast and PointToPoint
/// the slice; AllToAll: B, what one rank holds. With D directions and N ranks, rounded up:
///   AllGather, ReduceScatter           (N-1)/N x T / D
///   AllReduce                          2(N-1)/N x T / D
///   AllToAll, Direct ReduceScatter     floor(N/2) x ceil(N/2) / N x T / D
///   Direct AllReduce                   the Direct ReduceScatter and the AllGather
///   GatherAndSum                       (N-1) x T / D
///   Broadcast, PointToPoint            T
/// Requires: ranks >= 1, total >= 0.
core::Bytes bottleneck_closed_form(Kind kind, fabric::Topology topology, std::int32_t ranks,
                                   core::Bytes total, Algorithm algorithm = Algorithm::Default);

/// The time model published with the Wormhole tables: setup + hops x latency + bytes / bandwidth,
/// one set of numbers per op and topology, packets of 6144 B, one link. The null that ccl/timing.h
/// is held against: it was fitted at 8 chips and is far off with 2. Zero for Broadcast and
/// PointToPoint, which it does not know. Requires: ranks >= 1, total >= 0.
/// Source: tenstorrent/tt-metal: tech_reports/CCLs/results/SUMMARY_wormhole @3a4ad18f8339.
core::Picoseconds published_time(Kind kind, fabric::Topology topology, std::int32_t ranks,
                                 core::Bytes total);

}  // namespace ccl

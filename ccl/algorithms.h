// The rules behind ccl::Plan, one step at a time; for the .cc files of this room only.
// Invariant: every transfer has pages, crosses one hop, and reads nothing of its own step.
// A slice cut in two between the directions of a ring: forward takes the first ceil(p / 2) pages,
// backward the rest, at every rank alike.
// Source: tenstorrent/tt-metal tree of 2026-05-23 (79925a3f05), all_gather_async/device/kernels/
// minimal_default_writer.cpp; ring reduce-scatter as of PR #41522, line order PR #24188.
#pragma once

#include <cstdint>

#include "ccl/plan.h"

namespace ccl {

enum class Direction : std::int32_t { Forward = 1, Backward = -1 };
inline constexpr Direction kDirections[] = {Direction::Forward, Direction::Backward};
constexpr std::int32_t sign(Direction direction) { return static_cast<std::int32_t>(direction); }

/// Consecutive pages of a slice.
struct PageRange {
    std::int64_t first = 0;
    std::int64_t count = 0;
};
PageRange whole(std::int64_t pages);
/// What travels in `direction` of a slice that goes both ways round a ring.
PageRange half(std::int64_t pages, Direction direction);
/// The same as the collective's kernels do it: sent straight into persistent buffers a packet has
/// one route, and the opposite chip lies forward (get_forward_backward_line_mcast_distance of
/// ttnn/operations/ccl/ccl_common.cpp: 4 and 3 hops on a ring of 8).
PageRange opposite_share(const Collective& collective, std::int64_t pages, Direction direction);

inline constexpr std::int32_t kNoRank = -1;
/// The rank `hops` away; kNoRank beyond the end of a line. Requires: hops <= ranks.
std::int32_t rank_at(const Collective& collective, std::int32_t rank, Direction direction,
                     std::int32_t hops);

/// Plan::lanes(): two directions, or one lane per source rank; zero when nothing is reduced.
std::int32_t summed_lanes(const Collective& collective);

/// What rank i adds to a gather: its shard; the slice it has summed; or its whole input, every
/// slice of it, kept apart on lane i.
enum class Gathered { Shards, Sums, Inputs };

/// All-gather by relays, both directions at once. Line: N-1 steps. Ring: N/2 steps; the slice of
/// the opposite chip (even N) comes half from each side.
std::int32_t gather_steps(const Collective& collective);
Step gather_step(const Collective& collective, Gathered gathered, std::int32_t index);

/// Partial sums travel towards the owner, the farthest slice first, each hop adds its own.
/// Line: N-1 steps. Ring (even N): N/2 steps, the chip opposite the owner starts with half a slice
/// each way, later hops carry whole slices: (N-1)/2 slices per direction.
std::int32_t reduce_scatter_steps(const Collective& collective);
Step reduce_scatter_step(const Collective& collective, std::int32_t index);

/// Every rank sends each chunk straight to where it belongs, the shortest way, farthest first;
/// ranks between only relay. AllToAll, and the one-shot (Direct) reduce-scatter: N^2/8 slices per
/// ring direction, 2.3 times the (N-1)/2 of the default at N = 8.
std::int32_t straight_steps(const Collective& collective);
Step straight_step(const Collective& collective, std::int32_t index);

/// Broadcast and PointToPoint: one slice in chunks that follow each other from hop to hop.
std::int32_t relay_steps(const Collective& collective);
Step relay_step(const Collective& collective, std::int32_t index);

}  // namespace ccl

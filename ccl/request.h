// From what a user asks ("all-gather 1 MiB on 8 chips") to a Collective, as the software would.
// `total` is T of the published tables: AllGather output, ReduceScatter and AllReduce input, one
// rank's bytes for AllToAll, the message for Broadcast and PointToPoint.
// Source: tenstorrent/tt-metal: tech_reports/CCLs/CCL_bandwidth.md @1080d1c4a0d9 and
// ttnn/cpp/ttnn/operations/experimental/ccl as of the tables' runs (2026-09).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "ccl/plan.h"

namespace ccl {

struct Request {
    Kind kind = Kind::AllGather;
    fabric::Topology topology = fabric::Topology::Line;
    std::int32_t ranks = 1;
    core::Bytes total;
    core::Bytes page;  // a tile
    std::int32_t links = 1;
};

/// Whether the software has the one-shot reduce-scatter on rings (after 2026-05).
enum class OneShot { Absent, Present };

/// The algorithm the software takes: one-shot on rings up to 512 KiB per chip, all-gather and local
/// sum where the tiles do not divide by the ranks, else the default.
Algorithm usual_algorithm(const Request& request, OneShot one_shot);

/// Slices as even as whole pages allow; a last page that is not full counts as one.
/// Throws core::Error for sizes below one byte.
Collective collective_of(const Request& request, Algorithm algorithm);

/// "all_gather", ...; nullopt for other texts.
std::optional<Kind> parse_kind(std::string_view text);

/// Bus bandwidth over algorithm bandwidth, in parts of N: (N-1)/N, 2(N-1)/N for AllReduce, 1 for
/// one sender. CCL_bandwidth.md.
double bus_factor(Kind kind, std::int32_t ranks);

}  // namespace ccl

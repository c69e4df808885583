// How long a collective takes on a mesh: a question as users put it, answered by playing plans.
// A collective over a 2-D mesh without an axis runs once per axis, as ttnn does: all-gather along
// axis 1 then 0, reduce-scatter and all-reduce along axis 0 then 1.
// Source: tenstorrent/tt-metal: ttnn/cpp/ttnn/operations/ccl (get_usable_topology, per-axis runs).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ccl/request.h"
#include "ccl/workers.h"
#include "fabric/flow_control.h"
#include "fabric/mesh.h"

namespace ccl {

/// Whether the software asks the wiring before it makes a ring: a line is used where it does not
/// close. Without, the ring waits for its last link for ever. Source: tenstorrent/tt-metal:
/// ttnn/cpp/ttnn/operations/ccl/ccl_common.cpp, PR #56235; not in 2026-05.
enum class WiringCheck { Absent, Present };

struct Question {
    Kind kind = Kind::AllGather;
    std::optional<int> axis;                    // absent: the whole mesh
    std::optional<fabric::Topology> topology;   // absent: a ring where the axis closes
    core::Bytes total;                          // T, see ccl/request.h
    core::Bytes page;                           // a tile
    std::optional<std::int32_t> links;          // absent: all usable ones of the axis
    std::optional<core::Bytes> packet_payload;  // absent: that of the published tables
    OneShot one_shot = OneShot::Present;
    WiringCheck wiring_check = WiringCheck::Present;
    std::optional<fabric::FabricConfig> fabric_config;  // absent: that of the topology
};

/// One run along one axis; all groups of the axis at once, each on hops of its own.
struct Run {
    int axis = 0;
    Request request;
    Algorithm algorithm = Algorithm::Default;
    core::Bytes bottleneck;   // as published: both directions of a ring together
    core::Bytes busiest_hop;  // what the plan moves over one hop in one direction
    core::Picoseconds time;
    std::optional<Workers> workers;  // where they are known
};

struct Estimate {
    std::vector<Run> runs;
    core::Bytes packet_payload;
    std::vector<std::string> notes;  // what is not as asked for

    core::Picoseconds time() const;
};

/// Throws fabric::Hang for what never ends: a stopped router on the way, a ring on an axis that
/// does not close (without wiring check), a ring whose fabric locks up. Throws core::Error for an
/// axis of one chip, more links than the axis has, sizes below a byte, and what cannot be planned.
Estimate estimate(const fabric::Mesh& mesh, const Question& question);

}  // namespace ccl

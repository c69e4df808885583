// What a fabric packet costs a router, and how pages become packets.
// A packet carries at most kPagesPerPacket whole pages; a page larger than the payload is cut. A
// slot of a router holds one packet whatever its fill, so a packet has a least time.
// Source: tenstorrent/tt-metal: tech_reports/CCLs/CCL_bandwidth.md @1080d1c4a0d9 (framing),
// tests/tt_metal/tt_metal/perf_microbenchmark/routing/golden (least times and gaps).
#pragma once

#include <cstdint>

#include "core/units.h"
#include "fabric/mesh.h"

namespace fabric {

/// Scatter writes have at most four segments (CCL_bandwidth.md).
inline constexpr std::int64_t kPagesPerPacket = 4;

/// How long one packet of `payload` occupies a router of a line or of a ring. A ring's takes
/// longer: it also acknowledges every packet to keep two slots free (bubble flow control).
core::Picoseconds packet_time(const LinkSpec& link, Topology routing, core::Bytes payload);

/// What is sent over a pair of neighbours: pages shared evenly by `links` links.
struct Load {
    core::Bytes page;
    std::int64_t pages = 0;
    std::int32_t links = 1;
};
/// How long the links of a pair are busy with it.
core::Picoseconds wire_time(const LinkSpec& link, Topology routing, const Load& load);

}  // namespace fabric

// What a fabric packet costs a router, and how pages become packets.
// A packet carries at most kPagesPerPacket whole pages; a page larger than the payload is cut. A
// slot of a router holds one packet whatever its fill, so a packet has a least time. A router that
// takes a packet off the fabric and adds to a semaphore first waits until the payload has landed.
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

enum class Routing { Line, HalfRing, FullRing, Mesh, Torus };
enum class Casting { Unicast, Multicast };
enum class Directions { Both, One };
enum class PacketWrite { Plain, Scatter, Increment };  // Increment: a semaphore after the payload

/// Packets in one direction over a hop, back to back.
struct Stream {
    Routing routing = Routing::Line;
    Casting casting = Casting::Unicast;
    Directions directions = Directions::Both;
    PacketWrite write = PacketWrite::Plain;
    core::Bytes payload;
    std::int64_t receivers = 1;  // of a unicast: chips behind the hop that share the packets
    std::int64_t fed = 1;        // links one worker feeds in turn, by senders of the busiest hop
};

/// How long a packet of `stream` occupies its busiest router on `chip`s.
core::Picoseconds packet_time(const LinkSpec& link, const mesh::ChipSpec& chip,
                              const Stream& stream);

/// From a worker to a worker of the next chip: the copy to the router, the hop, the wire.
core::Picoseconds first_packet(const LinkSpec& link, const mesh::ChipSpec& chip,
                               const Stream& stream);

/// What is sent over a pair of neighbours: pages shared evenly by `links` links.
struct Load {
    core::Bytes page;
    std::int64_t pages = 0;
    std::int32_t links = 1;
};
/// How long the links of a pair are busy with it.
core::Picoseconds wire_time(const LinkSpec& link, Topology routing, const Load& load);

}  // namespace fabric

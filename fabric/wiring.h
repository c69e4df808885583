// The physical cables of a system: which chips are joined by how many links.
// A link is bidirectional; every pair (a, b) with a < b appears once.
#pragma once

#include <cstdint>
#include <vector>

#include "core/units.h"
#include "fabric/collective_spec.h"
#include "fabric/router_spec.h"
#include "mesh/shape.h"

namespace fabric {

using mesh::ChipId;

struct Edge {
    ChipId a;
    ChipId b;
    std::int32_t links = 0;  // cables that are up
    constexpr bool operator==(const Edge&) const = default;
};

/// A router that came up and then stands still: nothing that crosses its pair arrives any more.
struct StoppedRouter {
    ChipId at;
    ChipId towards;
    constexpr bool operator==(const StoppedRouter&) const = default;
};

struct Wiring {
    std::int32_t chips = 0;
    std::vector<Edge> edges;                  // a < b, sorted; only pairs with a cable that is up
    std::vector<Edge> cut;                    // a < b, sorted; cables that were built and are down
    std::vector<StoppedRouter> stopped = {};  // of pairs with a cable that is up

    std::int32_t links_between(ChipId a, ChipId b) const;
    /// Cables as built: up and down.
    std::int32_t built_between(ChipId a, ChipId b) const;
    std::int32_t total_links() const;
    /// The router that stands still between two chips, at either end; null when none does.
    const StoppedRouter* stopped_between(ChipId a, ChipId b) const;
    std::vector<ChipId> neighbours(ChipId chip) const;
};

/// One link in one direction, as the fabric routers drive it. From topologies/*.yaml.
struct LinkSpec {
    core::BytesPerSecond line_rate;            // raw ethernet rate the tables normalise to
    core::Picoseconds hop_latency;             // 1-D fabric, per hop
    core::Bytes packet_payload;                // default payload of one fabric packet
    core::Bytes packet_header;                 // fabric header
    core::Bytes ethernet_frame;                // largest ethernet packet
    core::Bytes ethernet_overhead;             // per ethernet packet
    core::Picoseconds collective_setup;        // of a gather or a reduction: kernels, semaphores
    std::int32_t routing_planes = 0;           // most links a collective uses per direction; 0: all
    core::Picoseconds endpoint_latency = {};   // worker to router and router to worker, together
    core::Picoseconds packet_gap = {};         // between packets, beside their bytes
    core::Picoseconds packet_least = {};       // a packet occupies a router no shorter
    core::Picoseconds ring_packet_gap = {};    // the same where the routing closes a ring
    core::Picoseconds ring_packet_least = {};  //
    RouterSpec router = {};
    CollectiveSpec collectives = {};
};

/// Payload rate after headers and framing: P / (P + H + overhead * ceil((P + H) / frame)).
core::BytesPerSecond payload_rate(const LinkSpec& link);

}  // namespace fabric

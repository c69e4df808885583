// What routers cost a packet beside line and ring routing (LinkSpec): two dimensions, full rings,
// writes of several segments, workers that feed several links. Values and where they come from:
// topologies/links/*.yaml; what they do: fabric/packets.h.
#pragma once

#include "core/units.h"

namespace fabric {

struct RouterSpec {
    core::BytesPerSecond rated = {};            // of the wire, one packet alone
    core::Bytes mesh_header = {};               // of a packet that turns between rows and columns
    core::Picoseconds mesh_hop = {};            // per hop of such a packet
    core::Picoseconds mesh_packet_least = {};   // one occupies a router no shorter
    core::Picoseconds torus_packet_least = {};  // the same where rows and columns close to rings
    core::Picoseconds scatter = {};        // of a write of several segments, beside a plain one
    core::Picoseconds full_ring = {};      // of a packet that goes once around a ring
    core::Picoseconds one_way = {};        // of a multicast packet when nothing comes back
    core::Picoseconds worker_packet = {};  // a worker hands over one packet
};

}  // namespace fabric

// What collective kernels cost beside the wires: delays and rates of workers at both ends of a
// link. Zero means "none" everywhere: a rate of zero does not limit, a delay of zero does not
// delay. Times are picoseconds, rates payload bytes per second of one link in one direction. Values
// and where they come from: topologies/links/*.yaml; what they do: ccl/costs.h.
#pragma once

#include <cstdint>

#include "core/units.h"

namespace fabric {

/// All-gather, and what moves whole slices from chip to chip.
struct GatherSpec {
    core::Picoseconds line_hop = {};    // beside the link's latency
    core::Picoseconds ring_relay = {};  // a worker reads landed pages back and sends them on
    core::Picoseconds line_fill = {};   // end of the last synchronised chunk, large slices
    core::Picoseconds ring_fill = {};   //
    core::Bytes fill_slice = {};        // slice of which half of the fill is paid
};

/// Reduce-scatter by reducing hops.
struct ReduceSpec {
    core::Picoseconds line_relay = {};  // receive, add, send on
    core::Picoseconds ring_relay = {};
    core::Picoseconds packet = {};  // per hop, to land and add the first packet
    core::Picoseconds line_fill = {};
    core::Bytes fill_slice = {};
    core::BytesPerSecond line_rate = {};
    core::BytesPerSecond ring_rate = {};
    core::BytesPerSecond local_sum = {};  // after the last arrival
};

/// All-to-all and the one-shot reduce-scatter: routers forward, workers only at both ends.
struct StraightSpec {
    core::Picoseconds setup = {};
    core::Picoseconds chunk = {};           // per chunk a rank sends
    std::int64_t sharing_permille = 0;      // of wire time, per source beyond two on a hop
    core::Bytes sharing_bytes = {};         // bytes over a hop at which half of that is paid
    core::Picoseconds direct_sum = {};      // local sum of the one-shot reduce-scatter
    core::Bytes direct_window = {};         // bytes it sums while they arrive
    core::BytesPerSecond direct_rest = {};  // rate of the rest
};

struct CollectiveSpec {
    core::BytesPerSecond pair_rate = {};    // two chips alone: what one hands its router
    core::BytesPerSecond pair_worker = {};  // two chips alone: what one worker hands over
    core::Bytes tuned_payload = {};         // packet payload of the published collective tables
    GatherSpec gather;
    ReduceSpec reduce;
    StraightSpec straight;
};

}  // namespace fabric

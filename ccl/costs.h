// What the sends of one phase of a plan cost on a link, and what a rank waits for around them.
// A phase is a run of steps behind one entry barrier: an all-reduce in two phases has two.
// Times are picoseconds. Model: per hop the packets' time on the router (fabric/packets.h) or the
// workers' rate, whichever is longer; then latency; then what a worker needs to send on what came.
// Where the numbers come from: topologies/links/*.yaml.
#pragma once

#include <cstdint>
#include <vector>

#include "ccl/plan.h"
#include "fabric/packets.h"

namespace ccl {

/// Gather: workers pass whole slices on. Reduce: the same, each hop adds its own. Straight: routers
/// forward, workers only at the ends.
enum class Movement { Gather, Reduce, Straight };

struct Phase {
    Movement movement = Movement::Gather;
    std::int32_t first = 0;  // steps of the plan
    std::int32_t end = 0;
};
std::vector<Phase> phases_of(const Plan& plan);

class PhaseCosts {
public:
    PhaseCosts(const Collective& collective, Movement movement, const fabric::LinkSpec& link);

    /// Every rank waits for a semaphore of every other before its first send.
    bool has_entry_barrier() const;
    /// From a rank's input to its first send, or to its semaphore at the others.
    core::Picoseconds setup() const;
    /// One hop of a semaphore.
    core::Picoseconds semaphore_hop() const { return link_.hop_latency + link_.endpoint_latency; }

    /// Routers forward what passes through: a relay starts with the first packet, not the last.
    bool routers_forward() const { return movement_ == Movement::Straight; }
    core::Picoseconds first_packet(std::int64_t pages) const;
    /// From arrival to the relay's first packet.
    core::Picoseconds relay() const;
    /// How long `pages` from rank `from` to its neighbour `to` occupy the links of the hop.
    core::Picoseconds occupied(std::int32_t from, std::int32_t to, std::int64_t pages) const;
    core::Picoseconds latency(std::int64_t pages) const;
    core::Picoseconds forwarded_latency() const { return link_.hop_latency; }
    /// How long a rank's workers need to hand over `pages` of its own; zero when no limit is known.
    core::Picoseconds injection(std::int64_t pages) const;
    /// After the last arrival, once: the end of the last synchronised chunk.
    core::Picoseconds fill() const;
    /// The local sum of one slice of `pages`, after the last of its terms has landed.
    core::Picoseconds sum(std::int64_t pages) const;

private:
    core::Bytes bytes(std::int64_t pages) const { return collective_.page * pages; }
    bool is_ring() const { return collective_.topology == fabric::Topology::Ring; }
    core::Bytes packet_of(std::int64_t pages) const;
    core::Bytes largest_slice() const;
    core::Bytes everything() const;
    core::Picoseconds shared(std::int32_t from, std::int32_t to, core::Picoseconds wire) const;
    core::BytesPerSecond injection_rate() const;

    Collective collective_;
    Movement movement_;
    fabric::LinkSpec link_;
};

}  // namespace ccl

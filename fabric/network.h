// The links of a mesh on an event queue: bandwidth, latency, per-direction byte counters.
// Invariant: transfers on a link never overlap; the second waits for the first. The links of one
// pair of neighbours carry a transfer together (striped evenly).
// Nothing arrives over a stopped router; with Rerouting::WhatIf it goes around it, sharing the
// links it meets. Times are picoseconds; a plain transfer of b bytes takes hop latency + b /
// (payload rate x links); a Message says itself how long it occupies the links and when it arrives.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "core/event_queue.h"
#include "core/units.h"
#include "fabric/mesh.h"

namespace fabric {

/// One direction between two neighbouring chips of a mesh (row-major indices).
struct Hop {
    std::int32_t from = 0;
    std::int32_t to = 0;
    constexpr auto operator<=>(const Hop&) const = default;
};

/// The hops of a path from `from` to `to`: along the columns first, then the rows (X then Y
/// dimension order), wraps used where they are wired and shorter.
std::vector<Hop> route(const Mesh& mesh, std::int32_t from, std::int32_t to);

class Network {
public:
    using Done = std::function<void(core::SimTime)>;

    /// Both must outlive the network.
    Network(const Mesh& mesh, core::EventQueue& queue);

    /// Sends `size` from a chip to its neighbour, not before the queue's now(); `done` (may be
    /// empty) runs when the last byte has arrived. `links` of the pair's links are used.
    /// Requires: neighbours, and 1 <= links <= live links of the pair.
    void send(Hop hop, core::Bytes size, std::int32_t links, Done done);

    struct Message {
        core::Bytes size;
        std::int32_t links = 1;
        core::Picoseconds occupied{};  // the links, back to back
        core::Picoseconds latency{};   // from the last byte sent to its arrival
        core::SimTime not_before{};    // the last byte is not sent earlier (cut-through)
    };
    /// The same for a message whose times are known. Returns when its first byte is sent; nullopt
    /// when a stopped router keeps it for ever (then `done` never runs).
    std::optional<core::SimTime> send(Hop hop, const Message& message, Done done);
    /// The hops a message from a chip to its neighbour really crosses: one, none when a stopped
    /// router keeps it, or the way around that router.
    const std::vector<Hop>& way(Hop hop) const;
    /// Counts a message that was timed elsewhere: no event, no queueing. Same requirements.
    void book(Hop hop, const Message& message);

    const Mesh& mesh() const { return mesh_; }
    /// Payload bytes carried so far, by direction; hops never used are absent.
    const std::map<Hop, core::Bytes>& bytes_carried() const { return carried_; }
    /// How long each direction was busy.
    const std::map<Hop, core::Picoseconds>& busy() const { return busy_; }
    core::EventQueue& queue() { return queue_; }

private:
    void check(Hop hop, const Message& message) const;
    std::vector<Hop> find_way(Hop hop) const;
    std::int32_t links_of(Hop hop) const;

    const Mesh& mesh_;
    core::EventQueue& queue_;
    core::BytesPerSecond payload_rate_;             // of one link
    mutable std::map<Hop, std::vector<Hop>> ways_;  // as they are asked for
    std::map<Hop, core::SimTime> free_at_;
    std::map<Hop, core::Bytes> carried_;
    std::map<Hop, core::Picoseconds> busy_;
};

}  // namespace fabric

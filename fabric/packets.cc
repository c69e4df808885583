#include "fabric/packets.h"

#include <algorithm>

#include "core/error.h"
#include "mesh/kernel_spec.h"

namespace fabric {
namespace {

core::Bytes on_the_wire(const LinkSpec& link, core::Bytes header, core::Bytes payload) {
    const core::Bytes packet = payload + header;
    const std::int64_t frames = core::ceil_div(packet.value, link.ethernet_frame.value);
    return packet + link.ethernet_overhead * frames;
}

bool turns(Routing routing) { return routing == Routing::Mesh || routing == Routing::Torus; }
bool circles(Routing routing) {
    return routing == Routing::HalfRing || routing == Routing::FullRing;
}

core::Bytes header_of(const LinkSpec& link, Routing routing) {
    return turns(routing) ? link.router.mesh_header : link.packet_header;
}

core::Picoseconds least(const LinkSpec& link, Routing routing) {
    switch (routing) {
        case Routing::Line:
            return link.packet_least;
        case Routing::HalfRing:
            return link.ring_packet_least;
        case Routing::FullRing:
            return link.ring_packet_least + link.router.full_ring;
        case Routing::Mesh:
            return link.router.mesh_packet_least;
        case Routing::Torus:
            return link.router.torus_packet_least;
    }
    return {};
}

mesh::NocTime noc_write(const mesh::ChipSpec& chip, core::Bytes payload) {
    return mesh::noc_time(chip.kernels->noc, {.op = mesh::NocOp::Write, .size = payload});
}

/// A router's write to a worker, until it is acknowledged.
core::Picoseconds landing(const mesh::ChipSpec& chip, core::Bytes payload) {
    return core::duration(noc_write(chip, payload).total(), chip.clock);
}

/// The payload alone: what the next copy of the same packet waits for.
core::Picoseconds copy(const mesh::ChipSpec& chip, core::Bytes payload) {
    mesh::NocTime time = noc_write(chip, payload);
    time.way = 0;
    return core::duration(time.total(), chip.clock);
}

}  // namespace

core::Picoseconds packet_time(const LinkSpec& link, Topology routing, core::Bytes payload) {
    const bool ring = routing == Topology::Ring;
    const core::Picoseconds wire = on_the_wire(link, link.packet_header, payload) / link.line_rate;
    return std::max(wire + (ring ? link.ring_packet_gap : link.packet_gap),
                    ring ? link.ring_packet_least : link.packet_least);
}

core::Picoseconds packet_time(const LinkSpec& link, const mesh::ChipSpec& chip,
                              const Stream& stream) {
    core::require(stream.receivers >= 1 && stream.fed >= 1, "a stream goes somewhere");
    const core::Bytes bytes = on_the_wire(link, header_of(link, stream.routing), stream.payload);
    const bool multicast = stream.casting == Casting::Multicast;
    core::Picoseconds router = least(link, stream.routing);
    if (multicast && stream.directions == Directions::One) router += link.router.one_way;
    if (multicast && stream.write == PacketWrite::Scatter) router += link.router.scatter;
    if (stream.write == PacketWrite::Increment) {
        router += landing(chip, stream.payload) / (multicast ? 1 : stream.receivers);
    }
    const core::Picoseconds gap = circles(stream.routing) ? link.ring_packet_gap : link.packet_gap;
    return std::max({bytes / link.line_rate + gap, router, link.router.worker_packet * stream.fed});
}

core::Picoseconds first_packet(const LinkSpec& link, const mesh::ChipSpec& chip,
                               const Stream& stream) {
    const core::Bytes bytes = on_the_wire(link, header_of(link, stream.routing), stream.payload);
    core::Picoseconds time = turns(stream.routing) ? link.router.mesh_hop : link.hop_latency;
    time += link.endpoint_latency + copy(chip, stream.payload) + bytes / link.router.rated;
    if (circles(stream.routing)) time += link.ring_packet_gap - link.packet_gap;
    if (stream.write == PacketWrite::Increment) time += copy(chip, stream.payload);
    return time;
}

core::Picoseconds wire_time(const LinkSpec& link, Topology routing, const Load& load) {
    core::require(load.page.value > 0 && load.pages >= 0 && load.links >= 1,
                  "a load is whole pages on at least one link");
    const std::int64_t pages = core::ceil_div(load.pages, load.links);
    const core::Bytes payload = link.packet_payload;
    const core::Picoseconds full = packet_time(link, routing, std::min(load.page, payload));
    if (load.page > payload) {
        const std::int64_t whole = load.page / payload;
        const core::Bytes rest = load.page % payload;
        const core::Picoseconds last =
            rest.value == 0 ? core::Picoseconds{} : packet_time(link, routing, rest);
        return pages * (whole * full + last);
    }
    const std::int64_t per_packet = std::min(kPagesPerPacket, payload / load.page);
    const std::int64_t packets = pages / per_packet;
    const std::int64_t rest = pages % per_packet;
    core::Picoseconds time = packets * packet_time(link, routing, load.page * per_packet);
    if (rest > 0) time += packet_time(link, routing, load.page * rest);
    return time;
}

}  // namespace fabric

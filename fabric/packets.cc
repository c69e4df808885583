#include "fabric/packets.h"

#include <algorithm>

#include "core/error.h"

namespace fabric {

core::Picoseconds packet_time(const LinkSpec& link, Topology routing, core::Bytes payload) {
    const bool ring = routing == Topology::Ring;
    const core::Bytes packet = payload + link.packet_header;
    const std::int64_t frames = core::ceil_div(packet.value, link.ethernet_frame.value);
    const core::Picoseconds wire = (packet + link.ethernet_overhead * frames) / link.line_rate;
    return std::max(wire + (ring ? link.ring_packet_gap : link.packet_gap),
                    ring ? link.ring_packet_least : link.packet_least);
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

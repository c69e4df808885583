#include "fabric/link_keys.h"

namespace fabric {
namespace {

constexpr LinkTime kTimes[] = {
    {"endpoint_latency_ns",
     [](LinkSpec& link) -> core::Picoseconds& { return link.endpoint_latency; }},
    {"packet_gap_ns", [](LinkSpec& link) -> core::Picoseconds& { return link.packet_gap; }},
    {"packet_least_ns", [](LinkSpec& link) -> core::Picoseconds& { return link.packet_least; }},
    {"ring_packet_gap_ns",
     [](LinkSpec& link) -> core::Picoseconds& { return link.ring_packet_gap; }},
    {"ring_packet_least_ns",
     [](LinkSpec& link) -> core::Picoseconds& { return link.ring_packet_least; }},
    {"mesh_hop_latency_ns",
     [](LinkSpec& link) -> core::Picoseconds& { return link.router.mesh_hop; }},
    {"mesh_packet_least_ns",
     [](LinkSpec& link) -> core::Picoseconds& { return link.router.mesh_packet_least; }},
    {"torus_packet_least_ns",
     [](LinkSpec& link) -> core::Picoseconds& { return link.router.torus_packet_least; }},
    {"scatter_ns", [](LinkSpec& link) -> core::Picoseconds& { return link.router.scatter; }},
    {"full_ring_ns", [](LinkSpec& link) -> core::Picoseconds& { return link.router.full_ring; }},
    {"one_way_ns", [](LinkSpec& link) -> core::Picoseconds& { return link.router.one_way; }},
    {"worker_packet_ns",
     [](LinkSpec& link) -> core::Picoseconds& { return link.router.worker_packet; }},
    {"gather_line_hop_ns",
     [](LinkSpec& link) -> core::Picoseconds& { return link.collectives.gather.line_hop; }},
    {"gather_ring_relay_ns",
     [](LinkSpec& link) -> core::Picoseconds& { return link.collectives.gather.ring_relay; }},
    {"gather_line_fill_ns",
     [](LinkSpec& link) -> core::Picoseconds& { return link.collectives.gather.line_fill; }},
    {"gather_ring_fill_ns",
     [](LinkSpec& link) -> core::Picoseconds& { return link.collectives.gather.ring_fill; }},
    {"reduce_line_relay_ns",
     [](LinkSpec& link) -> core::Picoseconds& { return link.collectives.reduce.line_relay; }},
    {"reduce_ring_relay_ns",
     [](LinkSpec& link) -> core::Picoseconds& { return link.collectives.reduce.ring_relay; }},
    {"reduce_packet_ns",
     [](LinkSpec& link) -> core::Picoseconds& { return link.collectives.reduce.packet; }},
    {"reduce_line_fill_ns",
     [](LinkSpec& link) -> core::Picoseconds& { return link.collectives.reduce.line_fill; }},
    {"straight_setup_ns",
     [](LinkSpec& link) -> core::Picoseconds& { return link.collectives.straight.setup; }},
    {"straight_chunk_ns",
     [](LinkSpec& link) -> core::Picoseconds& { return link.collectives.straight.chunk; }},
    {"direct_sum_ns",
     [](LinkSpec& link) -> core::Picoseconds& { return link.collectives.straight.direct_sum; }},
};

constexpr LinkSize kSizes[] = {
    {"mesh_header_B", [](LinkSpec& link) -> core::Bytes& { return link.router.mesh_header; }},
    {"tuned_payload_B",
     [](LinkSpec& link) -> core::Bytes& { return link.collectives.tuned_payload; }},
    {"gather_fill_slice_B",
     [](LinkSpec& link) -> core::Bytes& { return link.collectives.gather.fill_slice; }},
    {"reduce_fill_slice_B",
     [](LinkSpec& link) -> core::Bytes& { return link.collectives.reduce.fill_slice; }},
    {"straight_sharing_B",
     [](LinkSpec& link) -> core::Bytes& { return link.collectives.straight.sharing_bytes; }},
    {"direct_window_B",
     [](LinkSpec& link) -> core::Bytes& { return link.collectives.straight.direct_window; }},
};

constexpr LinkRate kRates[] = {
    {"rated_MBps", [](LinkSpec& link) -> core::BytesPerSecond& { return link.router.rated; }},
    {"pair_MBps",
     [](LinkSpec& link) -> core::BytesPerSecond& { return link.collectives.pair_rate; }},
    {"pair_worker_MBps",
     [](LinkSpec& link) -> core::BytesPerSecond& { return link.collectives.pair_worker; }},
    {"reduce_line_MBps",
     [](LinkSpec& link) -> core::BytesPerSecond& { return link.collectives.reduce.line_rate; }},
    {"reduce_ring_MBps",
     [](LinkSpec& link) -> core::BytesPerSecond& { return link.collectives.reduce.ring_rate; }},
    {"reduce_local_sum_MBps",
     [](LinkSpec& link) -> core::BytesPerSecond& { return link.collectives.reduce.local_sum; }},
    {"direct_rest_MBps",
     [](LinkSpec& link) -> core::BytesPerSecond& { return link.collectives.straight.direct_rest; }},
};

}  // namespace

std::span<const LinkTime> link_times() { return kTimes; }
std::span<const LinkSize> link_sizes() { return kSizes; }
std::span<const LinkRate> link_rates() { return kRates; }

std::vector<std::string_view> link_keys() {
    std::vector<std::string_view> keys = {
        "line_rate_MBps",  "hop_latency_ns",      "packet_payload_B",
        "packet_header_B", "ethernet_frame_B",    "ethernet_overhead_B",
        "routing_planes",  "collective_setup_ns", "straight_sharing_permille"};
    for (const LinkTime& time : kTimes) keys.emplace_back(time.key);
    for (const LinkSize& size : kSizes) keys.emplace_back(size.key);
    for (const LinkRate& rate : kRates) keys.emplace_back(rate.key);
    return keys;
}

}  // namespace fabric

#include "fabric/packets.h"

#include <gtest/gtest.h>

#include <cmath>

#include "fabric/network.h"
#include "mesh/kernel_spec.h"
#include "tests/fabric/fixture.h"

namespace fabric {
namespace {

using namespace core::literals;
using testing::opened;

LinkSpec link_of(const char* system) { return load_system(testing::catalog(), system).link; }

double giga_per_second(const LinkSpec& link, Topology routing, core::Bytes payload) {
    return static_cast<double>(payload.value) * 1e-9 /
           core::to_seconds(packet_time(link, routing, payload));
}

TEST(Packets, a_half_empty_packet_takes_the_time_of_a_slot) {
    // A slot of a router holds one packet whatever its fill: small packets waste the link.
    const LinkSpec link = link_of("t3k");
    EXPECT_EQ(packet_time(link, Topology::Line, 16_B), link.packet_least);
    EXPECT_EQ(packet_time(link, Topology::Line, 2048_B), link.packet_least);
    EXPECT_GT(packet_time(link, Topology::Line, 4096_B), link.packet_least);
    EXPECT_GT(packet_time(link, Topology::Ring, 4096_B), packet_time(link, Topology::Line, 4096_B));
}

TEST(Packets, pages_are_packed_whole_and_at_most_four_to_a_packet) {
    // Two 2 KiB tiles in the default payload of 4352 B, four 576 B tiles, a third of a 13 KB page.
    const LinkSpec link = link_of("t3k");
    const auto packet = [&](core::Bytes payload) {
        return packet_time(link, Topology::Line, payload);
    };
    EXPECT_EQ(wire_time(link, Topology::Line, {2048_B, 5, 1}), 2 * packet(4096_B) + packet(2048_B));
    EXPECT_EQ(wire_time(link, Topology::Line, {576_B, 8, 1}), 2 * packet(4 * 576_B));
    EXPECT_EQ(wire_time(link, Topology::Line, {13056_B, 1, 1}), 3 * packet(4352_B));
    EXPECT_EQ(wire_time(link, Topology::Line, {5000_B, 2, 1}),
              2 * (packet(4352_B) + packet(648_B)));
    EXPECT_EQ(wire_time(link, Topology::Line, {2048_B, 0, 1}), core::Picoseconds{});
}

TEST(Packets, links_share_the_pages) {
    // One tile takes one link; a load is over when the fullest link is.
    const LinkSpec link = link_of("galaxy");
    const auto time = [&](std::int64_t pages, std::int32_t links) {
        return wire_time(link, Topology::Line, {2048_B, pages, links});
    };
    EXPECT_EQ(time(1, 4), time(1, 1));
    EXPECT_EQ(time(8, 4), time(2, 1));
    EXPECT_EQ(time(9, 4), time(3, 1));
    for (std::int64_t pages = 1; pages < 40; ++pages) {
        EXPECT_LE(time(pages, 3), time(pages, 2));
        EXPECT_LE(time(pages, 2), time(pages + 1, 2));
    }
}

struct Golden {
    const char* system;
    Topology routing;
    core::Bytes payload;
    double measured;  // GB/s per link
};

TEST(Packets, published_bandwidths_of_full_packets_on_lines_and_half_rings_are_met) {
    // tenstorrent/tt-metal: tests/tt_metal/tt_metal/perf_microbenchmark/routing/golden/
    // golden_bandwidth_summary_*.csv @b844a98d7f6f, 1-D unicast writes of many senders
    // (LinearMulticast, CustomMaxPacketSizeLinear, HalfRingMulticast).
    const Golden goldens[] = {
        {"t3k", Topology::Line, 2048_B, 7.638},
        {"t3k", Topology::Line, 3264_B, 11.393},
        {"t3k", Topology::Line, 4096_B, 11.629},
        {"t3k", Topology::Line, 5440_B, 11.750},
        {"t3k", Topology::Line, 7616_B, 11.564},
        {"galaxy", Topology::Line, 4096_B, 11.560},
        {"t3k", Topology::Ring, 2048_B, 4.893},
        {"t3k", Topology::Ring, 4096_B, 9.708},
        {"bh-galaxy", Topology::Line, 2048_B, 13.336},
        {"bh-galaxy", Topology::Line, 3264_B, 21.050},
        {"bh-galaxy", Topology::Line, 4096_B, 22.239},
        {"bh-galaxy", Topology::Line, 5440_B, 22.787},
        {"bh-galaxy", Topology::Line, 7616_B, 23.332},
        {"bh-galaxy", Topology::Line, 8704_B, 23.132},
        {"bh-galaxy", Topology::Ring, 2048_B, 13.282},
    };
    for (const Golden& golden : goldens) {
        const double simulated =
            giga_per_second(link_of(golden.system), golden.routing, golden.payload);
        EXPECT_NEAR(simulated / golden.measured, 1, 0.08)
            << golden.system << " " << golden.payload.value;
    }
}

TEST(Packets, a_first_small_packet_crosses_a_hop_in_half_a_measured_round_trip) {
    // Same goldens, 16 B over one hop of a line and back: 1579 ns on a T3K, 1507 on a Galaxy.
    for (const auto& [system, round_trip_ns] :
         {std::pair{"t3k", 1579.0}, std::pair{"bh-galaxy", 1506.8}}) {
        const LinkSpec link = link_of(system);
        const core::Picoseconds one_way = link.hop_latency + link.endpoint_latency;
        EXPECT_NEAR(2e3 * core::to_us(one_way) / round_trip_ns, 1, 0.01) << system;
    }
}

double stream_rate(const char* system, const Stream& stream) {
    const System opened_system = opened(system).system;
    const core::Picoseconds time = packet_time(opened_system.link, opened_system.chip, stream);
    return static_cast<double>(stream.payload.value) * 1e-9 / core::to_seconds(time);
}

TEST(Streams, a_plain_stream_costs_what_a_collective_pays) {
    // One rule for a packet, whoever asks.
    const System system = opened("t3k").system;
    for (const core::Bytes payload : {16_B, 2048_B, 4352_B, 7616_B}) {
        EXPECT_EQ(packet_time(system.link, system.chip, {.payload = payload}),
                  packet_time(system.link, Topology::Line, payload));
        EXPECT_EQ(packet_time(system.link, system.chip,
                              {.routing = Routing::HalfRing, .payload = payload}),
                  packet_time(system.link, Topology::Ring, payload));
    }
}

TEST(Streams, an_increment_waits_until_its_payload_has_landed) {
    // The router that takes a packet off the fabric waits for the write on the chip; where packets
    // are for several chips in turn, each waits for its own only.
    const System system = opened("t3k").system;
    Stream stream{.casting = Casting::Multicast, .payload = 2048_B};
    const core::Picoseconds plain = packet_time(system.link, system.chip, stream);
    stream.write = PacketWrite::Increment;
    const core::Picoseconds landed = packet_time(system.link, system.chip, stream) - plain;
    const auto cycles =
        mesh::noc_time(system.chip.kernels->noc, {.op = mesh::NocOp::Write, .size = 2048_B});
    EXPECT_EQ(landed, core::duration(cycles.total(), system.chip.clock));
    stream.casting = Casting::Unicast;
    stream.receivers = 4;
    EXPECT_EQ(packet_time(system.link, system.chip, stream) - plain, landed / 4);
}

TEST(Streams, a_worker_feeds_its_links_in_turn) {
    // Neighbour exchange on a Galaxy has four neighbours, on a T3K three at most.
    const System system = opened("t3k").system;
    const auto time = [&](std::int64_t fed) {
        return packet_time(system.link, system.chip, {.payload = 2048_B, .fed = fed});
    };
    EXPECT_EQ(time(1), system.link.packet_least);
    EXPECT_EQ(time(4) - time(3), system.link.router.worker_packet);
    EXPECT_THROW(packet_time(system.link, system.chip, {.payload = 2048_B, .fed = 0}),
                 std::logic_error);
}

TEST(Streams, published_rates_of_other_routings_are_met) {
    // The same goldens: GB/s per link.
    struct Published {
        const char* system;
        Stream stream;
        double measured;
    };
    const Casting to_all = Casting::Multicast;
    const PacketWrite add = PacketWrite::Increment;
    const PacketWrite scatter = PacketWrite::Scatter;
    const Published rows[] = {
        {"t3k", {.payload = 4096_B, .fed = 3}, 8.262},
        {"galaxy", {.payload = 4096_B, .fed = 4}, 6.256},
        {"bh-galaxy", {.payload = 4096_B, .fed = 4}, 8.056},
        {"t3k", {.casting = to_all, .write = scatter, .payload = 2048_B}, 6.640},
        {"t3k",
         {.routing = Routing::HalfRing, .casting = to_all, .write = add, .payload = 4096_B},
         4.603},
        {"galaxy",
         {.routing = Routing::Mesh, .casting = to_all, .write = add, .payload = 4096_B},
         4.866},
        {"galaxy", {.routing = Routing::Torus, .casting = to_all, .payload = 4096_B}, 7.353},
        {"bh-galaxy", {.casting = to_all, .write = add, .payload = 2048_B}, 5.107},
        {"bh-galaxy", {.routing = Routing::Mesh, .casting = to_all, .payload = 4096_B}, 20.777},
        {"p150x8", {.casting = to_all, .payload = 4096_B}, 17.189},
        {"p150x8", {.routing = Routing::HalfRing, .casting = to_all, .payload = 4096_B}, 9.968},
    };
    for (const Published& row : rows) {
        EXPECT_NEAR(stream_rate(row.system, row.stream) / row.measured, 1, 0.12)
            << row.system << " " << row.measured;
    }
}

TEST(Streams, published_round_trips_over_one_hop_are_met) {
    // The same goldens: ns there and back.
    struct Published {
        const char* system;
        Stream stream;
        double measured;
    };
    const PacketWrite add = PacketWrite::Increment;
    const Published rows[] = {
        {"t3k", {.payload = 4096_B}, 2616.3},
        {"t3k", {.write = add, .payload = 4096_B}, 2916.6},
        {"t3k", {.routing = Routing::HalfRing, .payload = 16_B}, 1784.1},
        {"t3k", {.routing = Routing::Mesh, .payload = 4096_B}, 2869.8},
        {"bh-galaxy", {.payload = 4096_B}, 1799.0},
        {"bh-galaxy", {.write = add, .payload = 4096_B}, 1900.4},
        {"bh-galaxy", {.routing = Routing::Torus, .payload = 16_B}, 1591.1},
    };
    for (const Published& row : rows) {
        const System system = opened(row.system).system;
        const double there = 1e3 * core::to_us(first_packet(system.link, system.chip, row.stream));
        EXPECT_NEAR(2 * there / row.measured, 1, 0.1) << row.system << " " << row.measured;
    }
}

TEST(Network, a_message_that_follows_another_cannot_overtake_it) {
    // Cut-through: the tail of what is forwarded leaves no earlier than it came.
    const Mesh mesh = opened("t3k");
    core::EventQueue queue;
    Network network(mesh, queue);
    core::SimTime done{};
    const Network::Message message{.size = 4096_B,
                                   .links = 1,
                                   .occupied = 350_ns,
                                   .latency = 700_ns,
                                   .not_before = core::SimTime{5_us}};
    EXPECT_EQ(network.send({0, 1}, message, [&](core::SimTime at) { done = at; }), core::SimTime{});
    queue.run_all();
    EXPECT_EQ(done, core::SimTime{5_us + 700_ns});
    EXPECT_EQ(network.busy().at({0, 1}), 350_ns);
    network.book({1, 2}, message);
    EXPECT_EQ(network.bytes_carried().at({1, 2}), 4096_B);
    EXPECT_TRUE(queue.empty());
    EXPECT_THROW(network.book({0, 3}, message), std::logic_error);
}

TEST(LinkFile, every_constant_can_be_overridden_and_must_be_there) {
    // Experiments change one number of the collectives as they do of the wire.
    const System system =
        testing::system_of("base: t3k\nlink: {gather_ring_relay_ns: 1, pair_MBps: 7}\n");
    EXPECT_EQ(system.link.collectives.gather.ring_relay, 1_ns);
    EXPECT_EQ(system.link.collectives.pair_rate, 7_MBps);
    EXPECT_EQ(system.link.collectives.gather.ring_fill,
              link_of("t3k").collectives.gather.ring_fill);
    EXPECT_TRUE(testing::contains(testing::error_of("base: t3k\nlink: {pair_MBps: -1}\n"),
                                  "link.pair_MBps"));
}

}  // namespace
}  // namespace fabric

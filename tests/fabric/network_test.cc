#include "fabric/network.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "core/digest.h"
#include "tests/fabric/fixture.h"

namespace fabric {
namespace {

using core::literals::operator""_B;
using core::literals::operator""_KiB;
using core::literals::operator""_MiB;
using core::literals::operator""_ns;
using testing::catalog;
using testing::opened;
using testing::TempFile;

std::vector<std::int32_t> stops(const std::vector<Hop>& hops) {
    std::vector<std::int32_t> result;
    for (const Hop& hop : hops) result.push_back(hop.to);
    return result;
}

TEST(Route, goes_along_the_columns_first) {
    // Dimension order (X, then Y) is what keeps a 2-D fabric free of deadlock.
    const Mesh galaxy = opened("galaxy");
    EXPECT_EQ(stops(route(galaxy, 0, 10)), (std::vector<std::int32_t>{1, 2, 6, 10}));
    EXPECT_EQ(stops(route(galaxy, 10, 0)), (std::vector<std::int32_t>{9, 8, 4, 0}));
    EXPECT_TRUE(route(galaxy, 7, 7).empty());
}

TEST(Route, takes_the_wrap_where_it_is_shorter) {
    // Half a ring is the longest way; the tie goes the increasing way, always.
    const Mesh ring = opened("t3k");
    EXPECT_EQ(stops(route(ring, 0, 7)), (std::vector<std::int32_t>{7}));
    EXPECT_EQ(stops(route(ring, 7, 0)), (std::vector<std::int32_t>{0}));
    EXPECT_EQ(stops(route(ring, 1, 6)), (std::vector<std::int32_t>{0, 7, 6}));
    EXPECT_EQ(stops(route(ring, 0, 4)), (std::vector<std::int32_t>{1, 2, 3, 4}));
    EXPECT_EQ(stops(route(ring, 4, 0)), (std::vector<std::int32_t>{5, 6, 7, 0}));
    EXPECT_EQ(route(opened("n150x4"), 0, 3).size(), 3u);
}

TEST(Route, crosses_only_links_that_exist) {
    // Every hop of every pair must be a joined pair, or the time of a transfer means nothing.
    for (const char* name : {"bh-galaxy", "galaxy-torus-y", "t3k:2x4", "p150x8"}) {
        const Mesh mesh = opened(name);
        for (std::int32_t from = 0; from < mesh.chip_count(); ++from) {
            for (std::int32_t to = 0; to < mesh.chip_count(); ++to) {
                std::int32_t at = from;
                for (const Hop& hop : route(mesh, from, to)) {
                    EXPECT_EQ(hop.from, at);
                    at = hop.to;
                    EXPECT_GE(mesh.system.wiring.links_between(
                                  mesh.chips[static_cast<std::size_t>(hop.from)],
                                  mesh.chips[static_cast<std::size_t>(hop.to)]),
                              1);
                }
                EXPECT_EQ(at, to);
            }
        }
    }
}

core::SimTime arrival(const Mesh& mesh, core::Bytes size, std::int32_t links) {
    core::EventQueue queue;
    Network network(mesh, queue);
    core::SimTime done{};
    network.send({0, 1}, size, links, [&](core::SimTime at) { done = at; });
    queue.run_all();
    return done;
}

TEST(Network, a_transfer_takes_latency_plus_size_over_payload_rate) {
    // The law of the header, to the picosecond.
    const Mesh mesh = opened("t3k");
    const core::BytesPerSecond rate = payload_rate(mesh.system.link);
    EXPECT_EQ(arrival(mesh, 1_MiB, 1), core::SimTime{711_ns + 1_MiB / rate});
    EXPECT_EQ(arrival(mesh, 1_MiB, 2), core::SimTime{711_ns + 1_MiB / (rate * 2)});
    EXPECT_EQ(arrival(mesh, 0_B, 1), core::SimTime{711_ns});
}

TEST(Network, the_second_transfer_waits_for_the_first) {
    // Two transfers on one link never overlap; the latency of the first is hidden.
    const Mesh mesh = opened("t3k");
    core::EventQueue queue;
    Network network(mesh, queue);
    std::vector<core::SimTime> done;
    const auto note = [&](core::SimTime at) { done.push_back(at); };
    network.send({0, 1}, 64_KiB, 1, note);
    network.send({0, 1}, 64_KiB, 1, note);
    network.send({1, 0}, 64_KiB, 1, note);
    queue.run_all();
    const core::Picoseconds wire = 64_KiB / payload_rate(mesh.system.link);
    ASSERT_EQ(done.size(), 3u);
    EXPECT_EQ(done[0], core::SimTime{wire + 711_ns});
    EXPECT_EQ(done[1], core::SimTime{wire + 711_ns});  // the other direction is a link of its own
    EXPECT_EQ(done[2], core::SimTime{wire + wire + 711_ns});
    EXPECT_EQ(network.busy().at({0, 1}), wire + wire);
    EXPECT_EQ(network.busy().at({1, 0}), wire);
}

TEST(Network, two_streams_over_one_link_get_half_of_its_rate_each) {
    // Chunks of two senders alternate, so both end when the link has carried both.
    const Mesh mesh = opened("t3k");
    const auto last = [&](int streams) {
        core::EventQueue queue;
        Network network(mesh, queue);
        std::vector<core::SimTime> done(2);
        for (int chunk = 0; chunk < 16; ++chunk) {
            for (int stream = 0; stream < streams; ++stream) {
                network.send({0, 1}, 64_KiB, 1, [&done, stream](core::SimTime at) {
                    done[static_cast<std::size_t>(stream)] = at;
                });
            }
        }
        queue.run_all();
        return done;
    };
    const core::Picoseconds chunk = 64_KiB / payload_rate(mesh.system.link);
    const std::vector<core::SimTime> shared = last(2);
    EXPECT_EQ(last(1)[0], core::SimTime{16 * chunk + 711_ns});
    EXPECT_EQ(shared[0], core::SimTime{31 * chunk + 711_ns});
    EXPECT_EQ(shared[1], core::SimTime{32 * chunk + 711_ns});
}

Mesh stopped_t3k(Rerouting rerouting) {
    const TempFile file("stopped.yaml", "base: t3k\nstopped: [[2, 6]]\n");
    return std::get<Mesh>(open_mesh(catalog(), file.path(), rerouting));
}

TEST(Network, nothing_arrives_over_a_stopped_router) {
    const Mesh mesh = stopped_t3k(Rerouting::Off);
    core::EventQueue queue;
    Network network(mesh, queue);
    bool arrived = false;
    network.send({2, 3}, 64_KiB, 1, [&](core::SimTime) { arrived = true; });  // chips 2 and 6
    network.send({3, 2}, 64_KiB, 1, [&](core::SimTime) { arrived = true; });
    queue.run_all();
    EXPECT_FALSE(arrived);
    EXPECT_TRUE(network.way({2, 3}).empty());
    EXPECT_TRUE(network.bytes_carried().empty());
}

TEST(Network, what_is_rerouted_loads_every_link_of_its_way) {
    // Chips 2 and 6 of the perimeter; the shortest way left is 2, 0, 1, 3, 7, 6.
    const Mesh mesh = stopped_t3k(Rerouting::WhatIf);
    core::EventQueue queue;
    Network network(mesh, queue);
    core::SimTime direct{};
    core::SimTime around{};
    network.send({5, 6}, 64_KiB, 1, [&](core::SimTime at) { direct = at; });
    network.send({2, 3}, 64_KiB, 1, [&](core::SimTime at) { around = at; });
    queue.run_all();
    const std::vector<Hop>& way = network.way({2, 3});
    ASSERT_GT(way.size(), 1U);
    EXPECT_EQ(way.front().from, 2);
    EXPECT_EQ(way.back().to, 3);
    for (const Hop& hop : way) EXPECT_EQ(network.bytes_carried().at(hop), 64_KiB);
    const auto more = static_cast<std::int64_t>(way.size() - 1);
    EXPECT_EQ(around, direct + mesh.system.link.hop_latency * more);
}

TEST(Network, counts_every_payload_byte_by_direction) {
    // The byte counters are compared with what the executor moved; they must be exact.
    const Mesh mesh = opened("t3k");
    core::EventQueue queue;
    Network network(mesh, queue);
    std::mt19937 random(7);
    std::map<Hop, core::Bytes> sent;
    for (int i = 0; i < 500; ++i) {
        const auto from = static_cast<std::int32_t>(random() % 8);
        const Hop hop{from, static_cast<std::int32_t>((from + (random() % 2 == 0 ? 1 : 7)) % 8)};
        const core::Bytes size{static_cast<std::int64_t>(random() % 100'000)};
        sent[hop] += size;
        network.send(hop, size, 1, nullptr);
    }
    queue.run_all();
    EXPECT_EQ(network.bytes_carried(), sent);
}

TEST(Network, a_link_is_busy_no_longer_than_time_has_passed) {
    // Busy beyond the end would mean overlap.
    const Mesh mesh = opened("galaxy");
    core::EventQueue queue;
    Network network(mesh, queue);
    for (int i = 0; i < 20; ++i) network.send({0, 4}, core::Bytes{1000 * i + 1}, 3, nullptr);
    queue.run_all();
    const core::Picoseconds busy = network.busy().at({0, 4});
    EXPECT_EQ(busy + mesh.system.link.hop_latency, queue.now().time_since_epoch());
}

TEST(Network, more_bandwidth_is_never_slower) {
    // A law that every change of the model must keep.
    Mesh mesh = opened("galaxy");
    for (const std::int64_t size : {1, 31, 4352, 4353, 1 << 20}) {
        core::SimTime slower = core::SimTime::max();
        for (const std::int32_t links : {1, 2, 3, 4}) {
            const core::SimTime now = arrival(mesh, {size}, links);
            EXPECT_LE(now, slower);
            EXPECT_GE(now, core::SimTime{mesh.system.link.hop_latency});
            slower = now;
        }
        Mesh faster = mesh;
        faster.system.link.line_rate = mesh.system.link.line_rate * 2;
        EXPECT_LE(arrival(faster, {size}, 4), slower);
    }
}

TEST(Network, the_same_sends_give_the_same_times) {
    // A run is identified by its digest; it must not depend on addresses or hashing.
    const Mesh mesh = opened("bh-galaxy");
    const auto run = [&] {
        core::EventQueue queue;
        Network network(mesh, queue);
        core::Digest digest;
        for (std::int32_t chip = 0; chip < mesh.chip_count(); ++chip) {
            for (const Hop& hop : route(mesh, chip, (chip * 7 + 3) % 32)) {
                network.send(hop, core::Bytes{1000 + chip}, 2, [&digest, hop](core::SimTime at) {
                    digest.add(at.time_since_epoch().count()).add(std::int64_t{hop.from});
                });
            }
        }
        queue.run_all();
        return digest.value();
    };
    EXPECT_EQ(run(), run());
}

TEST(Network, broken_rules_are_caught) {
    // A plan that sends to a chip that is no neighbour is our own mistake.
    const Mesh mesh = opened("galaxy");
    core::EventQueue queue;
    Network network(mesh, queue);
    EXPECT_THROW(network.send({0, 2}, 1_KiB, 1, nullptr), std::logic_error);
    EXPECT_THROW(network.send({0, 3}, 1_KiB, 1, nullptr), std::logic_error);  // no wrap here
    EXPECT_THROW(network.send({3, 4}, 1_KiB, 1, nullptr), std::logic_error);
    EXPECT_THROW(network.send({0, 0}, 1_KiB, 1, nullptr), std::logic_error);
    EXPECT_THROW(network.send({0, 1}, 1_KiB, 0, nullptr), std::logic_error);
    EXPECT_THROW(network.send({0, 1}, 1_KiB, 5, nullptr), std::logic_error);
    EXPECT_THROW(network.send({0, 1}, {-1}, 1, nullptr), std::logic_error);
    EXPECT_THROW(network.send({31, 32}, 1_KiB, 1, nullptr), std::logic_error);
    EXPECT_TRUE(network.bytes_carried().empty());
}

}  // namespace
}  // namespace fabric

#include "ccl/timing.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "ccl/closed_form.h"
#include "ccl/uniform_ring.h"
#include "core/event_queue.h"
#include "fabric/system.h"
#include "tests/ccl/group.h"

namespace {

using ccl::Kind;
using ccl::Plan;
using ccl_test::even_collective;
using core::Bytes;
using core::Picoseconds;
using core::SimTime;
using fabric::Topology;
using namespace core::literals;

constexpr SimTime kStart{};

/// One group on a mesh of its own.
struct Outcome {
    std::vector<SimTime> done;
    std::map<fabric::Hop, Bytes> carried;
    Picoseconds time() const { return *std::max_element(done.begin(), done.end()) - kStart; }
};

Outcome run(const ccl::Collective& collective, const fabric::Mesh& mesh,
            std::vector<SimTime> ready = {}) {
    core::EventQueue queue;
    fabric::Network network(mesh, queue);
    ccl::Playing playing;
    std::vector<std::int32_t> chips;
    for (std::int32_t rank = 0; rank < collective.ranks; ++rank) chips.push_back(rank);
    ready.resize(chips.size(), kStart);
    // The plan, the chips and the ready times are gone before the first event runs.
    ccl::play(Plan(collective), std::vector(chips), std::vector(ready), network, playing);
    queue.run_all();
    return {playing.done, network.bytes_carried()};
}

Outcome run(const ccl::Collective& collective) {
    return run(collective, ccl_test::rows_of(collective.topology, 1, collective.ranks));
}

/// Wire time of `size` on one link of the test mesh: 10 GB/s.
Picoseconds wire(Bytes size) { return Picoseconds{size.value * 100}; }

TEST(Playing, one_hop_is_setup_wire_and_latency) {
    // The smallest case can be checked by hand: 5 us + 204.8 ns + 1 us.
    const Outcome two = run(even_collective({Kind::PointToPoint}, Topology::Line, 2, 1));
    EXPECT_EQ(two.time(), 5_us + 204'800_ps + 1_us);
    EXPECT_EQ(two.done[0], two.done[1]);
}

TEST(Playing, line_all_gather_takes_a_slice_time_per_hop) {
    // Relays keep every hop busy with one slice each time: (N-1) x (wire + latency).
    const Outcome eight = run(even_collective({Kind::AllGather}, Topology::Line, 8, 10));
    // Before it, a semaphore of the farthest rank: 7 us.
    EXPECT_EQ(eight.time(), 5_us + 7_us + 7 * (wire(10 * 2048_B) + 1_us));
}

TEST(Playing, ring_all_gather_ends_with_half_a_slice) {
    // Three whole slices and a half one from each side: half the latency, half the bytes.
    const Outcome eight = run(even_collective({Kind::AllGather}, Topology::Ring, 8, 10));
    EXPECT_EQ(eight.time(), 5_us + 4_us + 4 * 1_us + wire(35 * 2048_B));
    for (const SimTime done : eight.done) EXPECT_EQ(done, kStart + eight.time());
}

TEST(Playing, ring_reduce_scatter_starts_with_half_a_slice) {
    // The same bytes as the gather, run backwards.
    const Outcome eight = run(even_collective({Kind::ReduceScatter}, Topology::Ring, 8, 10));
    EXPECT_EQ(eight.time(), 5_us + 4_us + 4 * 1_us + wire(35 * 2048_B));
}

TEST(Playing, relayed_chunks_pipeline_over_the_hops) {
    // 420 pages are ten chunks of 42: three hops cost two chunks more than one hop, not two slices.
    const Outcome four = run(even_collective({Kind::Broadcast}, Topology::Line, 4, 420));
    EXPECT_EQ(four.time(), 5_us + 3_us + 3 * 1_us + 12 * wire(42 * 2048_B));
}

TEST(Playing, every_rank_waits_for_the_semaphore_of_the_latest) {
    // The entry barrier: nobody writes into the memory of a rank that is not there yet.
    const auto collective = even_collective({Kind::AllGather}, Topology::Line, 3, 10);
    const auto mesh = ccl_test::rows_of(Topology::Line, 1, 3);
    const Picoseconds slice = wire(10 * 2048_B);
    // Rank 1 is late: its semaphore takes one hop to either side, then two slices follow.
    const Outcome middle = run(collective, mesh, {kStart, kStart + 100_us, kStart});
    EXPECT_EQ(middle.time(), 100_us + 5_us + 1_us + 2 * (slice + 1_us));
    // Rank 2 is late: rank 0 hears of it two hops later, and is the last to be heard of.
    const Outcome end = run(collective, mesh, {kStart, kStart, kStart + 100_us});
    EXPECT_EQ(end.time(), 100_us + 5_us + 2_us + 2 * (slice + 1_us));
    EXPECT_EQ(end.done[0], kStart + 100_us + 5_us + 1_us + 2 * slice + 1_us);
}

TEST(Playing, ranks_are_done_when_their_own_part_is) {
    // A point-to-point leaves the ranks beside its way free at once.
    ccl::Collective collective = even_collective({Kind::PointToPoint}, Topology::Line, 4, 1);
    collective.target = 1;
    const Outcome four = run(collective);
    EXPECT_EQ(four.done[2], kStart + 5_us);
    EXPECT_EQ(four.done[1], kStart + 6_us + 204'800_ps);
}

TEST(Playing, network_counts_what_the_plan_counts) {
    // Simulated bytes per hop = planned bytes per hop, for any sort and size.
    std::mt19937 random(31);
    for (const Topology topology : ccl_test::kTopologies) {
        for (const ccl_test::Sort sort : ccl_test::kSorts) {
            for (std::int32_t ranks = 2; ranks <= 10; ++ranks) {
                if (!ccl_test::can_be_planned(sort, topology, ranks)) continue;
                const auto collective = ccl_test::random_collective(sort, topology, ranks, random);
                std::map<fabric::Hop, Bytes> planned;
                for (const auto& [hop, bytes] : Plan(collective).bytes_by_hop()) {
                    planned[{hop.first, hop.second}] = bytes;
                }
                EXPECT_EQ(run(collective).carried, planned) << ccl_test::name_of(collective);
            }
        }
    }
}

/// Calls `check` with every sort that can be planned, a few group sizes, small and large slices.
template <class Check>
void for_sizes(Check check) {
    for (const Topology topology : ccl_test::kTopologies) {
        for (const ccl_test::Sort sort : ccl_test::kSorts) {
            for (const std::int32_t ranks : {2, 3, 4, 5, 8, 12}) {
                for (const std::int64_t pages : {1, 6, 500}) {
                    if (!ccl_test::can_be_planned(sort, topology, ranks)) continue;
                    check(even_collective(sort, topology, ranks, pages));
                }
            }
        }
    }
}

TEST(Playing, never_beats_the_bottleneck) {
    // No schedule moves bytes over a hop faster than the hop's rate.
    for_sizes([](const ccl::Collective& collective) {
        const Picoseconds bound = wire(Plan(collective).bottleneck_bytes());
        EXPECT_GE(run(collective).time(), 5_us + 1_us + bound) << ccl_test::name_of(collective);
    });
}

TEST(Playing, more_bandwidth_is_never_slower) {
    // Faster links and more links both help; a slower result is a scheduling bug.
    for_sizes([](ccl::Collective collective) {
        SCOPED_TRACE(ccl_test::name_of(collective));
        fabric::Mesh mesh = ccl_test::rows_of(collective.topology, 1, collective.ranks, 4);
        const Picoseconds one = run(collective, mesh).time();
        collective.links = 4;
        const Picoseconds four = run(collective, mesh).time();
        // A single page takes one link whatever there is.
        EXPECT_LE(four, one);
        if (collective.slice_pages[0] > 3) {
            EXPECT_LT(four, one);
        }
        mesh.system.link.line_rate = mesh.system.link.line_rate * 2;
        EXPECT_LT(run(collective, mesh).time(), four);
    });
}

TEST(Playing, a_ring_is_not_slower_than_a_line_at_large_sizes) {
    // Half the bytes and half the hops: what the wrap cable is bought for.
    for (const ccl_test::Sort sort : ccl_test::kSorts) {
        for (const std::int32_t ranks : {4, 6, 8, 16, 32}) {
            const auto line = even_collective(sort, Topology::Line, ranks, 64);
            const auto ring = even_collective(sort, Topology::Ring, ranks, 64);
            EXPECT_LE(run(ring).time(), run(line).time()) << ccl_test::name_of(ring);
        }
    }
}

TEST(Playing, all_reduce_is_a_reduce_scatter_and_an_all_gather) {
    // Two ops, each with a barrier of its own; on a line ranks enter the second one by one.
    for (const std::int32_t ranks : {4, 8, 16}) {
        for (const Topology topology : ccl_test::kTopologies) {
            const auto whole = run(even_collective({Kind::AllReduce}, topology, ranks, 40)).time();
            const auto scatter =
                run(even_collective({Kind::ReduceScatter}, topology, ranks, 40)).time();
            const auto gather = run(even_collective({Kind::AllGather}, topology, ranks, 40)).time();
            EXPECT_LE(whole, scatter + gather) << ranks;
            if (topology == Topology::Ring) {
                EXPECT_EQ(whole, scatter + gather) << ranks;
            }
            EXPECT_GT(whole, std::max(scatter, gather) + 5_us);
        }
    }
}

TEST(Playing, groups_on_rows_of_their_own_do_not_meet) {
    // A 2-D mesh runs one group per row at once; unshared hops must not couple them.
    const auto collective = even_collective({Kind::AllReduce}, Topology::Ring, 4, 16);
    const fabric::Mesh mesh = ccl_test::rows_of(Topology::Ring, 2, 4);
    core::EventQueue queue;
    fabric::Network network(mesh, queue);
    std::vector<ccl::Playing> playing(2);
    const std::vector<SimTime> ready(4, kStart);
    ccl::play(Plan(collective), std::vector<std::int32_t>{0, 1, 2, 3}, ready, network, playing[0]);
    ccl::play(Plan(collective), std::vector<std::int32_t>{4, 5, 6, 7}, ready, network, playing[1]);
    queue.run_all();
    EXPECT_EQ(playing[0].done, playing[1].done);
    EXPECT_EQ(playing[0].done, run(collective).done);
}

TEST(Playing, two_collectives_on_one_group_share_its_hops) {
    // They take turns on the wires: together as long as the bytes of both.
    const auto collective = even_collective({Kind::AllGather}, Topology::Line, 2, 100);
    const fabric::Mesh mesh = ccl_test::rows_of(Topology::Line, 1, 2);
    core::EventQueue queue;
    fabric::Network network(mesh, queue);
    std::vector<ccl::Playing> playing(2);
    const std::vector<std::int32_t> chips{0, 1};
    const std::vector<SimTime> ready(2, kStart);
    for (ccl::Playing& one : playing) {
        ccl::play(Plan(collective), chips, ready, network, one);
    }
    queue.run_all();
    EXPECT_EQ(playing[0].done[0], kStart + 7_us + wire(100 * 2048_B));
    EXPECT_EQ(playing[1].done[0], kStart + 7_us + wire(200 * 2048_B));
}

TEST(Playing, a_later_start_shifts_everything) {
    // Collectives follow each other on one queue; nothing may start in its past.
    const auto collective = even_collective({Kind::AllGather}, Topology::Line, 3, 4);
    const fabric::Mesh mesh = ccl_test::rows_of(Topology::Line, 1, 3);
    core::EventQueue queue;
    queue.reset(kStart + 50_us);
    fabric::Network network(mesh, queue);
    ccl::Playing playing;
    ccl::play(Plan(collective), std::vector<std::int32_t>{0, 1, 2}, std::vector<SimTime>(3),
              network, playing);
    queue.run_all();
    // Ready at 0, but asked for only at 50 us; the last to arrive is rank 0's slice at rank 2.
    EXPECT_EQ(playing.done[2], kStart + 50_us + 5_us + 2_us + 2 * (wire(4 * 2048_B) + 1_us));
}

TEST(Playing, same_input_gives_the_same_times) {
    // Reports are compared byte by byte; ties must break alike every time.
    std::mt19937 random(43);
    for (const ccl_test::Sort sort : ccl_test::kSorts) {
        const auto collective = ccl_test::random_collective(sort, Topology::Ring, 8, random);
        const Outcome first = run(collective);
        const Outcome second = run(collective);
        EXPECT_EQ(first.done, second.done);
        EXPECT_EQ(first.carried, second.carried);
    }
}

TEST(Playing, a_group_of_one_is_done_after_setup) {
    // Nothing to move is not an error.
    EXPECT_EQ(run(even_collective({Kind::AllGather}, Topology::Line, 1, 4)).time(), 5_us);
}

TEST(Playing, one_rank_of_a_uniform_ring_stands_for_all) {
    // Rings of a thousand chips are timed by one of them; where both can be played they agree to
    // the picosecond, times and bytes, with all costs of the real links.
    const fabric::Catalog catalog{TESSERA_SOURCE_DIR "/topologies"};
    for (const char* system : {"t3k", "p150x8"}) {
        for (const Kind kind : {Kind::AllGather, Kind::ReduceScatter, Kind::AllReduce}) {
            for (const std::int32_t ranks : {4, 8, 10, 16}) {
                for (const std::int64_t pages : {2, 7, 300}) {
                    const auto collective = even_collective({kind}, Topology::Ring, ranks, pages);
                    fabric::Mesh mesh = ccl_test::rows_of(Topology::Ring, 1, ranks);
                    mesh.system.link = fabric::load_system(catalog, system).link;
                    std::vector<std::int32_t> chips;
                    for (std::int32_t rank = 0; rank < ranks; ++rank) chips.push_back(rank);
                    core::EventQueue queue;
                    fabric::Network network(mesh, queue);
                    const Outcome played = run(collective, mesh);
                    EXPECT_EQ(ccl::play_uniform_ring(Plan(collective), chips, network),
                              played.time())
                        << ccl_test::name_of(collective) << " " << pages;
                    EXPECT_EQ(network.bytes_carried(), played.carried);
                }
            }
        }
    }
}

TEST(Playing, a_ring_of_a_thousand_chips_is_timed) {
    // 1 MiB per chip: never faster than the wires, no slower than them and the hops together.
    const auto collective = even_collective({Kind::AllGather}, Topology::Ring, 1024, 512);
    const Outcome all = run(collective);
    const Picoseconds bound = wire(Plan(collective).bottleneck_bytes());
    EXPECT_GE(all.time(), bound);
    EXPECT_LE(all.time(), bound + 5_us + 2 * 512_us + wire(1_MiB));
    EXPECT_EQ(all.carried.size(), 2048u);
    for (const auto& [hop, bytes] : all.carried) EXPECT_EQ(bytes, 1023 * 512_KiB);
}

TEST(Playing, chips_and_ready_times_must_match_the_ranks) {
    // A group wired to the wrong axis is our own mistake and must not pass.
    const fabric::Mesh mesh = ccl_test::rows_of(Topology::Line, 1, 4);
    core::EventQueue queue;
    fabric::Network network(mesh, queue);
    ccl::Playing playing;
    EXPECT_THROW(
        ccl::play(Plan(even_collective({Kind::AllGather}, Topology::Line, 4, 1)),
                  std::vector<std::int32_t>{0, 1, 2}, std::vector<SimTime>(4), network, playing),
        std::logic_error);
}

}  // namespace

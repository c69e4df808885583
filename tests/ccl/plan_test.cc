#include "ccl/plan.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/ccl/group.h"

namespace {

using ccl::Algorithm;
using ccl::Collective;
using ccl::Kind;
using ccl::Payload;
using ccl::Plan;
using ccl::Transfer;
using ccl_test::even_collective;
using core::Bytes;
using fabric::Topology;
using namespace core::literals;

/// The message of the core::Error a collective is refused with; empty when it is planned.
std::string refusal(const Collective& collective) {
    try {
        Plan plan(collective);
    } catch (const core::Error& error) {
        return error.message();
    }
    return {};
}

TEST(Plan, ring_all_gather_of_eight_loads_every_direction_alike) {
    // The worked case of eight shards of S: 3.5 S on each direction of each edge, 7 S on both.
    const Plan plan(even_collective({Kind::AllGather}, Topology::Ring, 8, 2));
    const Bytes shard = 2 * 2048_B;
    EXPECT_EQ(plan.step_count(), 4);
    EXPECT_EQ(plan.bytes_by_hop().size(), 16u);
    for (std::int32_t rank = 0; rank < 8; ++rank) {
        const std::int32_t next = (rank + 1) % 8;
        EXPECT_EQ(plan.bytes_on(rank, next), shard * 7 / 2);
        EXPECT_EQ(plan.bytes_on(next, rank), shard * 7 / 2);
    }
}

TEST(Plan, with_persistent_buffers_the_opposite_chip_is_reached_forward) {
    // A packet has one route: 4 hops forward and 3 backward on a ring of 8, 7 S in all.
    for (const Kind kind : {Kind::AllGather, Kind::ReduceScatter}) {
        Collective collective = even_collective({kind}, Topology::Ring, 8, 2);
        collective.algorithm = Algorithm::Direct;
        const Plan fresh(collective);
        collective.buffers = ccl::Buffers::Persistent;
        const Plan plan(collective);
        const Bytes both = fresh.bytes_on(0, 1) + fresh.bytes_on(1, 0);
        EXPECT_EQ(plan.bytes_on(0, 1) + plan.bytes_on(1, 0), both);
        EXPECT_EQ(fresh.bytes_on(0, 1), fresh.bytes_on(1, 0));
        EXPECT_GT(plan.bytes_on(0, 1), plan.bytes_on(1, 0));
        EXPECT_EQ(plan.sums(), fresh.sums());
    }
    Collective gather = even_collective({Kind::AllGather}, Topology::Ring, 8, 2);
    gather.buffers = ccl::Buffers::Persistent;
    // Relays share the opposite chip's slice as they do in fresh buffers.
    EXPECT_EQ(Plan(gather).bytes_on(0, 1), Plan(gather).bytes_on(1, 0));
    gather.algorithm = Algorithm::Direct;
    EXPECT_EQ(Plan(gather).bytes_on(0, 1), 4 * 2 * 2048_B);
    EXPECT_EQ(Plan(gather).bytes_on(1, 0), 3 * 2 * 2048_B);
}

TEST(Plan, line_all_gather_of_eight_carries_what_lies_behind_each_edge) {
    // Edge k to k+1 carries k+1 shards one way and 7-k the other: 8 S on every edge.
    const Plan plan(even_collective({Kind::AllGather}, Topology::Line, 8, 2));
    const Bytes shard = 2 * 2048_B;
    EXPECT_EQ(plan.step_count(), 7);
    for (std::int32_t rank = 0; rank < 7; ++rank) {
        EXPECT_EQ(plan.bytes_on(rank, rank + 1), shard * (rank + 1));
        EXPECT_EQ(plan.bytes_on(rank + 1, rank), shard * (7 - rank));
    }
    EXPECT_EQ(plan.bytes_on(7, 0), 0_B);
    EXPECT_EQ(plan.bytes_on(0, 2), 0_B);
}

TEST(Plan, odd_page_of_the_split_slice_goes_forward_at_every_rank) {
    // The rule must be the same everywhere, or neighbours would disagree on who sends what.
    const Plan plan(even_collective({Kind::AllGather}, Topology::Ring, 4, 3));
    const ccl::Step last = plan.step(1);
    ASSERT_EQ(last.size(), 8u);
    for (const Transfer& transfer : last) {
        const bool forward = transfer.to == (transfer.from + 1) % 4;
        EXPECT_EQ(transfer.first_page, forward ? 0 : 2);
        EXPECT_EQ(transfer.pages, forward ? 2 : 1);
        EXPECT_EQ(transfer.slice, (transfer.to + 2) % 4);
        EXPECT_EQ(transfer.payload, Payload::Landed);
    }
    EXPECT_EQ(plan.bytes_on(3, 0), 5 * 2048_B);
    EXPECT_EQ(plan.bytes_on(0, 3), 4 * 2048_B);
}

TEST(Plan, odd_ring_gathers_in_whole_slices) {
    // Five chips have no opposite one: two slices from each side.
    const Plan plan(even_collective({Kind::AllGather}, Topology::Ring, 5, 3));
    EXPECT_EQ(plan.step_count(), 2);
    for (std::int32_t rank = 0; rank < 5; ++rank) {
        EXPECT_EQ(plan.bytes_on(rank, (rank + 1) % 5), 2 * 3 * 2048_B);
        EXPECT_EQ(plan.bytes_on((rank + 1) % 5, rank), 2 * 3 * 2048_B);
    }
}

TEST(Plan, ring_reduce_scatter_starts_with_half_the_opposite_slice) {
    // Half the slice each way, then whole ones: 3.5 slices per direction in four sends.
    const Plan plan(even_collective({Kind::ReduceScatter}, Topology::Ring, 8, 4));
    EXPECT_EQ(plan.step_count(), 4);
    EXPECT_EQ(plan.step(0)[0], (Transfer{0, 1, 4, 0, 2, 0, Payload::Own}));
    EXPECT_EQ(plan.step(0)[1], (Transfer{0, 7, 4, 2, 2, 1, Payload::Own}));
    EXPECT_EQ(plan.step(1)[0], (Transfer{0, 1, 3, 0, 4, 0, Payload::OwnPlusLanded}));
    EXPECT_EQ(plan.step(3)[1], (Transfer{0, 7, 7, 0, 4, 1, Payload::OwnPlusLanded}));
    EXPECT_EQ(plan.bottleneck_bytes(), 4 * 2048_B * 7 / 2);
}

TEST(Plan, line_reduce_scatter_sends_the_farthest_slice_first) {
    // The end chip starts; each chip joins as soon as the first partial sum reaches it.
    const Plan plan(even_collective({Kind::ReduceScatter}, Topology::Line, 4, 1));
    const ccl::Step first = plan.step(0);
    ASSERT_EQ(first.size(), 2u);
    EXPECT_EQ(first[0], (Transfer{0, 1, 3, 0, 1, 0, Payload::Own}));
    EXPECT_EQ(first[1], (Transfer{3, 2, 0, 0, 1, 1, Payload::Own}));
    ASSERT_EQ(plan.step(1).size(), 4u);
    EXPECT_EQ(plan.step(1)[1], (Transfer{1, 2, 3, 0, 1, 0, Payload::OwnPlusLanded}));
}

TEST(Plan, all_reduce_carries_the_bytes_of_its_two_halves) {
    // all_reduce = reduce_scatter + all_gather, hop by hop, whatever the slices are.
    std::mt19937 random(17);
    for (const Topology topology : ccl_test::kTopologies) {
        for (std::int32_t ranks = 4; ranks <= 12; ranks += 2) {
            Collective part =
                ccl_test::random_collective({Kind::AllReduce}, topology, ranks, random);
            const Plan whole(part);
            part.kind = Kind::ReduceScatter;
            const Plan scatter(part);
            auto sum = scatter.bytes_by_hop();
            part.kind = Kind::AllGather;
            for (const auto& [hop, bytes] : Plan(part).bytes_by_hop()) sum[hop] += bytes;
            EXPECT_EQ(whole.bytes_by_hop(), sum) << ccl_test::name_of(part);
            EXPECT_EQ(whole.gather_phase(), scatter.step_count());
            EXPECT_EQ(whole.step_count(), scatter.step_count() + Plan(part).step_count());
        }
    }
}

TEST(Plan, every_transfer_crosses_one_hop_and_carries_pages) {
    // The fabric only knows neighbours, and an empty message would still cost a latency.
    std::mt19937 random(23);
    for (const Topology topology : ccl_test::kTopologies) {
        for (const ccl_test::Sort sort : ccl_test::kSorts) {
            for (std::int32_t ranks = 2; ranks <= 9; ++ranks) {
                if (!ccl_test::can_be_planned(sort, topology, ranks)) continue;
                const Plan plan(ccl_test::random_collective(sort, topology, ranks, random));
                for (std::int32_t index = 0; index < plan.step_count(); ++index) {
                    for (const Transfer& transfer : plan.step(index)) {
                        const std::int32_t apart = std::abs(transfer.from - transfer.to);
                        const bool wraps = topology == Topology::Ring && apart == ranks - 1;
                        EXPECT_TRUE(apart == 1 || wraps);
                        EXPECT_GT(transfer.pages, 0);
                        EXPECT_LE(transfer.lane, plan.output_lane());
                    }
                }
            }
        }
    }
}

TEST(Plan, all_to_all_sends_the_farthest_chunk_first) {
    // What travels longest leaves first, so that the last arrivals are short ways.
    const Plan plan(even_collective({Kind::AllToAll}, Topology::Line, 3, 1));
    EXPECT_EQ(plan.step(0), (ccl::Step{{0, 1, 2, 0, 1, 0, Payload::Own},
                                       {0, 1, 1, 0, 1, 0, Payload::Own},
                                       {1, 2, 5, 0, 1, 0, Payload::Own},
                                       {1, 0, 3, 0, 1, 0, Payload::Own},
                                       {2, 1, 6, 0, 1, 0, Payload::Own},
                                       {2, 1, 7, 0, 1, 0, Payload::Own}}));
    EXPECT_EQ(plan.step(1), (ccl::Step{{1, 2, 2, 0, 1, 0, Payload::Landed},
                                       {1, 0, 6, 0, 1, 0, Payload::Landed}}));
}

TEST(Plan, broadcast_moves_in_chunks_so_that_hops_pipeline) {
    // 100 pages of 2 KiB are chunks of 42, 42 and 16: the second hop starts after the first chunk.
    Collective collective = even_collective({Kind::Broadcast}, Topology::Line, 4, 100);
    collective.root = 1;
    const Plan plan(collective);
    EXPECT_EQ(plan.step_count(), 4);
    EXPECT_EQ(plan.step(0),
              (ccl::Step{{1, 2, 0, 0, 42, 0, Payload::Own}, {1, 0, 0, 0, 42, 0, Payload::Own}}));
    EXPECT_EQ(plan.step(2), (ccl::Step{{1, 2, 0, 84, 16, 0, Payload::Own},
                                       {2, 3, 0, 42, 42, 0, Payload::Landed},
                                       {1, 0, 0, 84, 16, 0, Payload::Own}}));
    EXPECT_EQ(plan.step(3), (ccl::Step{{2, 3, 0, 84, 16, 0, Payload::Landed}}));
}

TEST(Plan, point_to_point_takes_the_shorter_way_round) {
    // On a ring of eight, 1 to 7 is two hops backward; 1 to 5 ties and goes forward.
    Collective collective = even_collective({Kind::PointToPoint}, Topology::Ring, 8, 1);
    collective.root = 1;
    collective.target = 7;
    const auto backward = Plan(collective).bytes_by_hop();
    EXPECT_EQ(backward.size(), 2u);
    EXPECT_EQ(backward.at({0, 7}), 2048_B);
    collective.target = 5;
    EXPECT_EQ(Plan(collective).bytes_by_hop().size(), 4u);
    EXPECT_EQ(Plan(collective).bytes_on(1, 2), 2048_B);
    collective.topology = Topology::Line;
    collective.target = 0;
    EXPECT_EQ(Plan(collective).step(0), (ccl::Step{{1, 0, 0, 0, 1, 0, Payload::Own}}));
}

TEST(Plan, staging_is_what_lands_beside_the_output) {
    // The memory plan reserves exactly this; gathers land in the output and need nothing.
    const Bytes slice = 4 * 2048_B;
    const auto staging = [](ccl_test::Sort sort, Topology topology) {
        return Plan(even_collective(sort, topology, 4, 4)).staging_bytes();
    };
    EXPECT_EQ(staging({Kind::AllGather}, Topology::Ring), 0_B);
    EXPECT_EQ(staging({Kind::Broadcast}, Topology::Line), 0_B);
    // An inner chip of the line: slices 1..3 from the left, 0..1 from the right.
    EXPECT_EQ(staging({Kind::ReduceScatter}, Topology::Line), slice * 5);
    EXPECT_EQ(staging({Kind::AllReduce}, Topology::Line), slice * 5);
    EXPECT_EQ(staging({Kind::ReduceScatter}, Topology::Ring), slice * 3);
    // Three parts of the own slice, and half a slice passing through each way.
    EXPECT_EQ(staging({Kind::ReduceScatter, Algorithm::Direct}, Topology::Ring), slice * 4);
    EXPECT_EQ(staging({Kind::AllReduce, Algorithm::GatherAndSum}, Topology::Ring), slice * 16);
    // An inner chip passes 0 to 2, 0 to 3 and back.
    EXPECT_EQ(staging({Kind::AllToAll}, Topology::Line), slice * 4);
    EXPECT_EQ(staging({Kind::PointToPoint}, Topology::Line), slice);
}

TEST(Plan, sums_name_the_lanes_that_land) {
    // The ends of a line hear from one side only; a missing lane must not be added.
    const Plan line(even_collective({Kind::ReduceScatter}, Topology::Line, 3, 1));
    EXPECT_EQ(line.lanes(), 2);
    EXPECT_EQ(line.sums(), (std::vector<ccl::Sum>{{0, 0, {ccl::kOwnTerm, 1}},
                                                  {1, 1, {ccl::kOwnTerm, 0, 1}},
                                                  {2, 2, {ccl::kOwnTerm, 0}}}));
    // Every rank adds in the order of the ranks, so that all round alike.
    const Plan gathered(
        even_collective({Kind::AllReduce, Algorithm::GatherAndSum}, Topology::Line, 2, 1));
    EXPECT_EQ(gathered.sums(), (std::vector<ccl::Sum>{{0, 0, {ccl::kOwnTerm, 1}},
                                                      {0, 1, {ccl::kOwnTerm, 1}},
                                                      {1, 0, {0, ccl::kOwnTerm}},
                                                      {1, 1, {0, ccl::kOwnTerm}}}));
    EXPECT_EQ(gathered.gather_phase(), gathered.step_count());
    EXPECT_TRUE(Plan(even_collective({Kind::AllGather}, Topology::Line, 3, 1)).sums().empty());
}

TEST(Plan, empty_slices_make_no_transfers) {
    // Vocabularies and experts do not divide: some ranks own nothing.
    for (const Topology topology : ccl_test::kTopologies) {
        for (const ccl_test::Sort sort : ccl_test::kSorts) {
            const Plan plan(even_collective(sort, topology, 4, 0));
            EXPECT_EQ(plan.bottleneck_bytes(), 0_B);
            for (std::int32_t i = 0; i < plan.step_count(); ++i) EXPECT_TRUE(plan.step(i).empty());
        }
    }
}

TEST(Plan, a_ring_of_two_is_refused) {
    // Two chips have one pair of neighbours; the real stack runs them as a line.
    EXPECT_EQ(refusal(even_collective({Kind::AllGather}, Topology::Ring, 2, 1)),
              "all_gather: ranks: expected at least 3 on a ring, got 2");
    EXPECT_EQ(refusal(even_collective({Kind::AllGather}, Topology::Line, 2, 1)), "");
}

TEST(Plan, an_odd_ring_cannot_reduce_by_hops) {
    // The real reduce-scatter is fatal on it too; the alternatives still work.
    EXPECT_EQ(refusal(even_collective({Kind::ReduceScatter}, Topology::Ring, 5, 1)),
              "reduce_scatter: ranks: expected an even number on a ring, got 5");
    EXPECT_EQ(refusal(even_collective({Kind::AllReduce}, Topology::Ring, 7, 1)),
              "all_reduce: ranks: expected an even number on a ring, got 7");
    EXPECT_EQ(
        refusal(even_collective({Kind::AllReduce, Algorithm::GatherAndSum}, Topology::Ring, 7, 1)),
        "");
    EXPECT_EQ(
        refusal(even_collective({Kind::ReduceScatter, Algorithm::Direct}, Topology::Ring, 5, 1)),
        "");
}

TEST(Plan, bad_slices_are_refused_with_both_numbers) {
    // Sizes come from shapes of a model file; each mistake must be told apart.
    Collective collective = even_collective({Kind::AllToAll}, Topology::Line, 3, 1);
    collective.slice_pages.pop_back();
    EXPECT_EQ(refusal(collective), "all_to_all: slice_pages: expected 9 slices, got 8");
    collective = even_collective({Kind::AllGather}, Topology::Line, 3, 1);
    collective.slice_pages[1] = -4;
    EXPECT_EQ(refusal(collective), "all_gather: slice_pages[1]: expected 0 pages or more, got -4");
    collective.slice_pages[1] = std::int64_t{1} << 62;
    EXPECT_EQ(refusal(collective),
              "all_gather: slice_pages[1]: expected no more than 16 TiB in all slices, got "
              "4611686018427387904");
    collective.slice_pages[1] = 1;
    collective.page = 0_B;
    EXPECT_EQ(refusal(collective), "all_gather: page: expected 1 B to 16 TiB, got 0 B");
}

TEST(Plan, bad_groups_and_ends_are_refused) {
    // A rank outside the group would read another group's chip.
    Collective collective = even_collective({Kind::Broadcast}, Topology::Line, 4, 1);
    collective.root = 4;
    EXPECT_EQ(refusal(collective), "broadcast: root: expected a rank, 0 to 3, got 4");
    collective = even_collective({Kind::PointToPoint}, Topology::Line, 4, 1);
    collective.target = -1;
    EXPECT_EQ(refusal(collective), "point_to_point: target: expected a rank, 0 to 3, got -1");
    collective.target = 0;
    EXPECT_EQ(refusal(collective),
              "point_to_point: target: expected another rank than the root, got 0");
    collective = even_collective({Kind::AllGather}, Topology::Line, 1025, 1);
    EXPECT_EQ(refusal(collective), "all_gather: ranks: expected 1 to 1024, got 1025");
    collective = even_collective({Kind::AllToAll}, Topology::Line, 65, 1);
    EXPECT_EQ(refusal(collective), "all_to_all: ranks: expected 1 to 64, got 65");
    collective = even_collective({Kind::AllGather}, Topology::Line, 4, 1);
    collective.links = 0;
    EXPECT_EQ(refusal(collective), "all_gather: links: expected at least 1, got 0");
    collective = even_collective({Kind::Broadcast}, Topology::Line, 4, 1);
    collective.algorithm = Algorithm::Direct;
    EXPECT_EQ(refusal(collective), "broadcast: algorithm: expected one this kind has, got direct");
}

TEST(Plan, a_step_that_does_not_exist_is_our_own_mistake) {
    // Readers walk 0 to step_count() - 1; anything else is a bug of the reader.
    const Plan plan(even_collective({Kind::AllGather}, Topology::Line, 3, 1));
    EXPECT_THROW(plan.step(2), std::logic_error);
    EXPECT_THROW(plan.step(-1), std::logic_error);
}

}  // namespace

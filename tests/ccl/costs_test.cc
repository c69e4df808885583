#include "ccl/costs.h"

#include <gtest/gtest.h>

#include "tests/ccl/group.h"

namespace {

using ccl::Algorithm;
using ccl::Kind;
using ccl::Movement;
using ccl::PhaseCosts;
using ccl_test::even_collective;
using core::Picoseconds;
using fabric::Topology;
using namespace core::literals;

std::vector<Movement> movements(ccl_test::Sort sort) {
    std::vector<Movement> result;
    for (const ccl::Phase& phase :
         ccl::phases_of(ccl::Plan(even_collective(sort, Topology::Ring, 8, 4)))) {
        result.push_back(phase.movement);
    }
    return result;
}

TEST(Phases, an_all_reduce_has_two_and_a_one_shot_one_goes_straight) {
    // Each phase pays its own setup and barrier.
    EXPECT_EQ(movements({Kind::AllGather}), (std::vector{Movement::Gather}));
    EXPECT_EQ(movements({Kind::AllReduce}), (std::vector{Movement::Reduce, Movement::Gather}));
    EXPECT_EQ(movements({Kind::AllReduce, Algorithm::Direct}),
              (std::vector{Movement::Straight, Movement::Gather}));
    EXPECT_EQ(movements({Kind::AllReduce, Algorithm::GatherAndSum}),
              (std::vector{Movement::Gather}));
    EXPECT_EQ(movements({Kind::AllToAll}), (std::vector{Movement::Straight}));
}

TEST(PhaseCosts, a_slow_adder_slows_the_hop_not_the_wire) {
    // Workers and wire work side by side: the slower of them counts.
    const auto collective = even_collective({Kind::ReduceScatter}, Topology::Line, 8, 100);
    fabric::LinkSpec link = ccl_test::plain_link();
    const Picoseconds wire = PhaseCosts(collective, Movement::Reduce, link).occupied(0, 1, 100);
    EXPECT_EQ(wire, 100 * 2048_B / link.line_rate);
    link.collectives.reduce.line_rate = link.line_rate * 2;
    EXPECT_EQ(PhaseCosts(collective, Movement::Reduce, link).occupied(0, 1, 100), wire);
    link.collectives.reduce.line_rate = 5_GBps;
    EXPECT_EQ(PhaseCosts(collective, Movement::Reduce, link).occupied(0, 1, 100), 2 * wire);
    EXPECT_EQ(PhaseCosts(collective, Movement::Gather, link).occupied(0, 1, 100), wire);
}

TEST(PhaseCosts, sources_beyond_the_second_share_a_hop_at_a_loss) {
    // Of a line of eight only the middle hops are crossed by more than two sources and targets.
    const auto collective = even_collective({Kind::AllToAll}, Topology::Line, 8, 100);
    fabric::LinkSpec link = ccl_test::plain_link();
    link.collectives.straight.sharing_permille = 250;
    const PhaseCosts costs(collective, Movement::Straight, link);
    const Picoseconds wire = 100 * 2048_B / link.line_rate;
    EXPECT_EQ(costs.occupied(0, 1, 100), wire);
    EXPECT_EQ(costs.occupied(1, 2, 100), wire);
    EXPECT_EQ(costs.occupied(2, 3, 100), wire + wire / 4);
    EXPECT_EQ(costs.occupied(3, 4, 100), wire + wire / 2);
    EXPECT_EQ(costs.occupied(4, 3, 100), wire + wire / 2);
    EXPECT_EQ(costs.occupied(6, 5, 100), wire);
    // A ring's four sources per hop and direction count 3.5: the farthest sends half.
    const auto ring = even_collective({Kind::AllToAll}, Topology::Ring, 8, 100);
    EXPECT_EQ(PhaseCosts(ring, Movement::Straight, link).occupied(7, 0, 100),
              wire + wire * 375 / 1000);
}

TEST(PhaseCosts, only_two_chips_alone_are_limited_by_what_they_hand_over) {
    // Four chips pass more through the same routers, so the limit is not the router's.
    fabric::LinkSpec link = ccl_test::plain_link();
    link.collectives.pair_rate = 5_GBps;
    const auto pair = even_collective({Kind::AllGather}, Topology::Line, 2, 100);
    EXPECT_EQ(PhaseCosts(pair, Movement::Gather, link).injection(100), 100 * 2048_B / 5_GBps);
    const auto four = even_collective({Kind::AllGather}, Topology::Line, 4, 100);
    EXPECT_EQ(PhaseCosts(four, Movement::Gather, link).injection(100), Picoseconds{});
    // Two workers below 256 KiB per link, four above.
    link.collectives.pair_worker = 1_GBps;
    EXPECT_EQ(PhaseCosts(pair, Movement::Gather, link).injection(1), 2048_B / 2_GBps);
    const auto large = even_collective({Kind::AllGather}, Topology::Line, 2, 200);
    EXPECT_EQ(PhaseCosts(large, Movement::Gather, link).injection(1), 2048_B / 4_GBps);
}

TEST(PhaseCosts, a_one_shot_sum_beyond_its_window_is_paid) {
    // The switch that makes 512 KiB slower than 1 MiB on a ring of eight.
    fabric::LinkSpec link = ccl_test::plain_link();
    link.collectives.straight.direct_sum = 2_us;
    link.collectives.straight.direct_window = 256_KiB;
    link.collectives.straight.direct_rest = 1_GBps;
    const auto sum = [&](std::int64_t pages) {
        const auto collective =
            even_collective({Kind::ReduceScatter, Algorithm::Direct}, Topology::Ring, 8, pages);
        return PhaseCosts(collective, Movement::Straight, link).sum(pages);
    };
    EXPECT_EQ(sum(16), 2_us);
    EXPECT_EQ(sum(32), 2_us + 256_KiB / 1_GBps);
}

}  // namespace

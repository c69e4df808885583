#include "ccl/carry_out.h"

#include <gtest/gtest.h>

#include "tests/ccl/carriers.h"
#include "tests/ccl/group.h"

namespace {

using ccl::Kind;
using ccl::Plan;
using ccl_test::CountingCarrier;
using ccl_test::IntegerCarrier;
using ccl_test::Sort;
using fabric::Topology;

/// Calls `check` with random collectives of every sort, 2 to 16 ranks.
template <class Check>
void for_random_collectives(std::uint32_t seed, Check check) {
    std::mt19937 random(seed);
    for (std::int32_t ranks = 2; ranks <= 16; ++ranks) {
        for (const Topology topology : ccl_test::kTopologies) {
            for (const Sort sort : ccl_test::kSorts) {
                if (!ccl_test::can_be_planned(sort, topology, ranks)) continue;
                check(ccl_test::random_collective(sort, topology, ranks, random));
            }
        }
    }
}

/// True when the values come out wrong, or something was read that never landed.
bool is_noticed(const Plan& plan, std::int64_t lost) {
    struct Lossy : IntegerCarrier {
        using IntegerCarrier::IntegerCarrier;
        void land(const ccl::Transfer& transfer, const ccl_test::Values& message) {
            if (count++ != lost) IntegerCarrier::land(transfer, message);
        }
        std::int64_t count = 0;
        std::int64_t lost = 0;
    };
    Lossy carrier(plan, 1);
    carrier.lost = lost;
    try {
        carry_out(plan, carrier);
        for (std::int32_t rank = 0; rank < plan.collective().ranks; ++rank) {
            if (carrier.result(rank) != carrier.expected(rank)) return true;
        }
    } catch (const std::exception&) {
        return true;
    }
    return false;
}

TEST(CarryOut, every_rank_ends_with_what_the_collective_means) {
    // The executor copies along these plans: one wrong page is a wrong token later.
    for_random_collectives(20260523, [](const ccl::Collective& collective) {
        SCOPED_TRACE(ccl_test::name_of(collective));
        const Plan plan(collective);
        IntegerCarrier carrier(plan, 7);
        ASSERT_NO_THROW(carry_out(plan, carrier));
        for (std::int32_t rank = 0; rank < collective.ranks; ++rank) {
            EXPECT_EQ(carrier.result(rank), carrier.expected(rank)) << "rank " << rank;
        }
    });
}

TEST(CarryOut, moves_the_bytes_the_plan_counts) {
    // The executor's counter and the plan's must agree for the simulator to be believed.
    for_random_collectives(41522, [](const ccl::Collective& collective) {
        const Plan plan(collective);
        CountingCarrier carrier(collective.page);
        carry_out(plan, carrier);
        EXPECT_EQ(carrier.moved(), plan.bytes_by_hop()) << ccl_test::name_of(collective);
    });
}

TEST(CarryOut, a_lost_transfer_shows_in_the_bytes_and_in_the_values) {
    // A guard that cannot fail guards nothing: drop one transfer at random and be caught.
    std::mt19937 random(3);
    std::int64_t dropped = 0;
    for_random_collectives(99, [&](const ccl::Collective& collective) {
        SCOPED_TRACE(ccl_test::name_of(collective));
        const Plan plan(collective);
        CountingCarrier whole(collective.page);
        carry_out(plan, whole);
        if (whole.transfers() == 0) return;
        const auto lost =
            static_cast<std::int64_t>(random() % static_cast<std::uint32_t>(whole.transfers()));
        CountingCarrier lossy(collective.page, lost);
        carry_out(plan, lossy);
        EXPECT_NE(lossy.moved(), plan.bytes_by_hop());
        EXPECT_TRUE(is_noticed(plan, lost));
        ++dropped;
    });
    EXPECT_GT(dropped, 200);
}

TEST(CarryOut, all_reduce_is_reduce_scatter_then_all_gather) {
    // The real op is composed of the two; so are its values here, page by page.
    std::mt19937 random(11);
    for (const Topology topology : ccl_test::kTopologies) {
        for (const std::int32_t ranks : {4, 8, 10}) {
            const auto whole =
                ccl_test::random_collective({Kind::AllReduce}, topology, ranks, random);
            ccl::Collective scatter = whole;
            scatter.kind = Kind::ReduceScatter;
            ccl::Collective gather = whole;
            gather.kind = Kind::AllGather;
            const Plan whole_plan(whole), scatter_plan(scatter), gather_plan(gather);

            IntegerCarrier reduced(whole_plan, 5), scattered(scatter_plan, 5);
            IntegerCarrier gathered(gather_plan, 6);
            carry_out(whole_plan, reduced);
            carry_out(scatter_plan, scattered);
            for (std::int32_t rank = 0; rank < ranks; ++rank) {
                gathered.set_input(rank, rank, scattered.result(rank).at(rank));
            }
            carry_out(gather_plan, gathered);
            for (std::int32_t rank = 0; rank < ranks; ++rank) {
                EXPECT_EQ(reduced.result(rank), gathered.result(rank)) << ranks << " " << rank;
            }
        }
    }
}

TEST(CarryOut, sums_come_between_the_two_phases) {
    // A gather that started before the sums would relay garbage.
    const Plan plan(ccl_test::even_collective({Kind::AllReduce}, Topology::Line, 4, 2));
    struct Recorder {
        int read(const ccl::Transfer&) { return 0; }
        void land(const ccl::Transfer& transfer, int) {
            log += transfer.lane == output_lane ? 'g' : 'r';
        }
        void finish(const ccl::Sum&) { log += 's'; }
        std::int32_t output_lane = 0;
        std::string log;
    };
    Recorder recorder;
    recorder.output_lane = plan.output_lane();
    carry_out(plan, recorder);
    EXPECT_EQ(recorder.log, std::string(12, 'r') + std::string(4, 's') + std::string(12, 'g'));
}

TEST(CarryOut, a_group_of_one_only_sums_its_own_input) {
    // One chip is a legal tensor-parallel group; its result must still reach the output.
    const Plan plan(ccl_test::even_collective({Kind::AllReduce}, Topology::Line, 1, 3));
    IntegerCarrier carrier(plan, 2);
    carry_out(plan, carrier);
    EXPECT_EQ(carrier.result(0).at(0), carrier.input(0, 0));
}

}  // namespace

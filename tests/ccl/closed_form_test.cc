#include "ccl/closed_form.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <utility>

#include "tests/ccl/group.h"

namespace {

using ccl::Algorithm;
using ccl::bottleneck_closed_form;
using ccl::Kind;
using ccl_test::Sort;
using core::Bytes;
using fabric::Topology;
using namespace core::literals;

/// The bytes the closed form is stated for.
Bytes total_of(const ccl::Collective& collective) {
    std::int64_t slices = collective.ranks;
    if (collective.kind == Kind::Broadcast || collective.kind == Kind::PointToPoint) slices = 1;
    return collective.page * (slices * collective.slice_pages[0]);
}

/// The busiest hop of the steps from `first` to `end`.
Bytes busiest_hop(const ccl::Plan& plan, std::int32_t first, std::int32_t end) {
    std::map<std::pair<std::int32_t, std::int32_t>, Bytes> bytes;
    Bytes most;
    for (std::int32_t index = first; index < end; ++index) {
        for (const ccl::Transfer& transfer : plan.step(index)) {
            Bytes& hop = bytes[{transfer.from, transfer.to}];
            hop += plan.collective().page * transfer.pages;
            most = std::max(most, hop);
        }
    }
    return most;
}

TEST(ClosedForm, published_bottlenecks_come_out) {
    // These four figures are printed in tenstorrent/tt-metal: tech_reports/CCLs, tables of 8 chips.
    const Bytes gather = bottleneck_closed_form(Kind::AllGather, Topology::Ring, 8, 1_MiB);
    EXPECT_EQ(gather, 458752_B);
    EXPECT_EQ(gather * ccl::directions(Topology::Ring), 917504_B);
    EXPECT_EQ(bottleneck_closed_form(Kind::AllGather, Topology::Line, 8, 16_MiB), 14680064_B);
    EXPECT_EQ(bottleneck_closed_form(Kind::AllReduce, Topology::Ring, 8, 16_MiB) * 2, 29360128_B);
    EXPECT_EQ(bottleneck_closed_form(Kind::AllToAll, Topology::Line, 8, 1_MiB), 2097152_B);
}

TEST(ClosedForm, every_plan_of_even_slices_meets_it) {
    // The plans must move the fewest bytes the published formulas allow, at any group size.
    for (const Topology topology : ccl_test::kTopologies) {
        for (const Sort sort : ccl_test::kSorts) {
            for (std::int32_t ranks = 2; ranks <= 64; ++ranks) {
                if (!ccl_test::can_be_planned(sort, topology, ranks)) continue;
                const auto collective = ccl_test::even_collective(sort, topology, ranks, 2);
                const Bytes closed = bottleneck_closed_form(sort.kind, topology, ranks,
                                                            total_of(collective), sort.algorithm);
                const ccl::Plan plan(collective);
                const Bytes phases = busiest_hop(plan, 0, plan.gather_phase()) +
                                     busiest_hop(plan, plan.gather_phase(), plan.step_count());
                EXPECT_EQ(phases.value, closed.value) << ccl_test::name_of(collective);
                if (topology == Topology::Line && sort.kind == Kind::AllReduce) continue;
                EXPECT_EQ(plan.bottleneck_bytes().value, closed.value)
                    << ccl_test::name_of(collective);
            }
        }
    }
}

TEST(ClosedForm, a_line_all_reduce_loads_every_hop_with_the_whole_tensor) {
    // The published figure adds the two phases' busiest hops, which lie at opposite ends.
    const auto collective = ccl_test::even_collective({Kind::AllReduce}, Topology::Line, 8, 2);
    const auto hops = ccl::Plan(collective).bytes_by_hop();
    EXPECT_EQ(hops.size(), 14u);
    for (const auto& [hop, bytes] : hops) EXPECT_EQ(bytes, total_of(collective));
    EXPECT_EQ(bottleneck_closed_form(Kind::AllReduce, Topology::Line, 8, total_of(collective)),
              total_of(collective) * 14 / 8);
}

TEST(ClosedForm, direct_reduce_scatter_sends_over_twice_the_bytes_on_eight_chips) {
    // The one-shot op trades bytes for latency: 8 slices instead of 3.5 per direction.
    const Bytes slice = 1_KiB;
    EXPECT_EQ(bottleneck_closed_form(Kind::ReduceScatter, Topology::Ring, 8, slice * 8),
              slice * 7 / 2);
    EXPECT_EQ(bottleneck_closed_form(Kind::ReduceScatter, Topology::Ring, 8, slice * 8,
                                     Algorithm::Direct),
              slice * 8);
}

TEST(ClosedForm, a_ring_halves_what_a_line_carries) {
    // Both directions of a ring share the work of the one cut of a line.
    for (const Kind kind :
         {Kind::AllGather, Kind::ReduceScatter, Kind::AllReduce, Kind::AllToAll}) {
        const Bytes line = bottleneck_closed_form(kind, Topology::Line, 16, 1_MiB);
        EXPECT_EQ(bottleneck_closed_form(kind, Topology::Ring, 16, 1_MiB) * 2, line);
    }
}

TEST(ClosedForm, one_rank_moves_nothing) {
    // A mesh axis of one chip has no links to count.
    EXPECT_EQ(bottleneck_closed_form(Kind::AllReduce, Topology::Line, 1, 1_MiB), 0_B);
    EXPECT_EQ(bottleneck_closed_form(Kind::Broadcast, Topology::Line, 1, 1_MiB), 0_B);
}

}  // namespace

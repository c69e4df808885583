// Packets around a ring: which traffic locks up, and that a bubble always lets it through.
#include "fabric/flow_control.h"

#include <gtest/gtest.h>

#include <random>

namespace fabric {
namespace {

std::vector<std::vector<Flow>> everyone(std::int32_t ranks, std::int32_t hops,
                                        std::int64_t packets) {
    return std::vector<std::vector<Flow>>(static_cast<std::size_t>(ranks), {{hops, packets}});
}

TEST(FlowControl, neighbours_never_lock_up) {
    EXPECT_TRUE(deadlock_of(everyone(8, 1, 10000), {8, 16}, FabricConfig::Line).empty());
}

TEST(FlowControl, traffic_that_fits_the_buffers_gets_through) {
    EXPECT_TRUE(deadlock_of(everyone(8, 4, 16), {8, 16}, FabricConfig::Line).empty());
}

TEST(FlowControl, a_ring_full_of_passing_packets_locks_up_without_a_bubble) {
    const std::vector<std::int32_t> cycle =
        deadlock_of(everyone(8, 4, 1000), {8, 16}, FabricConfig::Line);
    EXPECT_EQ(cycle, (std::vector<std::int32_t>{0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST(FlowControl, a_line_has_no_cycle) {
    // The last ranks send less far: nothing crosses the link from the last to the first.
    std::vector<std::vector<Flow>> flows = everyone(8, 4, 1000);
    for (std::size_t rank = 0; rank < flows.size(); ++rank) {
        const auto most = static_cast<std::int32_t>(flows.size() - 1 - rank);
        flows[rank].front().hops = std::min(4, std::max(most, 1));
        if (most == 0) flows[rank].clear();
    }
    EXPECT_TRUE(deadlock_of(flows, {8, 16}, FabricConfig::Line).empty());
}

TEST(FlowControl, a_bubble_lets_any_traffic_through) {
    std::mt19937 random(7);
    for (int repeat = 0; repeat < 200; ++repeat) {
        const auto ranks = static_cast<std::size_t>(3 + random() % 14);
        std::vector<std::vector<Flow>> flows(ranks);
        for (std::vector<Flow>& own : flows) {
            for (std::uint32_t i = random() % 4; i > 0; --i) {
                own.push_back({static_cast<std::int32_t>(1 + random() % (ranks - 1)),
                               static_cast<std::int64_t>(random() % 200)});
            }
        }
        const Slots slots{static_cast<std::int32_t>(1 + random() % 8),
                          static_cast<std::int32_t>(2 + random() % 15)};
        EXPECT_TRUE(deadlock_of(flows, slots, FabricConfig::Ring).empty()) << repeat;
    }
}

}  // namespace
}  // namespace fabric

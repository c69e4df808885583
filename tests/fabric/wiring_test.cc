#include "fabric/wiring.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/fabric/fixture.h"

namespace fabric {
namespace {

using core::literals::operator""_B;
using core::literals::operator""_Gbps;

Wiring triangle_with_tail() {
    return {4, {{{0}, {1}, 2}, {{0}, {2}, 1}, {{1}, {2}, 4}, {{2}, {3}, 1}}, {{{0}, {2}, 3}}};
}

TEST(Wiring, links_are_found_from_both_ends) {
    // A cable has no direction; a lookup must not depend on the order of its ends.
    const Wiring wiring = triangle_with_tail();
    EXPECT_EQ(wiring.links_between({0}, {1}), 2);
    EXPECT_EQ(wiring.links_between({1}, {0}), 2);
    EXPECT_EQ(wiring.links_between({2}, {1}), 4);
    EXPECT_EQ(wiring.links_between({0}, {3}), 0);
    EXPECT_EQ(wiring.total_links(), 8);
}

TEST(Wiring, cut_cables_count_as_built_only) {
    // What is down must not carry data, but messages compare with what was built.
    const Wiring wiring = triangle_with_tail();
    EXPECT_EQ(wiring.links_between({2}, {0}), 1);
    EXPECT_EQ(wiring.built_between({2}, {0}), 4);
    EXPECT_EQ(wiring.built_between({1}, {0}), 2);
}

TEST(Wiring, neighbours_are_sorted) {
    // Everything that walks the wiring inherits its order; it must be the same every time.
    EXPECT_EQ(testing::numbers(triangle_with_tail().neighbours({2})),
              (std::vector<std::int32_t>{0, 1, 3}));
    EXPECT_EQ(testing::numbers(triangle_with_tail().neighbours({3})),
              (std::vector<std::int32_t>{2}));
}

LinkSpec wormhole_link(core::Bytes payload) {
    LinkSpec link;
    link.line_rate = 100_Gbps;
    link.packet_payload = payload;
    link.packet_header = 48_B;
    link.ethernet_frame = 1500_B;
    link.ethernet_overhead = 50_B;
    return link;
}

TEST(PayloadRate, a_default_packet_keeps_95_6_percent_of_the_line) {
    // 4400 B are three ethernet packets: 4352 / (4400 + 150) of 12.5 GB/s, rounded down.
    EXPECT_EQ(payload_rate(wormhole_link(4352_B)).value, 12'500'000'000LL * 4352 / 4550);
    EXPECT_NEAR(static_cast<double>(payload_rate(wormhole_link(4352_B)).value) / 12.5e9, 0.956,
                0.0005);
}

TEST(PayloadRate, a_half_packet_keeps_93_3_percent_of_the_line) {
    // 2096 B are two ethernet packets: smaller packets pay more for headers.
    EXPECT_EQ(payload_rate(wormhole_link(2048_B)).value, 12'500'000'000LL * 2048 / 2196);
    EXPECT_NEAR(static_cast<double>(payload_rate(wormhole_link(2048_B)).value) / 12.5e9, 0.933,
                0.0005);
}

TEST(PayloadRate, a_packet_that_just_fills_its_frames_pays_for_no_more) {
    // The frame count is a ceiling: 1452 + 48 is one frame, one byte more is two.
    EXPECT_EQ(payload_rate(wormhole_link(1452_B)).value, 12'500'000'000LL * 1452 / 1550);
    EXPECT_EQ(payload_rate(wormhole_link(1453_B)).value, 12'500'000'000LL * 1453 / 1601);
}

}  // namespace
}  // namespace fabric

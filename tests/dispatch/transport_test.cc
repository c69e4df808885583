#include "dispatch/transport.h"

#include <gtest/gtest.h>

#include <array>

namespace dispatch {
namespace {

using namespace core::literals;

TEST(InProcessTransport, copies_and_counts_every_directed_hop) {
    // The counts are compared with the simulator's per hop and direction.
    InProcessTransport transport(4);
    const std::array<std::byte, 3> from{std::byte{1}, std::byte{2}, std::byte{3}};
    std::array<std::byte, 3> to{};
    transport.move({0, 1}, from, to.data());
    EXPECT_EQ(to, from);
    transport.move({0, 1}, std::span(from).first(2), to.data());
    transport.move({1, 0}, std::span(from).first(1), to.data());
    transport.move({3, 2}, {}, to.data());

    const std::map<fabric::Hop, core::Bytes> expected{{{0, 1}, 5_B}, {{1, 0}, 1_B}};
    EXPECT_EQ(transport.bytes_moved(), expected);  // a hop that carried nothing is absent
}

}  // namespace
}  // namespace dispatch

// The three states of a value along a mesh axis.
#include "tensor/placement.h"

#include <gtest/gtest.h>

using tensor::Placement;

TEST(Placement, a_default_value_is_on_every_chip) {
    // A value nobody placed must not look like a shard or a summand.
    const Placement placement;
    EXPECT_TRUE(placement.is_replicated());
    EXPECT_FALSE(placement.is_partial());
    EXPECT_FALSE(placement.is_sharded());
}

TEST(Placement, shards_of_different_axes_differ) {
    // partition() compares placements to decide whether a collective is needed.
    EXPECT_EQ(Placement::sharded(1), Placement::sharded(1));
    EXPECT_NE(Placement::sharded(1), Placement::sharded(0));
    EXPECT_NE(Placement::partial(), Placement::replicated());
    EXPECT_TRUE(Placement::sharded(3).is_sharded(3));
    EXPECT_FALSE(Placement::sharded(3).is_sharded(2));
    EXPECT_FALSE(Placement::partial().is_sharded(-1));
}

TEST(Placement, its_text_names_the_axis) {
    // Reports print placements next to shapes.
    EXPECT_EQ(Placement::replicated().text(), "Replicated");
    EXPECT_EQ(Placement::sharded(1).text(), "Sharded(1)");
    EXPECT_EQ(Placement::partial().text(), "Partial");
}

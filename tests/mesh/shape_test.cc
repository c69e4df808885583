// The logical grid: row-major numbering, and the groups collectives run in.
#include "mesh/shape.h"

#include <gtest/gtest.h>

#include <set>
#include <stdexcept>

namespace {

using Groups = std::vector<std::vector<std::int32_t>>;

TEST(Shape, text_is_rows_by_columns) {
    // People name meshes this way; a Galaxy is 8x4, not 4x8.
    EXPECT_EQ((mesh::Shape{8, 4}.text()), "8x4");
    EXPECT_EQ((mesh::Shape{}.text()), "1x1");
}

TEST(Shape, index_and_coordinate_are_inverse) {
    // Chips are stored by index and reasoned about by coordinate.
    const mesh::Shape shape{3, 5};
    for (std::int32_t i = 0; i < shape.chips(); ++i) EXPECT_EQ(shape.index(shape.coord(i)), i);
    EXPECT_EQ(shape.index({2, 1}), 11);
}

TEST(Shape, axis_zero_runs_along_the_rows_direction) {
    // ttnn's cluster_axis 0 on a Galaxy has groups of 8, one for each of the 4 columns.
    EXPECT_EQ(mesh::groups_along({3, 2}, 0), (Groups{{0, 2, 4}, {1, 3, 5}}));
    EXPECT_EQ(mesh::groups_along({3, 2}, 1), (Groups{{0, 1}, {2, 3}, {4, 5}}));
    EXPECT_EQ(mesh::groups_along({8, 4}, 0).size(), 4u);
    EXPECT_EQ(mesh::groups_along({8, 4}, 0)[3],
              (std::vector<std::int32_t>{3, 7, 11, 15, 19, 23, 27, 31}));
}

TEST(Shape, groups_of_each_axis_hold_every_chip_once) {
    // A chip in two groups, or in none, would make a collective wrong on odd meshes.
    for (const mesh::Shape shape : {mesh::Shape{1, 1}, mesh::Shape{1, 8}, mesh::Shape{5, 3}}) {
        for (const int axis : {0, 1}) {
            std::set<std::int32_t> seen;
            for (const auto& group : mesh::groups_along(shape, axis)) {
                EXPECT_EQ(static_cast<std::int32_t>(group.size()), shape.extent(axis));
                for (const std::int32_t chip : group) EXPECT_TRUE(seen.insert(chip).second);
            }
            EXPECT_EQ(static_cast<std::int32_t>(seen.size()), shape.chips());
        }
    }
}

TEST(Shape, a_third_axis_breaks_our_rule) {
    // Meshes are two-dimensional; a silent axis 2 would be taken for axis 1.
    EXPECT_THROW(mesh::groups_along({2, 2}, 2), std::logic_error);
    EXPECT_THROW(mesh::groups_along({0, 2}, 0), std::logic_error);
}

}  // namespace

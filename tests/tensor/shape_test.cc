// Shapes: views as a matrix, and the checks that stand between hostile files and arithmetic.
#include "tensor/shape.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "core/error.h"

using tensor::Shape;

TEST(Shape, views_itself_as_a_matrix) {
    // read_rows and the tile counts are written against rows, cols and outer.
    const Shape shape{2, 3, 5, 7};
    EXPECT_EQ(shape.rank(), 4);
    EXPECT_EQ(shape.elements(), 210);
    EXPECT_EQ(shape.rows(), 30);
    EXPECT_EQ(shape.cols(), 7);
    EXPECT_EQ(shape.outer(), 6);
    EXPECT_EQ(shape[-2], 5);
    EXPECT_EQ(shape[1], 3);
}

TEST(Shape, of_few_axes_has_one_row) {
    // Norm weights are rank 1 and scalars rank 0; both are one row of the matrix view.
    EXPECT_EQ(Shape({64}).rows(), 1);
    EXPECT_EQ(Shape({64}).cols(), 64);
    EXPECT_EQ(Shape({64}).outer(), 1);
    EXPECT_EQ(Shape().elements(), 1);
    EXPECT_EQ(Shape().cols(), 1);
}

TEST(Shape, compares_by_rank_and_extents) {
    // A trace replayed with another shape is an error, and this is how it is seen.
    EXPECT_EQ(Shape({1, 64}), Shape({1, 64}));
    EXPECT_NE(Shape({1, 64}), Shape({64}));
    EXPECT_EQ(Shape({32, 4096}).text(), "[32, 4096]");
    EXPECT_EQ(Shape().text(), "[]");
}

TEST(Shape, set_changes_one_axis) {
    // Sharding divides one extent and keeps the rest.
    Shape shape{8, 32, 128};
    shape.set(-2, 4);
    EXPECT_EQ(shape, Shape({8, 4, 128}));
}

TEST(Shape, of_six_axes_is_refused_with_the_shape_in_the_message) {
    // A checkpoint can hold any rank; the user needs to see which shape it was.
    try {
        const Shape shape{1, 2, 3, 4, 5, 6};
        FAIL() << shape.text();
    } catch (const core::Error& error) {
        EXPECT_NE(error.message().find("[1, 2, 3, 4, 5, 6]"), std::string::npos);
    }
}

TEST(Shape, with_a_negative_or_overflowing_extent_is_refused) {
    // The product of extents in a file must not wrap into a small allocation.
    EXPECT_THROW(Shape({4, -1}), core::Error);
    const std::vector<std::int64_t> huge = {std::int64_t{1} << 40, std::int64_t{1} << 40};
    EXPECT_THROW(Shape{std::span<const std::int64_t>(huge)}, core::Error);
    const std::vector<std::int64_t> hidden = {std::int64_t{1} << 40, std::int64_t{1} << 40, 0};
    EXPECT_THROW(Shape{std::span<const std::int64_t>(hidden)}, core::Error);
    EXPECT_EQ(Shape({0, 5}).elements(), 0);
}

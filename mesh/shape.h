// The logical grid of chips: rows x cols, row-major. Axis 0 runs along the rows direction
// (vertical, 8 long on a Galaxy), axis 1 along the columns, as ttnn's cluster_axis.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "core/ids.h"

namespace mesh {

/// A physical chip, numbered as the system's cluster descriptor numbers it.
using ChipId = core::Id<struct ChipTag>;

struct Coord {
    std::int32_t row = 0;
    std::int32_t col = 0;
    constexpr auto operator<=>(const Coord&) const = default;
};

struct Shape {
    std::int32_t rows = 1;
    std::int32_t cols = 1;
    constexpr bool operator==(const Shape&) const = default;

    constexpr std::int32_t chips() const { return rows * cols; }
    constexpr std::int32_t extent(int axis) const { return axis == 0 ? rows : cols; }
    constexpr std::int32_t index(Coord at) const { return at.row * cols + at.col; }
    constexpr Coord coord(std::int32_t index) const { return {index / cols, index % cols}; }
    /// "8x4".
    std::string text() const;
};

/// The chips (row-major indices) of each group along `axis`, in coordinate order;
/// one group per coordinate of the other axis.
std::vector<std::vector<std::int32_t>> groups_along(Shape shape, int axis);

}  // namespace mesh

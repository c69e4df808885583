#include "mesh/shape.h"

#include "core/error.h"

namespace mesh {

std::string Shape::text() const { return std::to_string(rows) + "x" + std::to_string(cols); }

std::vector<std::vector<std::int32_t>> groups_along(Shape shape, int axis) {
    core::require(axis == 0 || axis == 1, "a mesh has the axes 0 and 1");
    core::require(shape.rows > 0 && shape.cols > 0, "a mesh has at least one row and one column");
    std::vector<std::vector<std::int32_t>> groups;
    for (std::int32_t other = 0; other < shape.extent(1 - axis); ++other) {
        std::vector<std::int32_t>& group = groups.emplace_back();
        for (std::int32_t along = 0; along < shape.extent(axis); ++along) {
            group.push_back(shape.index(axis == 0 ? Coord{along, other} : Coord{other, along}));
        }
    }
    return groups;
}

}  // namespace mesh

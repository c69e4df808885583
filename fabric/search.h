// Backtracking search for a grid of chips in the wiring, row by row.
// Invariant: at most 64 chips (one machine word of places) and a fixed number of steps, so that a
// hostile wiring ends the search instead of hanging it. Deterministic.
// Not for use outside this room.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "fabric/system.h"

namespace fabric {

/// Chips of `shape` in row-major order, all from `chips` (ascending); nullopt when there is no
/// such grid, or none was found within the bound.
std::optional<std::vector<ChipId>> search_layout(const Wiring& wiring,
                                                 const std::vector<ChipId>& chips,
                                                 mesh::Shape shape, std::array<bool, 2> wraps);

}  // namespace fabric

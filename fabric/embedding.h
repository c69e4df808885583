// Lays a logical grid on the wiring: which physical chip takes which place.
// Invariant: neighbours of the grid are joined by a live link, and so are last and first along
// the axes asked to wrap. Deterministic; the search is bounded in steps and to 64 chips.
// Not for use outside this room.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fabric/system.h"

namespace fabric {

using Wraps = std::array<bool, 2>;

/// Pairs of neighbours in `layout` without a live link; stops after `most` of them.
std::vector<Edge> missing_links(const Wiring& wiring, const MeshOption& layout,
                                std::size_t most = SIZE_MAX);

/// Axes along which every group has a live last-first link; never an axis of two chips.
Wraps wired_wraps(const Wiring& wiring, const MeshOption& layout);

/// The listed layout, turned around its rings or transposed so that no needed link is missing.
std::optional<MeshOption> turned(const Wiring& wiring, const MeshOption& listed);

/// The chips that may take part in a mesh: those of the first listed mesh, or all.
std::vector<ChipId> mesh_chips(const System& system);

/// Any layout of `shape`, with as many wrapped axes as the wiring has: parts of the listed meshes
/// first, then a search.
std::optional<MeshOption> find_layout(const System& system, mesh::Shape shape);

/// The shapes a system without listed meshes is opened as, laid out: 1xN and 2xN/2 up to eight
/// chips, the squarest grid above. Empty when the wiring carries none of them.
std::vector<MeshOption> usual_meshes(const System& system);

/// Groups of chips that reach each other, each ascending.
std::vector<std::vector<ChipId>> connected_groups(const Wiring& wiring,
                                                  const std::vector<ChipId>& chips);

}  // namespace fabric

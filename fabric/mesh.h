// A logical mesh mapped onto the wiring: what collectives and the executor see.
// Invariant: neighbours along an axis are joined by at least one link, or the mesh does not exist.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "fabric/system.h"

namespace fabric {

enum class Topology { Line, Ring };

/// Off: what crosses a stopped router never arrives, and a pair whose cables are all cut is no
/// pair. WhatIf: the mesh is laid as it was built, and what would cross such a pair takes the
/// shortest way around it; no release does that (tenstorrent/tt-metal #52859 plans it).
enum class Rerouting { Off, WhatIf };

struct Mesh {
    System system;
    mesh::Shape shape;
    std::vector<ChipId> chips;            // physical chip of each row-major index
    std::array<bool, 2> wrap_wired{};     // every group of the axis has a direct last-first link
    std::array<std::int32_t, 2> links{};  // usable links per axis for collectives, after dispatch's
                                          // share; 0 along an axis of one chip
    /// The system's own, then this mesh's: "ring 1x8: no link between chip 5 and chip 4; line is
    /// used".
    std::vector<std::string> problems;
    Rerouting rerouting = Rerouting::Off;

    std::int32_t chip_count() const { return shape.chips(); }
};

/// A "no": the shape cannot be laid on the wiring (texts name the pair and the counts).
struct MeshFailure {
    std::vector<std::string> problems;
};

/// `spec`: NAME | NAME:RxC | FILE | FILE:RxC. A shape that is not among the system's own options is
/// searched on the wiring (rows and columns joined by direct links, rings preferred).
/// Throws core::Error for bad input; returns MeshFailure when the mesh falls apart.
std::variant<Mesh, MeshFailure> open_mesh(const Catalog& catalog, std::string_view spec,
                                          Rerouting rerouting = Rerouting::Off);
std::variant<Mesh, MeshFailure> map_mesh(const System& system, std::optional<mesh::Shape> shape,
                                         Rerouting rerouting = Rerouting::Off);

/// The part of `mesh` with the given rows and columns (consecutive), wraps re-examined.
Mesh sub_mesh(const Mesh& mesh, mesh::Coord first, mesh::Shape shape);

/// Pairs of an axis that was built as a ring and has lost the link that closes it: "no link between
/// chip 5 and chip 4"; empty for rings, and for lines that were built as lines.
std::vector<std::string> broken_wraps(const Mesh& mesh, int axis);

/// Ring or line along `axis`. Extent 2 is never a ring; a ring asked for on an axis whose wrap is
/// not wired becomes a line, as tt-metal's get_usable_topology (ccl_common.cpp, PR #56235) does.
Topology usable_topology(const Mesh& mesh, int axis, Topology requested);

}  // namespace fabric

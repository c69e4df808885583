#include "fabric/mesh.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "core/error.h"
#include "fabric/embedding.h"
#include "fabric/loading.h"

namespace fabric {
namespace {

constexpr const char* kDoesNotFit =
    "Graph specified in MGD could not fit in the discovered physical topology";

/// Two chips of a mesh that exchange data directly, in the order a message names them.
struct Pair {
    ChipId from;
    ChipId to;
};

/// Every hop along `axis`, last to first included when it is wired.
std::vector<Pair> hops_along(const Mesh& mesh, int axis) {
    std::vector<Pair> hops;
    const auto chip = [&](std::int32_t index) {
        return mesh.chips[static_cast<std::size_t>(index)];
    };
    for (const std::vector<std::int32_t>& group : mesh::groups_along(mesh.shape, axis)) {
        for (std::size_t i = 0; i + 1 < group.size(); ++i) {
            hops.push_back({chip(group[i]), chip(group[i + 1])});
        }
        if (mesh.wrap_wired[static_cast<std::size_t>(axis)]) {
            hops.push_back({chip(group.back()), chip(group.front())});
        }
    }
    return hops;
}

/// tt-metal get_num_links: ttnn/cpp/ttnn/operations/ccl/common/host/moe_utils.cpp, tree of
/// 2026-05-23. The fewest links of any hop; one is dispatch's where chips are not on PCIe.
std::int32_t usable_links(const Mesh& mesh, int axis) {
    const std::vector<Pair> hops = hops_along(mesh, axis);
    if (hops.empty()) return 0;
    std::int32_t fewest = kMaxLinks;
    for (const Pair& hop : hops) {
        fewest = std::min(fewest, mesh.system.wiring.links_between(hop.from, hop.to));
    }
    if (const std::int32_t planes = mesh.system.link.routing_planes; planes > 0) {
        fewest = std::min(fewest, planes);
    }
    const std::vector<ChipId>& mmio = mesh.system.mmio_chips;
    const bool all_mmio = std::all_of(mesh.chips.begin(), mesh.chips.end(), [&](ChipId chip) {
        return std::find(mmio.begin(), mmio.end(), chip) != mmio.end();
    });
    return std::max(fewest - (all_mmio ? 0 : 1), 1);
}

/// "ring 1x8: no link between chip 5 and chip 4; line is used", for a ring that was built.
void note_broken_ring(Mesh& mesh, int axis) {
    const std::vector<std::string> broken = broken_wraps(mesh, axis);
    if (broken.empty()) return;
    const bool flat = mesh.shape.extent(1 - axis) == 1;
    mesh.problems.push_back(fmt::format("ring {}{}: {}; line is used", mesh.shape.text(),
                                        flat ? "" : fmt::format(" axis {}", axis),
                                        fmt::join(broken, ", ")));
}

/// Pairs of the mesh with fewer live links than the system is built with.
std::vector<std::string> degraded_pairs(const Mesh& mesh) {
    std::vector<std::string> result;
    const std::int32_t expected = mesh.system.expected_links;
    for (const int axis : {1, 0}) {
        for (const Pair& hop : hops_along(mesh, axis)) {
            const std::int32_t live = mesh.system.wiring.links_between(hop.from, hop.to);
            if (live >= expected) continue;
            result.push_back(
                fmt::format("chip {} - chip {}: requires {} channels, physical edge only has {}",
                            hop.from.value, hop.to.value, expected, live));
        }
    }
    return result;
}

/// Everything a mesh knows beside its chips. Requires: neighbours are joined.
Mesh describe(const System& system, const MeshOption& layout) {
    Mesh mesh;
    mesh.system = system;
    mesh.shape = layout.shape;
    mesh.chips = layout.chips;
    mesh.wrap_wired = wired_wraps(system.wiring, layout);
    mesh.problems = system.problems;
    for (const int axis : {0, 1}) {
        mesh.links[static_cast<std::size_t>(axis)] = usable_links(mesh, axis);
        note_broken_ring(mesh, axis);
    }
    for (std::string& text : degraded_pairs(mesh)) mesh.problems.push_back(std::move(text));
    return mesh;
}

MeshFailure failure(const System& system, std::string_view reason) {
    MeshFailure result;
    result.problems.push_back(fmt::format("{}: {}", kDoesNotFit, reason));
    result.problems.insert(result.problems.end(), system.problems.begin(), system.problems.end());
    return result;
}

std::string group_text(const std::vector<ChipId>& group) {
    std::vector<std::int32_t> numbers;
    for (const ChipId chip : group) numbers.push_back(chip.value);
    return fmt::format("{{{}}}", fmt::join(numbers, ", "));
}

/// The reason why nothing of this shape is to be found, with what is missing.
MeshFailure explain(const System& system, mesh::Shape shape, const MeshOption* listed) {
    const std::vector<ChipId> chips = mesh_chips(system);
    if (static_cast<std::size_t>(shape.chips()) > chips.size()) {
        return failure(system, fmt::format("{} needs {} chips, {} has {}", shape.text(),
                                           shape.chips(), system.name, chips.size()));
    }
    MeshFailure result;
    const auto groups = connected_groups(system.wiring, chips);
    if (groups.size() > 1) {
        std::vector<std::string> texts;
        for (const auto& group : groups) texts.push_back(group_text(group));
        result = failure(
            system, fmt::format("no links between the chip groups {}", fmt::join(texts, " and ")));
    } else {
        result = failure(
            system, fmt::format("no {} of directly linked chips {} the wiring of {}", shape.text(),
                                chips.size() > 64 ? "found (beyond 64 chips only "
                                                    "parts of listed meshes are) in"
                                                  : "in",
                                system.name));
    }
    if (listed == nullptr) return result;
    for (const Edge& pair : missing_links(system.wiring, *listed)) {
        result.problems.push_back(fmt::format("{}: no link between chip {} and chip {}",
                                              shape.text(), pair.a.value, pair.b.value));
    }
    return result;
}

/// Pairs whose cables are all cut are there again, with a router that stands still.
System as_built(System system) {
    Wiring& wiring = system.wiring;
    for (const Edge& cut : wiring.cut) {
        if (wiring.links_between(cut.a, cut.b) > 0) continue;
        const auto place = std::upper_bound(
            wiring.edges.begin(), wiring.edges.end(), cut,
            [](const Edge& x, const Edge& y) { return std::pair(x.a, x.b) < std::pair(y.a, y.b); });
        wiring.edges.insert(place, cut);
        wiring.stopped.push_back({cut.a, cut.b});
    }
    std::erase_if(wiring.cut,
                  [&](const Edge& cut) { return wiring.stopped_between(cut.a, cut.b) != nullptr; });
    return system;
}

std::variant<Mesh, MeshFailure> check_strict(Mesh mesh) {
    if (mesh.system.reliability != ReliabilityMode::Strict) return mesh;
    const std::vector<std::string> degraded = degraded_pairs(mesh);
    if (degraded.empty()) return mesh;
    MeshFailure result = failure(mesh.system, degraded.front());
    result.problems.insert(result.problems.end(), degraded.begin() + 1, degraded.end());
    return result;
}

const MeshOption* find_listed(const System& system, mesh::Shape shape) {
    for (const MeshOption& option : system.meshes) {
        if (option.shape == shape) return &option;
    }
    return nullptr;
}

/// "NAME:RxC" as name and shape; a colon inside a file name stays where it is.
struct MeshName {
    std::string system;
    std::optional<mesh::Shape> shape;
};

MeshName parse_mesh_name(std::string_view spec) {
    const std::size_t colon = spec.rfind(':');
    if (colon == std::string_view::npos) return {std::string(spec), std::nullopt};
    std::error_code ignored;
    if (std::filesystem::is_regular_file(spec, ignored)) return {std::string(spec), std::nullopt};
    const std::optional<mesh::Shape> shape = parse_shape(spec.substr(colon + 1));
    if (!shape) {
        throw core::Error::mismatch("mesh", fmt::format("\"{}\"", spec),
                                    "NAME or NAME:ROWSxCOLUMNS",
                                    fmt::format("\"{}\"", spec.substr(colon + 1)))
            .hint("for example t3k:2x4");
    }
    return {std::string(spec.substr(0, colon)), shape};
}

}  // namespace

std::variant<Mesh, MeshFailure> map_mesh(const System& given, std::optional<mesh::Shape> requested,
                                         Rerouting rerouting) {
    const System system = rerouting == Rerouting::WhatIf ? as_built(given) : given;
    if (!requested && system.meshes.empty()) {
        return explain(system, {1, system.wiring.chips}, nullptr);
    }
    const mesh::Shape shape = requested ? *requested : system.meshes.front().shape;
    core::require(shape.rows >= 1 && shape.cols >= 1, "a mesh has rows and columns");
    const MeshOption* listed = find_listed(system, shape);
    std::optional<MeshOption> layout;
    if (listed != nullptr) layout = turned(system.wiring, *listed);
    if (!layout) layout = find_layout(system, shape);
    if (!layout) return explain(system, shape, listed);
    Mesh mesh = describe(system, *layout);
    if (listed != nullptr && layout->chips != listed->chips) {
        const Edge pair = missing_links(system.wiring, *listed, 1).front();
        mesh.problems.push_back(
            fmt::format("{}: no link between chip {} and chip {}; chips are laid out anew",
                        shape.text(), pair.a.value, pair.b.value));
    }
    mesh.rerouting = rerouting;
    return check_strict(std::move(mesh));
}

std::variant<Mesh, MeshFailure> open_mesh(const Catalog& catalog, std::string_view spec,
                                          Rerouting rerouting) {
    const MeshName name = parse_mesh_name(spec);
    return map_mesh(load_system(catalog, name.system), name.shape, rerouting);
}

Mesh sub_mesh(const Mesh& mesh, mesh::Coord first, mesh::Shape shape) {
    core::require(first.row >= 0 && first.col >= 0 && shape.rows >= 1 && shape.cols >= 1 &&
                      first.row + shape.rows <= mesh.shape.rows &&
                      first.col + shape.cols <= mesh.shape.cols,
                  "a part of a mesh lies within it");
    MeshOption layout{shape, {}};
    for (std::int32_t i = 0; i < shape.chips(); ++i) {
        const mesh::Coord at = shape.coord(i);
        const std::int32_t index = mesh.shape.index({first.row + at.row, first.col + at.col});
        layout.chips.push_back(mesh.chips[static_cast<std::size_t>(index)]);
    }
    Mesh part = describe(mesh.system, layout);
    part.rerouting = mesh.rerouting;
    return part;
}

std::vector<std::string> broken_wraps(const Mesh& mesh, int axis) {
    std::vector<std::string> broken;
    if (mesh.shape.extent(axis) < 3 || mesh.wrap_wired[static_cast<std::size_t>(axis)]) {
        return broken;
    }
    for (const std::vector<std::int32_t>& group : mesh::groups_along(mesh.shape, axis)) {
        const ChipId last = mesh.chips[static_cast<std::size_t>(group.back())];
        const ChipId first = mesh.chips[static_cast<std::size_t>(group.front())];
        if (mesh.system.wiring.built_between(last, first) == 0) return {};
        if (mesh.system.wiring.links_between(last, first) == 0) {
            broken.push_back(
                fmt::format("no link between chip {} and chip {}", last.value, first.value));
        }
    }
    return broken;
}

Topology usable_topology(const Mesh& mesh, int axis, Topology requested) {
    core::require(axis == 0 || axis == 1, "a mesh has two axes");
    const bool closes =
        mesh.shape.extent(axis) > 2 && mesh.wrap_wired[static_cast<std::size_t>(axis)];
    return requested == Topology::Ring && closes ? Topology::Ring : Topology::Line;
}

}  // namespace fabric

#include "fabric/embedding.h"

#include <algorithm>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/connected_components.hpp>
#include <utility>

#include "fabric/search.h"

namespace fabric {
namespace {

std::size_t wrap_count(Wraps wraps) {
    return static_cast<std::size_t>(std::count(wraps.begin(), wraps.end(), true));
}

MeshOption transposed(const MeshOption& layout) {
    MeshOption result{{layout.shape.cols, layout.shape.rows}, {}};
    for (std::int32_t i = 0; i < result.shape.chips(); ++i) {
        const mesh::Coord at = result.shape.coord(i);
        result.chips.push_back(
            layout.chips[static_cast<std::size_t>(layout.shape.index({at.col, at.row}))]);
    }
    return result;
}

/// The part of `layout` from `first` on, going around the edges.
MeshOption part(const MeshOption& layout, mesh::Coord first, mesh::Shape shape) {
    MeshOption result{shape, {}};
    for (std::int32_t i = 0; i < shape.chips(); ++i) {
        const mesh::Coord at = shape.coord(i);
        const mesh::Coord from{(first.row + at.row) % layout.shape.rows,
                               (first.col + at.col) % layout.shape.cols};
        result.chips.push_back(layout.chips[static_cast<std::size_t>(layout.shape.index(from))]);
    }
    return result;
}

/// The best part of `layout` with the given shape: most wraps, the first among equals.
void keep_best_part(const Wiring& wiring, const MeshOption& layout, mesh::Shape shape,
                    std::optional<MeshOption>& best) {
    if (shape.rows > layout.shape.rows || shape.cols > layout.shape.cols) return;
    for (std::int32_t i = 0; i < layout.shape.chips(); ++i) {
        MeshOption candidate = part(layout, layout.shape.coord(i), shape);
        if (!missing_links(wiring, candidate, 1).empty()) continue;
        if (!best ||
            wrap_count(wired_wraps(wiring, candidate)) > wrap_count(wired_wraps(wiring, *best))) {
            best = std::move(candidate);
        }
    }
}

/// Wrapped axes to try, the most demanding first. Extents below three never wrap.
std::vector<Wraps> wraps_to_try(mesh::Shape shape) {
    const bool rows = shape.rows > 2;
    const bool cols = shape.cols > 2;
    std::vector<Wraps> result;
    if (rows && cols) result.push_back({true, true});
    if (rows && (!cols || shape.rows >= shape.cols)) result.push_back({true, false});
    if (cols) result.push_back({false, true});
    if (rows && cols && shape.rows < shape.cols) result.push_back({true, false});
    result.push_back({false, false});
    return result;
}

}  // namespace

std::vector<Edge> missing_links(const Wiring& wiring, const MeshOption& layout, std::size_t most) {
    std::vector<Edge> missing;
    for (std::int32_t i = 0; i < layout.shape.chips() && missing.size() < most; ++i) {
        const mesh::Coord at = layout.shape.coord(i);
        const ChipId chip = layout.chips[static_cast<std::size_t>(i)];
        const auto need = [&](mesh::Coord neighbour) {
            const ChipId other =
                layout.chips[static_cast<std::size_t>(layout.shape.index(neighbour))];
            if (wiring.links_between(chip, other) == 0) missing.push_back({chip, other, 0});
        };
        if (at.col + 1 < layout.shape.cols) need({at.row, at.col + 1});
        if (at.row + 1 < layout.shape.rows) need({at.row + 1, at.col});
    }
    return missing;
}

Wraps wired_wraps(const Wiring& wiring, const MeshOption& layout) {
    Wraps wraps{};
    for (const int axis : {0, 1}) {
        if (layout.shape.extent(axis) < 3) continue;
        const auto groups = mesh::groups_along(layout.shape, axis);
        wraps[static_cast<std::size_t>(axis)] =
            std::all_of(groups.begin(), groups.end(), [&](const auto& group) {
                return wiring.links_between(layout.chips[static_cast<std::size_t>(group.front())],
                                            layout.chips[static_cast<std::size_t>(group.back())]) >
                       0;
            });
    }
    return wraps;
}

std::optional<MeshOption> turned(const Wiring& wiring, const MeshOption& listed) {
    if (missing_links(wiring, listed, 1).empty()) return listed;
    std::optional<MeshOption> best;
    keep_best_part(wiring, listed, listed.shape, best);
    return best;
}

std::vector<ChipId> mesh_chips(const System& system) {
    std::vector<ChipId> chips;
    if (!system.meshes.empty()) {
        chips = system.meshes.front().chips;
    } else {
        for (std::int32_t i = 0; i < system.wiring.chips; ++i) chips.push_back({i});
    }
    std::sort(chips.begin(), chips.end());
    return chips;
}

std::optional<MeshOption> find_layout(const System& system, mesh::Shape shape) {
    const std::vector<ChipId> chips = mesh_chips(system);
    if (static_cast<std::size_t>(shape.chips()) > chips.size()) return std::nullopt;
    std::optional<MeshOption> best;
    for (const MeshOption& listed : system.meshes) {
        keep_best_part(system.wiring, listed, shape, best);
        keep_best_part(system.wiring, transposed(listed), shape, best);
    }
    const std::size_t have = best ? wrap_count(wired_wraps(system.wiring, *best)) : 0;
    for (const Wraps wraps : wraps_to_try(shape)) {
        if (best && wrap_count(wraps) <= have) break;
        if (auto order = search_layout(system.wiring, chips, shape, wraps)) {
            return MeshOption{shape, std::move(*order)};
        }
    }
    return best;
}

std::vector<MeshOption> usual_meshes(const System& system) {
    const std::int32_t chips = system.wiring.chips;
    std::vector<mesh::Shape> shapes;
    if (chips <= 8) {
        shapes.push_back({1, chips});
        if (chips >= 4 && chips % 2 == 0) shapes.push_back({2, chips / 2});
    } else {
        for (std::int32_t cols = 1; cols * cols <= chips; ++cols) {
            if (chips % cols == 0) shapes.insert(shapes.begin(), {chips / cols, cols});
        }
    }
    std::vector<MeshOption> meshes;
    for (const mesh::Shape shape : shapes) {
        if (auto layout = find_layout(system, shape)) {
            meshes.push_back(std::move(*layout));
            if (chips > 8) break;
        }
    }
    return meshes;
}

std::vector<std::vector<ChipId>> connected_groups(const Wiring& wiring,
                                                  const std::vector<ChipId>& chips) {
    boost::adjacency_list<boost::vecS, boost::vecS, boost::undirectedS> graph(chips.size());
    for (std::size_t a = 0; a < chips.size(); ++a) {
        for (std::size_t b = a + 1; b < chips.size(); ++b) {
            if (wiring.links_between(chips[a], chips[b]) > 0) boost::add_edge(a, b, graph);
        }
    }
    std::vector<std::size_t> component(chips.size());
    std::vector<std::vector<ChipId>> groups(boost::connected_components(graph, component.data()));
    for (std::size_t i = 0; i < chips.size(); ++i) groups[component[i]].push_back(chips[i]);
    for (std::vector<ChipId>& group : groups) std::sort(group.begin(), group.end());
    return groups;
}

}  // namespace fabric

// Our own system files: topologies/systems/*.yaml and what users write in the same form.
// Invariant: a cable is known to both of its ends. Notation: topologies/README.md.

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/error.h"
#include "fabric/embedding.h"
#include "fabric/link_keys.h"
#include "fabric/loading.h"

namespace fabric {
namespace {

constexpr std::size_t kMaxChipCount = static_cast<std::size_t>(kMaxChips);

/// A file with `base: NAME` is that system's file with the keys given here put in its place.
YAML::Node with_base(const Catalog& catalog, const Entry& root, int depth) {
    constexpr int kDeepest = 8;
    const std::optional<Entry> base = root.find("base");
    if (!base) return root.node();
    if (depth == kDeepest) base->fail("a chain of at most 8 files", "a longer one");
    const std::vector<std::string> names = system_names(catalog);
    const std::string name = lower_case(base->text());
    if (std::find(names.begin(), names.end(), name) == names.end()) {
        base->fail(fmt::format("one of {}", fmt::join(names, ", ")), base->found());
    }
    const Entry parent = Entry::open(catalog.folder / "systems" / (name + ".yaml"));
    YAML::Node merged = YAML::Clone(with_base(catalog, parent, depth + 1));
    for (const auto& [key, value] : root.fields()) {
        if (key != "base") merged[key] = value.node();
    }
    return merged;
}

ChipId chip_at(const Entry& entry, std::int32_t chips) { return {entry.int32(0, chips - 1)}; }

void check_distinct(const Entry& list, const std::vector<ChipId>& chips) {
    std::set<ChipId> seen;
    for (const ChipId chip : chips) {
        if (!seen.insert(chip).second) {
            list.fail("every chip once", fmt::format("chip {} twice", chip.value));
        }
    }
}

/// `grid: [rows, cols]` numbers chips row by row; a list of rows names them.
std::optional<MeshOption> read_grid(const Entry& root) {
    const std::optional<Entry> entry = root.find("grid");
    if (!entry) return std::nullopt;
    MeshOption grid;
    const std::vector<Entry> rows = entry->items(1, kMaxChipCount);
    if (!rows.front().is_list()) {
        entry->items(2, 2);
        grid.shape.rows = rows[0].int32(1, kMaxChips);
        grid.shape.cols = rows[1].int32(1, kMaxChips / grid.shape.rows);
        for (std::int32_t i = 0; i < grid.shape.chips(); ++i) grid.chips.push_back({i});
        return grid;
    }
    const std::size_t cols = rows.front().items(1, kMaxChipCount / rows.size()).size();
    for (const Entry& row : rows) {
        for (const Entry& chip : row.items(cols, cols)) {
            grid.chips.push_back(chip_at(chip, kMaxChips));
        }
    }
    grid.shape = {static_cast<std::int32_t>(rows.size()), static_cast<std::int32_t>(cols)};
    check_distinct(*entry, grid.chips);
    return grid;
}

std::array<bool, 2> read_wraps(const Entry& root, const std::optional<MeshOption>& grid) {
    const std::optional<Entry> entry = root.find("wrap");
    if (!entry) return {};
    const std::string text = entry->text();
    if (text != "none" && text != "x" && text != "y" && text != "xy") {
        entry->fail("none, x, y or xy", entry->found());
    }
    const std::array<bool, 2> wraps{text == "y" || text == "xy", text == "x" || text == "xy"};
    const mesh::Shape shape = grid ? grid->shape : mesh::Shape{};
    for (const int axis : {0, 1}) {
        if (wraps[static_cast<std::size_t>(axis)] && shape.extent(axis) < 3) {
            entry->fail("a grid of three or more chips along the axis",
                        fmt::format("\"{}\" on {}", text, grid ? shape.text() : "no grid"),
                        "two chips are neighbours already: a ring of two does not exist");
        }
    }
    return wraps;
}

/// `chips: N`, or a list of chips each of which names its neighbours: both ends must agree.
struct ChipList {
    std::int32_t count = 0;
    std::map<ChipId, std::map<ChipId, std::int32_t>> links;  // [chip][neighbour]
    std::map<ChipId, Entry> entries;
};

ChipList read_chips(const Entry& root, const std::optional<MeshOption>& grid) {
    ChipList list;
    const std::optional<Entry> entry = root.find("chips");
    if (!entry) {
        if (!grid) root.fail("a grid, or the number of chips", "neither \"grid\" nor \"chips\"");
        list.count = grid->shape.chips();
        return list;
    }
    if (!entry->is_list()) {
        list.count = entry->int32(1, kMaxChips);
        return list;
    }
    const std::vector<Entry> chips = entry->items(1, kMaxChipCount);
    list.count = static_cast<std::int32_t>(chips.size());
    for (const Entry& chip : chips) {
        chip.allow_only({"id", "links"});
        const ChipId id = chip_at(chip.at("id"), list.count);
        if (!list.entries.emplace(id, chip).second) {
            chip.at("id").fail("an id of its own", fmt::format("chip {} again", id.value));
        }
        const std::optional<Entry> links = chip.find("links");
        if (!links) continue;
        for (const auto& [key, count] : links->fields()) {
            const ChipId neighbour{chip_key(*links, key, list.count)};
            if (neighbour == id) count.fail("links to other chips", "a link to itself");
            list.links[id][neighbour] = count.int32(1, kMaxLinks);
        }
    }
    return list;
}

void add_two_sided(Cables& cables, const ChipList& list) {
    for (const auto& [chip, neighbours] : list.links) {
        for (const auto& [neighbour, links] : neighbours) {
            std::int32_t back = 0;
            if (const auto other = list.links.find(neighbour); other != list.links.end()) {
                if (const auto count = other->second.find(chip); count != other->second.end()) {
                    back = count->second;
                }
            }
            if (back != links) {
                const Entry& entry = list.entries.at(neighbour);
                Entry(entry.where(), entry.key() + ".links", entry.node())
                    .fail(fmt::format("{} to chip {} (chip {} lists {})", links, chip.value,
                                      chip.value, links),
                          fmt::format("{}", back), "a cable has two ends: list it at both chips");
            }
            if (chip < neighbour) add_cables(cables, chip, neighbour, links);
        }
    }
}

/// `edges: [[a, b], [a, b, links]]`: beside the grid; on a pair of the grid they add to it.
void add_edges(Cables& cables, const Entry& root, std::int32_t chips, std::int32_t usual) {
    const std::optional<Entry> entry = root.find("edges");
    if (!entry) return;
    Cables listed;
    for (const Entry& edge : entry->items(0, kMaxChipCount * 8)) {
        const std::vector<Entry> parts = edge.items(2, 3);
        const ChipId a = chip_at(parts[0], chips);
        const ChipId b = chip_at(parts[1], chips);
        if (a == b) edge.fail("two chips", fmt::format("chip {} joined to itself", a.value));
        if (parts.size() == 2 && usual == 0) {
            edge.fail("[chip, chip, links]", "two numbers", "or give the file a \"links\" count");
        }
        if (listed.contains(std::minmax(a, b))) edge.fail("every pair once", "a pair twice");
        add_cables(listed, a, b, parts.size() == 3 ? parts[2].int32(1, kMaxLinks) : usual);
    }
    for (const auto& [pair, links] : listed) add_cables(cables, pair.first, pair.second, links);
}

void cut_one(System& system, const Entry& entry, ChipId a, ChipId b,
             const std::optional<Entry>& count) {
    if (b < a) std::swap(a, b);
    const auto edge = std::find_if(system.wiring.edges.begin(), system.wiring.edges.end(),
                                   [&](const Edge& e) { return e.a == a && e.b == b; });
    if (edge == system.wiring.edges.end()) {
        entry.fail("a pair that is joined",
                   fmt::format("chips {} and {}, which are not", a.value, b.value));
    }
    const std::int32_t live = edge->links;
    const std::int32_t down = count ? count->int32(1, live) : live;
    system.wiring.cut.push_back({a, b, down});
    edge->links -= down;
    system.problems.push_back(fmt::format("cut: {} of {} links between chip {} and chip {}", down,
                                          live, a.value, b.value));
    if (edge->links == 0) system.wiring.edges.erase(edge);
}

/// `cut: [[a, b], {between: [a, b], links: n}]`: cables that are down.
void apply_cuts(System& system, const Entry& root) {
    const std::optional<Entry> cut = root.find("cut");
    if (!cut) return;
    std::set<std::pair<ChipId, ChipId>> seen;
    for (const Entry& entry : cut->items(0, kMaxChipCount)) {
        if (entry.is_mapping()) entry.allow_only({"between", "links"});
        const Entry pair = entry.is_mapping() ? entry.at("between") : entry;
        const std::vector<Entry> ends = pair.items(2, 2);
        const ChipId a = chip_at(ends[0], system.wiring.chips);
        const ChipId b = chip_at(ends[1], system.wiring.chips);
        if (!seen.insert(std::minmax(a, b)).second) pair.fail("every pair once", "a pair twice");
        cut_one(system, pair, a, b, entry.is_mapping() ? entry.find("links") : std::nullopt);
    }
    std::sort(system.wiring.cut.begin(), system.wiring.cut.end(), [](const Edge& x, const Edge& y) {
        return std::pair(x.a, x.b) < std::pair(y.a, y.b);
    });
}

/// `stopped: [[a, b]]`: the router of chip a towards chip b stands still.
void read_stopped(System& system, const Entry& root) {
    const std::optional<Entry> stopped = root.find("stopped");
    if (!stopped) return;
    Wiring& wiring = system.wiring;
    for (const Entry& pair : stopped->items(0, kMaxChipCount)) {
        const std::vector<Entry> ends = pair.items(2, 2);
        const StoppedRouter router{chip_at(ends[0], wiring.chips), chip_at(ends[1], wiring.chips)};
        const std::string name =
            fmt::format("chip {} towards chip {}", router.at.value, router.towards.value);
        if (wiring.links_between(router.at, router.towards) == 0) {
            pair.fail("a pair that is joined", name + ", which are not");
        }
        if (wiring.stopped_between(router.at, router.towards) != nullptr) {
            pair.fail("every pair once", "a pair twice");
        }
        wiring.stopped.push_back(router);
        system.problems.push_back(fmt::format("stopped: the router of {}", name));
    }
}

std::vector<ChipId> read_mmio(const Entry& root, std::int32_t chips) {
    std::vector<ChipId> result;
    const std::optional<Entry> entry = root.find("mmio");
    if (!entry || (entry->is_scalar() && entry->text() == "all")) {
        for (std::int32_t i = 0; i < chips; ++i) result.push_back({i});
        return result;
    }
    if (!entry->is_list()) entry->fail("all, or a list of chips", entry->found());
    for (const Entry& chip : entry->items(1, kMaxChipCount)) {
        result.push_back(chip_at(chip, chips));
    }
    check_distinct(*entry, result);
    std::sort(result.begin(), result.end());
    return result;
}

std::vector<MeshOption> read_meshes(const Entry& root, std::int32_t chips,
                                    const std::optional<MeshOption>& grid) {
    const std::optional<Entry> entry = root.find("meshes");
    if (!entry) return grid ? std::vector<MeshOption>{*grid} : std::vector<MeshOption>{};
    std::vector<MeshOption> result;
    for (const Entry& option : entry->items(1, 64)) {
        option.allow_only({"shape", "chips"});
        const Entry shape_entry = option.at("shape");
        const std::optional<mesh::Shape> shape = parse_shape(shape_entry.text());
        if (!shape) shape_entry.fail("rows x columns, as 2x4", shape_entry.found());
        MeshOption mesh{*shape, {}};
        if (const std::optional<Entry> order = option.find("chips")) {
            const auto count = static_cast<std::size_t>(shape->chips());
            for (const Entry& chip : order->items(count, count)) {
                mesh.chips.push_back(chip_at(chip, chips));
            }
            check_distinct(*order, mesh.chips);
        } else if (grid && grid->shape == *shape) {
            mesh.chips = grid->chips;
        } else {
            option.fail("\"chips\", or the shape of the grid", shape->text());
        }
        result.push_back(std::move(mesh));
    }
    return result;
}

void read_link(System& system, const Catalog& catalog, const Entry& root) {
    const std::string usual = mesh::to_text(system.chip.arch);
    const std::optional<Entry> entry = root.find("link");
    if (!entry) {
        system.link = load_link(catalog, usual);
    } else if (entry->is_scalar()) {
        system.link = load_link(catalog, entry->text());
    } else {
        entry->allow_only(link_keys());
        system.link = load_link(catalog, usual, entry);
    }
}

ReliabilityMode read_policy(const Entry& root) {
    const std::optional<Entry> entry = root.find("policy");
    if (!entry) return ReliabilityMode::Relaxed;
    const std::string text = lower_case(entry->text());
    if (text != "strict" && text != "relaxed") entry->fail("strict or relaxed", entry->found());
    return text == "strict" ? ReliabilityMode::Strict : ReliabilityMode::Relaxed;
}

Wiring read_wiring(const Entry& root, const std::optional<MeshOption>& grid, std::int32_t usual) {
    const ChipList chips = read_chips(root, grid);
    Cables cables;
    if (grid) {
        for (const ChipId chip : grid->chips) {
            if (chip.value >= chips.count) {
                root.at("grid").fail(fmt::format("chips from 0 to {}", chips.count - 1),
                                     fmt::format("chip {}", chip.value));
            }
        }
        if (grid->shape.chips() > 1) {
            if (usual == 0) root.at("links");
            add_grid(cables, *grid, usual, read_wraps(root, grid));
        }
    } else {
        read_wraps(root, grid);
    }
    add_two_sided(cables, chips);
    add_edges(cables, root, chips.count, usual);
    return make_wiring(chips.count, cables);
}

}  // namespace

System load_system_file(const Catalog& catalog, const Entry& root,
                        const std::filesystem::path& file) {
    const Entry all(root.where(), "", with_base(catalog, root, 0));
    all.allow_only({"title", "chip", "chips", "grid", "links", "wrap", "edges", "mmio", "meshes",
                    "cut", "stopped", "link", "policy"});
    System system;
    system.name = system_name_of(file);
    const std::optional<Entry> title = all.find("title");
    system.title = title ? title->text() : system.name;
    system.chip = load_named_chip(catalog, lower_case(all.at("chip").text()));
    read_link(system, catalog, all);

    const std::optional<Entry> links = all.find("links");
    const std::int32_t usual = links ? links->int32(1, kMaxLinks) : 0;
    const std::optional<MeshOption> grid = read_grid(all);
    system.wiring = read_wiring(all, grid, usual);
    system.expected_links = usual > 0 ? usual : usual_links(system.wiring);
    system.mmio_chips = read_mmio(all, system.wiring.chips);
    system.meshes = read_meshes(all, system.wiring.chips, grid);
    if (system.meshes.empty()) system.meshes = usual_meshes(system);
    system.reliability = read_policy(all);
    apply_cuts(system, all);
    read_stopped(system, all);
    return system;
}

}  // namespace fabric

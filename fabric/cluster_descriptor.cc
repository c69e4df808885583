// Reads what tt-umd's topology discovery writes: a cluster descriptor (YAML).
// Invariant: one entry of `ethernet_connections` is one cable; links that leave the host are not
// part of the system. Chip types follow from the boards.
// Format: tenstorrent/tt-umd: docs/yaml_schemas/cluster_descriptor.yaml @3ed9cb6d0533.

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/error.h"
#include "fabric/embedding.h"
#include "fabric/loading.h"

namespace fabric {
namespace {

std::int32_t read_arch(const Entry& root, std::string& arch) {
    const Entry list = root.at("arch");
    const auto fields = list.fields();
    if (fields.empty() || fields.size() > static_cast<std::size_t>(kMaxChips)) {
        list.fail(fmt::format("1 to {} chips", kMaxChips), fmt::format("{}", fields.size()));
    }
    const auto chips = static_cast<std::int32_t>(fields.size());
    for (const auto& [key, value] : fields) {
        chip_key(list, key, chips);
        std::string text = lower_case(value.text());
        if (text == "wormhole") text = "wormhole_b0";
        if (text != "wormhole_b0" && text != "blackhole") {
            value.fail("wormhole_b0 or blackhole", value.found());
        }
        if (!arch.empty() && arch != text) value.fail(arch + " as the other chips", text);
        arch = text;
    }
    return chips;
}

struct Port {
    std::int32_t chip = 0;
    std::int32_t channel = 0;
    constexpr auto operator<=>(const Port&) const = default;
};

Port read_port(const Entry& entry, std::int32_t chips) {
    return {entry.at("chip").int32(0, chips - 1), entry.at("chan").int32(0, kMaxLinks)};
}

Cables read_connections(const Entry& root, std::int32_t chips) {
    Cables cables;
    std::set<Port> used;
    for (const Entry& link :
         root.at("ethernet_connections").items(0, static_cast<std::size_t>(chips) * kMaxLinks)) {
        const std::vector<Entry> ends = link.items(2, 3);  // a third one says routing_enabled
        const Port a = read_port(ends[0], chips);
        const Port b = read_port(ends[1], chips);
        if (a.chip == b.chip) {
            link.fail("two chips", fmt::format("chip {} joined to itself", a.chip));
        }
        for (const Port port : {a, b}) {
            if (!used.insert(port).second) {
                link.fail("every port once",
                          fmt::format("chip {} chan {} again", port.chip, port.channel));
            }
        }
        add_cables(cables, {a.chip}, {b.chip}, 1);
    }
    return cables;
}

/// `[{0: 0}, {1: 1}]`, written `[0: 0, 1: 1]` by older tools: chip to PCIe device.
std::vector<ChipId> read_mmio(const Entry& root, std::int32_t chips) {
    const Entry list = root.at("chips_with_mmio");
    std::set<ChipId> mmio;
    for (const Entry& item : list.items(1, static_cast<std::size_t>(chips))) {
        for (const auto& [key, device] : item.fields()) {
            if (!mmio.insert({chip_key(item, key, chips)}).second) {
                item.fail("every chip once", fmt::format("chip {} twice", key));
            }
        }
    }
    return {mmio.begin(), mmio.end()};
}

/// Board types by chip; a board is a list of one-key mappings.
std::map<std::int32_t, std::string> read_boards(const Entry& root, std::int32_t chips) {
    std::map<std::int32_t, std::string> boards;
    const std::size_t most = static_cast<std::size_t>(chips);
    for (const Entry& board : root.at("boards").items(1, most)) {
        std::string type;
        std::vector<std::int32_t> members;
        for (const Entry& part : board.items(1, 8)) {
            if (const auto name = part.find("board_type")) type = lower_case(name->text());
            if (const auto list = part.find("chips")) {
                for (const Entry& chip : list->items(1, most)) {
                    members.push_back(chip.int32(0, chips - 1));
                }
            }
        }
        if (type.empty()) board.fail("a board_type", "none");
        for (const std::int32_t chip : members) {
            if (!boards.emplace(chip, type).second) {
                board.fail("every chip on one board", fmt::format("chip {} on two", chip));
            }
        }
    }
    return boards;
}

/// The file of topologies/chips for chips of this kind of board.
std::string chip_name(const Entry& boards, const std::string& type, const std::string& arch) {
    const bool wormhole = arch == "wormhole_b0";
    if (type == "ubb") return wormhole ? "wormhole_galaxy" : "blackhole_galaxy";
    static const std::map<std::string, std::pair<std::string, std::string>> kBoards{
        {"n150", {"wormhole_b0", "n150"}}, {"n300", {"wormhole_b0", "n300"}},
        {"galaxy", {"wormhole_b0", "tg"}}, {"ubb_wormhole", {"wormhole_b0", "wormhole_galaxy"}},
        {"p100", {"blackhole", "p100"}},   {"p150", {"blackhole", "p150"}},
        {"p300", {"blackhole", "p300"}},   {"ubb_blackhole", {"blackhole", "blackhole_galaxy"}},
    };
    const auto known = kBoards.find(type);
    if (known == kBoards.end() || known->second.first != arch) {
        boards.fail(fmt::format("board types of {} chips", arch), fmt::format("\"{}\"", type),
                    "known: n150, n300, galaxy, ubb, p100, p150, p300, ubb_blackhole");
    }
    return known->second.second;
}

std::string common_board(const Entry& root, std::int32_t chips) {
    const Entry entry = root.at("boards");
    const std::map<std::int32_t, std::string> boards = read_boards(root, chips);
    std::set<std::string> types;
    for (std::int32_t chip = 0; chip < chips; ++chip) {
        const auto board = boards.find(chip);
        if (board == boards.end()) {
            entry.fail("every chip on a board", fmt::format("chip {} on none", chip));
        }
        types.insert(board->second);
    }
    if (types.size() > 1) {
        entry.fail("one kind of board", fmt::format("{}", fmt::join(types, ", ")),
                   "split the descriptor, or write a system file");
    }
    return *types.begin();
}

}  // namespace

System load_cluster_descriptor(const Catalog& catalog, const Entry& root,
                               const std::filesystem::path& file) {
    System system;
    std::string arch;
    const std::int32_t chips = read_arch(root, arch);
    const std::string board = common_board(root, chips);
    system.name = system_name_of(file);
    system.title = fmt::format("{}: {} chips on {} boards", system.name, chips, board);
    system.chip = load_named_chip(catalog, chip_name(root.at("boards"), board, arch));
    system.link = load_link(catalog, arch);
    system.wiring = make_wiring(chips, read_connections(root, chips));
    system.expected_links = usual_links(system.wiring);
    system.mmio_chips = read_mmio(root, chips);
    system.meshes = usual_meshes(system);
    return system;
}

}  // namespace fabric

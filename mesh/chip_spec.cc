// Strict reader of chip files. A number is written `key: {value: V, source: "..."}`, or with
// `guess:` (the derivation) where nothing was published; a number without either is an error.
// Invariant: a ChipSpec that leaves this file is complete and obeys the laws in check_laws().
#include "mesh/chip_spec.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <charconv>
#include <cmath>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <vector>

#include "core/error.h"
#include "mesh/bank_allocator.h"

namespace mesh {

namespace {

constexpr std::size_t kMaxFileBytes = 1 << 20;
constexpr std::int64_t kMaxMemory = std::int64_t{1} << 40;  // 1 TiB: nothing on a chip is larger
constexpr double kMaxGBps = 1e5;
constexpr double kMaxMicroseconds = 1e6;
constexpr double kMaxMegahertz = 1e5;

std::string located(const std::string& where, const YAML::Node& node) {
    const YAML::Mark mark = node.Mark();
    return mark.is_null() ? where : fmt::format("{}:{}", where, mark.line + 1);
}

std::string shown(const YAML::Node& node) {
    if (node.IsMap()) return "a map";
    if (node.IsSequence()) return fmt::format("a list of {}", node.size());
    if (!node.IsScalar()) return "nothing";
    return "\"" + node.Scalar().substr(0, 60) + "\"";
}

/// One map of the file. Every key must be taken; finish() reports those that nobody knows.
class Section {
public:
    Section(const YAML::Node& node, std::string where, std::string path)
        : node_(node), where_(std::move(where)), path_(std::move(path)) {
        if (!node_.IsMap()) fail(path_, node_, "a map");
        for (const auto& entry : node_) {
            if (!entry.first.IsScalar()) fail(path_, entry.first, "a plain key");
            const std::string& key = entry.first.Scalar();
            if (!entries_.emplace(key, entry.second).second) {
                throw core::Error::mismatch(located(where_, entry.first), full(key), "one value",
                                            "the key twice");
            }
        }
    }

    YAML::Node take(const std::string& key) {
        const auto found = entries_.find(key);
        if (found == entries_.end()) {
            throw core::Error::mismatch(located(where_, node_), full(key), "a value", "nothing");
        }
        taken_.insert(key);
        return found->second;
    }
    bool has(const std::string& key) const { return entries_.contains(key); }

    Section section(const std::string& key) { return {take(key), where_, full(key)}; }

    std::string text(const std::string& key) {
        const YAML::Node node = take(key);
        if (!node.IsScalar() || node.Scalar().empty()) fail(full(key), node, "a text");
        return node.Scalar();
    }

    /// The `value` of a number that says where it comes from.
    YAML::Node sourced(const std::string& key) {
        Section entry = section(key);
        const YAML::Node value = entry.take("value");
        entry.text(entry.has("guess") ? "guess" : "source");
        entry.finish();
        return value;
    }

    std::int64_t integer(const std::string& key, std::int64_t low, std::int64_t high) {
        return integer_of(full(key), sourced(key), low, high);
    }

    /// Requires: low < high. Finite, low <= number <= high.
    double real(const std::string& key, double low, double high) {
        const YAML::Node node = sourced(key);
        const std::string expected = fmt::format("a number from {} to {}", low, high);
        double number = 0;
        if (!parse(node, number) || !(number >= low && number <= high)) {
            fail(full(key), node, expected);
        }
        return number;
    }

    std::vector<std::int64_t> integers(const std::string& key, std::size_t count, std::int64_t low,
                                       std::int64_t high) {
        const YAML::Node node = sourced(key);
        if (!node.IsSequence() || node.size() != count) {
            fail(full(key), node, fmt::format("a list of {} integers", count));
        }
        std::vector<std::int64_t> numbers;
        for (const auto& item : node) numbers.push_back(integer_of(full(key), item, low, high));
        return numbers;
    }

    void finish() const {
        for (const auto& [key, node] : entries_) {
            if (taken_.contains(key)) continue;
            throw core::Error::mismatch(located(where_, node), full(key), "no such key",
                                        shown(node));
        }
    }

    /// The place of a whole section, for laws between its numbers.
    [[noreturn]] void broken_law(const std::string& key, const std::string& expected,
                                 const std::string& found) const {
        throw core::Error::mismatch(located(where_, node_), full(key), expected, found);
    }

private:
    std::string full(const std::string& key) const {
        return path_.empty() ? key : path_ + "." + key;
    }

    [[noreturn]] void fail(const std::string& path, const YAML::Node& node,
                           const std::string& expected) const {
        throw core::Error::mismatch(located(where_, node), path, expected, shown(node));
    }

    template <class Number>
    static bool parse(const YAML::Node& node, Number& number) {
        if (!node.IsScalar() || node.Tag() == "!") return false;  // "!": a quoted text
        const std::string& text = node.Scalar();
        const char* const end = text.data() + text.size();
        const auto [stop, error] = std::from_chars(text.data(), end, number);
        return error == std::errc{} && stop == end;
    }

    std::int64_t integer_of(const std::string& path, const YAML::Node& node, std::int64_t low,
                            std::int64_t high) const {
        std::int64_t number = 0;
        if (!parse(node, number) || number < low || number > high) {
            fail(path, node, fmt::format("an integer from {} to {}", low, high));
        }
        return number;
    }

    YAML::Node node_;
    std::string where_;
    std::string path_;  // "" at the top, "dram" inside it
    std::map<std::string, YAML::Node> entries_;
    std::set<std::string> taken_;
};

core::BytesPerSecond rate(Section& section, const std::string& key) {
    return {std::llround(section.real(key, 1e-3, kMaxGBps) * 1e9)};
}

core::Picoseconds time(Section& section, const std::string& key) {
    return core::Picoseconds{std::llround(section.real(key, 0, kMaxMicroseconds) * 1e6)};
}

core::Bytes bytes(Section& section, const std::string& key, std::int64_t low) {
    return {section.integer(key, low, kMaxMemory)};
}

core::Bytes alignment(Section& section, const std::string& key) {
    const std::int64_t size = section.integer(key, 1, 65536);
    if ((size & (size - 1)) != 0) {
        section.broken_law(key, "a power of two", fmt::to_string(size));
    }
    return {size};
}

Grid grid(Section& section, const std::string& key, std::int64_t low) {
    const std::vector<std::int64_t> xy = section.integers(key, 2, low, 64);
    if ((xy[0] == 0) != (xy[1] == 0)) {
        section.broken_law(key, "[0, 0] for none, or a whole grid",
                           fmt::format("[{}, {}]", xy[0], xy[1]));
    }
    return {static_cast<std::int32_t>(xy[0]), static_cast<std::int32_t>(xy[1])};
}

Arch arch_of(Section& section, const std::string& key) {
    const std::string name = section.text(key);
    for (const Arch arch : {Arch::WormholeB0, Arch::Blackhole}) {
        if (name == to_text(arch)) return arch;
    }
    section.broken_law(key, "\"wormhole_b0\" or \"blackhole\"", "\"" + name + "\"");
}

DramSpec read_dram(Section section) {
    DramSpec dram;
    dram.banks = static_cast<std::int32_t>(section.integer("banks", 1, 1024));
    dram.bank_bytes = bytes(section, "bank_bytes", 1);
    dram.unreserved_base = bytes(section, "unreserved_base_bytes", 0);
    dram.alignment = alignment(section, "alignment_bytes");
    dram.peak = rate(section, "peak_gb_per_s");
    dram.sharded = rate(section, "sharded_gb_per_s");
    dram.interleaved = rate(section, "interleaved_gb_per_s");
    section.finish();

    try {
        check_bank_count(dram.banks, BufferType::Dram);
    } catch (const core::Error& error) {
        section.broken_law("banks", "a number of banks with an address generator",
                           fmt::format("{} ({})", dram.banks, error.message()));
    }
    if (dram.unreserved_base >= dram.bank_bytes) {
        section.broken_law("unreserved_base_bytes", "less than bank_bytes",
                           fmt::to_string(dram.unreserved_base.value));
    }
    if (dram.sharded > dram.peak) {
        section.broken_law("sharded_gb_per_s", "at most peak_gb_per_s",
                           fmt::format("{} B/s", dram.sharded.value));
    }
    if (dram.interleaved > dram.sharded) {
        section.broken_law("interleaved_gb_per_s", "at most sharded_gb_per_s",
                           fmt::format("{} B/s", dram.interleaved.value));
    }
    return dram;
}

L1Spec read_l1(Section section) {
    L1Spec l1;
    l1.size = bytes(section, "size_bytes", 1);
    l1.unreserved_base = bytes(section, "unreserved_base_bytes", 0);
    l1.alignment = alignment(section, "alignment_bytes");
    section.finish();
    if (l1.unreserved_base >= l1.size) {
        section.broken_law("unreserved_base_bytes", "less than size_bytes",
                           fmt::to_string(l1.unreserved_base.value));
    }
    return l1;
}

LaunchSpec read_launch(Section section) {
    LaunchSpec launch;
    launch.traced_gap = time(section, "traced_gap_us");
    launch.launch_floor = time(section, "launch_floor_us");
    launch.host_enqueue = time(section, "host_enqueue_us");
    launch.host_replay = time(section, "host_replay_us");
    launch.host_write = time(section, "host_write_us");
    launch.host_read = time(section, "host_read_us");
    section.finish();
    return launch;
}

PcieSpec read_pcie(Section section) {
    PcieSpec pcie;
    pcie.write = rate(section, "write_gb_per_s");
    pcie.read = rate(section, "read_gb_per_s");
    section.finish();
    return pcie;
}

void read_compute(Section section, ChipSpec& chip) {
    const std::vector<std::int64_t> tile = section.integers("tile_cycles", 4, 1, 1'000'000);
    for (std::size_t i = 0; i < tile.size(); ++i) {
        if (i > 0 && tile[i] < tile[i - 1]) {
            section.broken_law("tile_cycles", "more cycles for a higher fidelity",
                               fmt::format("{} after {}", tile[i], tile[i - 1]));
        }
        chip.tile_cycles[i] = tile[i];
    }
    chip.eltwise_tile_cycles = section.integer("eltwise_tile_cycles", 1, 1'000'000);
    chip.core_l1 = rate(section, "core_l1_gb_per_s");
    section.finish();
}

MatmulSpec read_matmul(Section section) {
    MatmulSpec matmul;
    matmul.clock_factor = section.real("clock_factor", 0.1, 1);
    matmul.product_factor = section.real("product_factor", 1, 10);
    matmul.unpack_bytes_per_cycle = section.real("unpack_bytes_per_cycle", 1, 1e4);
    matmul.feed_bytes_per_cycle = section.real("feed_bytes_per_cycle", 1, 1e4);
    matmul.block_setup = {section.integer("block_setup_cycles", 0, 1'000'000)};
    matmul.write = rate(section, "write_gb_per_s");
    matmul.start = time(section, "start_us");
    section.finish();
    return matmul;
}

void check_grid(const Section& top, const std::string& key, Grid part, Grid whole) {
    if (part.x <= whole.x && part.y <= whole.y) return;
    top.broken_law(key, fmt::format("at most {}x{}, as tensix_grid", whole.x, whole.y),
                   fmt::format("{}x{}", part.x, part.y));
}

ChipSpec read_chip(Section top) {
    ChipSpec chip;
    chip.name = top.text("name");
    chip.arch = arch_of(top, "arch");
    chip.tensix = grid(top, "tensix_grid", 1);
    chip.worker_grid = grid(top, "worker_grid", 1);
    chip.worker_grid_column = grid(top, "worker_grid_column", 1);
    chip.worker_grid_ethernet = grid(top, "worker_grid_ethernet", 0);
    chip.clock = {std::llround(top.real("clock_mhz", 1, kMaxMegahertz) * 1e6)};
    chip.dram = read_dram(top.section("dram"));
    chip.l1 = read_l1(top.section("l1"));
    chip.launch = read_launch(top.section("launch"));
    chip.pcie = read_pcie(top.section("pcie"));
    read_compute(top.section("compute"), chip);
    chip.matmul = read_matmul(top.section("matmul"));
    top.finish();

    check_grid(top, "worker_grid", chip.worker_grid, chip.tensix);
    check_grid(top, "worker_grid_column", chip.worker_grid_column, chip.tensix);
    check_grid(top, "worker_grid_ethernet", chip.worker_grid_ethernet, chip.tensix);
    return chip;
}

}  // namespace

std::string to_text(Arch arch) { return arch == Arch::WormholeB0 ? "wormhole_b0" : "blackhole"; }

std::string to_text(Fidelity fidelity) {
    switch (fidelity) {
        case Fidelity::LoFi:
            return "LoFi";
        case Fidelity::HiFi2:
            return "HiFi2";
        case Fidelity::HiFi3:
            return "HiFi3";
        case Fidelity::HiFi4:
            return "HiFi4";
    }
    core::require(false, "every fidelity has a name");
    return {};
}

ChipSpec parse_chip(std::string_view text, std::string_view where) {
    try {
        const YAML::Node root = YAML::Load(std::string(text));
        return read_chip(Section(root, std::string(where), ""));
    } catch (core::Error& error) {
        error.within("while loading a chip");
        throw;
    } catch (const YAML::Exception& error) {
        const std::string place = error.mark.is_null()
                                      ? std::string(where)
                                      : fmt::format("{}:{}", where, error.mark.line + 1);
        throw core::Error::mismatch(place, "", "YAML", error.msg);
    }
}

ChipSpec load_chip(const std::filesystem::path& file) {
    std::ifstream stream(file, std::ios::binary);
    std::error_code failure;
    const std::uintmax_t size = std::filesystem::file_size(file, failure);
    if (!stream || failure) {
        throw core::Error::mismatch(file.string(), "", "a chip file", "nothing that can be read");
    }
    if (size > kMaxFileBytes) {
        throw core::Error::mismatch(file.string(), "",
                                    fmt::format("a chip file of at most {} bytes", kMaxFileBytes),
                                    fmt::format("{} bytes", size));
    }
    std::ostringstream text;
    text << stream.rdbuf();
    return parse_chip(text.str(), file.string());
}

Grid compute_grid(const ChipSpec& chip, DispatchCore core, DispatchAxis axis) {
    if (core == DispatchCore::Worker) {
        return axis == DispatchAxis::Row ? chip.worker_grid : chip.worker_grid_column;
    }
    if (chip.worker_grid_ethernet.cores() == 0) {
        throw core::Error::mismatch("chip \"" + chip.name + "\"", "dispatch core",
                                    "worker dispatch", "ethernet dispatch")
            .hint("this chip has no ethernet cores to dispatch from");
    }
    return chip.worker_grid_ethernet;
}

}  // namespace mesh

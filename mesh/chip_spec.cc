// Strict reader of chip files (mesh/yaml_section.h).
// Invariant: a ChipSpec that leaves this file is complete and obeys the laws in check_laws().
#include "mesh/chip_spec.h"

#include <vector>

#include "mesh/bank_allocator.h"
#include "mesh/kernel_spec.h"
#include "mesh/yaml_section.h"

namespace mesh {

namespace {

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
    return parse_sections(text, where, "while loading a chip", read_chip);
}

ChipSpec load_chip(const std::filesystem::path& file, const KernelLoader& kernels) {
    ChipSpec chip = parse_chip(read_text(file, "a chip file"), file.string());
    const std::filesystem::path folder = file.parent_path().parent_path() / "kernels";
    chip.kernels = kernels(folder / (to_text(chip.arch) + ".yaml"));
    return chip;
}

ChipSpec load_chip(const std::filesystem::path& file) {
    return load_chip(file, [](const std::filesystem::path& kernels) {
        return std::make_shared<const KernelSpec>(load_kernels(kernels));
    });
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

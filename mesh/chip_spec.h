// What one chip is: grid, L1, DRAM banks, clock, rates. Loaded from topologies/chips/*.yaml, where
// every number carries its source. Units are in the types; nothing is a constant in code.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/units.h"

namespace mesh {

enum class Arch { WormholeB0, Blackhole };
std::string to_text(Arch arch);  // "wormhole_b0", "blackhole"

enum class Fidelity { LoFi, HiFi2, HiFi3, HiFi4 };
std::string to_text(Fidelity fidelity);  // "LoFi", ...

struct Grid {
    std::int32_t x = 0;  // columns
    std::int32_t y = 0;  // rows
    constexpr std::int32_t cores() const { return x * y; }
    constexpr bool operator==(const Grid&) const = default;
};

enum class DispatchCore { Worker, Ethernet };
enum class DispatchAxis { Row, Column };

struct DramSpec {
    std::int32_t banks = 0;
    core::Bytes bank_bytes;            // bytes of one bank
    core::Bytes unreserved_base;       // first allocatable byte of a bank
    core::Bytes alignment;             // of a page
    core::BytesPerSecond peak;         // all banks
    core::BytesPerSecond sharded;      // one reader next to each bank (DRAM-sharded matmul)
    core::BytesPerSecond interleaved;  // typical interleaved matmul or eltwise
};

struct L1Spec {
    core::Bytes size;             // per Tensix core
    core::Bytes unreserved_base;  // first byte circular buffers may use
    core::Bytes alignment;
};

/// Costs of launching programs; microseconds in the file.
struct LaunchSpec {
    core::Picoseconds traced_gap;    // op to op, kernels long
    core::Picoseconds launch_floor;  // smallest traced program on all cores
    core::Picoseconds host_enqueue;  // host time of one cached program, not traced
    core::Picoseconds host_replay;   // host time of one trace replay, per chip
    core::Picoseconds host_write;    // fixed host time of one write call
    core::Picoseconds host_read;     // fixed host time of one blocking read call
};

struct PcieSpec {
    core::BytesPerSecond write;
    core::BytesPerSecond read;
};

struct KernelSpec;  // mesh/kernel_spec.h

struct ChipSpec {
    std::string name;  // "n150", "wormhole_galaxy_chip", ...: one per file
    Arch arch = Arch::WormholeB0;
    Grid tensix;                // enabled Tensix cores
    Grid worker_grid;           // compute grid with worker dispatch (row on WH, column on BH)
    Grid worker_grid_column;    // with dispatch on a column
    Grid worker_grid_ethernet;  // with dispatch on ethernet cores; 0x0 if not possible
    core::Hertz clock;
    DramSpec dram;
    L1Spec l1;
    LaunchSpec launch;
    PcieSpec pcie;
    std::array<std::int64_t, 4> tile_cycles{};  // per 32x32x32 tile product, by Fidelity
    std::int64_t eltwise_tile_cycles = 0;       // per output tile of an eltwise op on one core
    core::BytesPerSecond core_l1;  // one core moving data to or from L1 over the NoC (copy, gather)
    /// What kernels of this architecture cost: the same for all its chips. Set by load_chip.
    std::shared_ptr<const KernelSpec> kernels;
};

/// Makes the kernels of an architecture from their file.
using KernelLoader =
    std::function<std::shared_ptr<const KernelSpec>(const std::filesystem::path& file)>;

/// Reads one chip file and, through `kernels`, those of its architecture, which are in
/// ../kernels/ARCH.yaml beside its folder. Throws core::Error: file and line, key, expected, found.
ChipSpec load_chip(const std::filesystem::path& file, const KernelLoader& kernels);
/// The same, on its own.
ChipSpec load_chip(const std::filesystem::path& file);
/// The chip alone, from text (`kernels` stays empty); `where` stands for the file in messages.
ChipSpec parse_chip(std::string_view text, std::string_view where);

/// Compute cores left by dispatch. Blackhole dispatches on a column whatever the axis.
/// Throws core::Error when the chip has no ethernet cores to dispatch from.
Grid compute_grid(const ChipSpec& chip, DispatchCore core, DispatchAxis axis);

}  // namespace mesh

// What kernels cost on an architecture: constants of the mechanisms of dispatch/*_time.h, the same
// for every chip of it. Loaded from topologies/kernels/ARCH.yaml, where every number carries its
// source. ChipSpec::kernels points here; only the files that time kernels include it.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "core/units.h"
#include "mesh/noc.h"

namespace mesh {

/// Matmuls on the worker grid: what the cores lose beside the fidelity phases.
struct MatmulSpec {
    double clock_factor = 1;            // clock under a matmul on all cores, of the nominal
    double product_factor = 1;          // cycles of a tile product, of tile_cycles
    double unpack_bytes_per_cycle = 1;  // of one operand's tiles into the matrix unit
    double feed_bytes_per_cycle = 1;    // tiles multicast along a row or column of cores
    double reader_bytes_per_cycle = 1;  // tiles of interleaved DRAM into one core, block by block
    double write_share = 1;             // of interleaved DRAM, by all cores writing their outputs
};

/// What changed with the software's date. Keys of LaunchKernelSpec::releases: "2025", "2026-05",
/// "2026-09".
struct LaunchRelease {
    core::Picoseconds floor{};         // smallest traced program
    core::Picoseconds floor_writes{};  // more, when it has arguments or configuration to write
    bool binaries_stay = true;         // traces do not send again what the workers still hold
    core::Picoseconds page_write{};    // host: preparing one page of a write
    core::Picoseconds page_read{};     // device: issuing one page of a read
    core::Picoseconds axis_gather{};   // more, of an all-gather along one axis of a 2-D mesh
};

/// Programs on the dispatcher (dispatch/launch_time.h). Zero rates cost nothing.
struct LaunchKernelSpec {
    core::Cycles base;                    // any program: launch message, go, waiting for the last
    core::Cycles group;                   // every further rectangle of cores
    core::Cycles command;                 // one more packed write, or one fetch from DRAM
    double args_core_cycles = 0;          // unicast write to one core
    core::Cycles config;                  // multicast of circular buffers, common arguments
    double config_core_cycles = 0;        // same, per core
    double write_bytes_per_cycle = 0;     // of the dispatcher into one core
    double stream_bytes_per_cycle = 0;    // prefetcher to dispatcher
    double fetch_bytes_per_cycle = 0;     // binaries out of DRAM, without a trace
    double iram_bytes_per_cycle = 0;      // the second data-movement kernel into its own memory
    double ethernet_factor = 1;           // of an ethernet core as dispatcher
    core::Picoseconds untraced_floor{};   // smallest program whose commands come from the host
    core::Bytes config_ring;              // of a worker: programs ahead of the running one
    core::Picoseconds op_call{};          // host time of one ttnn op from Python
    core::Picoseconds op_call_sharded{};  // more, when it makes a sharded L1 output
    std::map<std::string, LaunchRelease, std::less<>> releases;
};

/// Host transfers beyond PcieSpec (dispatch/host_transfer.h). Zero rates cost nothing.
struct HostLinkSpec {
    core::Picoseconds run{};            // host: one contiguous run of a sharded tensor
    core::BytesPerSecond wire;          // PCIe without the host's copy (pinned memory)
    core::BytesPerSecond remote_write;  // to a chip behind ethernet
    core::BytesPerSecond remote_read;
    core::Cycles kernel_issue;  // one Tensix core issuing a transaction to the host
};

/// Choosing tokens on the device, after the LM head.
struct SamplingSpec {
    core::Cycles argmax_value;     // one core compares one value of a row-major row
    core::Picoseconds top_k_tile;  // of a row of tiles
    core::Picoseconds draw;        // 32 users' tokens from their gathered candidates
};

/// Fused attention: what its steps cost beside their tile products. A step is a chunk of queries
/// against a chunk of keys and values on one core.
struct AttentionSpec {
    core::Cycles softmax_tile;  // per score tile: scale, maximum, exponential, sum
    core::Cycles exact_exp;     // more per score tile when the exponential is not the fast one
    core::Cycles chunk;         // per step: bookkeeping, rescaling, handing K and V on
    core::Cycles merge;         // of another core's partial result in decode
    core::Picoseconds start;    // filling and draining
};

/// Kernels that stream pages through cores: norms, eltwise, layouts, copies (docs/kernels.md).
struct StreamSpec {
    core::Picoseconds start{};        // from the first core's start to its first page
    core::Cycles dram_latency;        // a small read of interleaved DRAM, and its barrier
    core::Cycles l1_latency;          // the same of another core's L1
    core::Cycles page_issue;          // issuing one more page of a batch
    double page_bytes_per_cycle = 1;  // of one core and interleaved DRAM
    double write_share = 1;           // DRAM rate of writes alone, of the interleaved rate
    core::Cycles sfpu_tile;           // a cheap function on the vector unit: relu, typecast
    core::Cycles slow_sfpu_tile;      // a transcendental one, or a cast to integers
    core::Cycles untilize_row;        // per row of tiles, beside eltwise_tile_cycles of each tile
    core::Cycles fill_tile;           // a data-movement core writes a tile of padding or broadcast
    core::Cycles norm_pass;           // one of the passes of a norm over a tile
};

/// ttnn.topk on one core, where the width is none that it deals over cores.
struct TopKSpec {
    core::Picoseconds one_core_tile;  // of a row of tiles
};

struct KernelSpec {
    MatmulSpec matmul;
    LaunchKernelSpec launch;
    HostLinkSpec host;
    SamplingSpec sampling;
    AttentionSpec attention;
    StreamSpec stream;
    NocSpec noc;
    TopKSpec top_k;
};

/// Reads one file. Throws core::Error: file and line, key, expected, found.
KernelSpec load_kernels(const std::filesystem::path& file);
/// Same, from text; `where` stands for the file in messages.
KernelSpec parse_kernels(std::string_view text, std::string_view where);

}  // namespace mesh

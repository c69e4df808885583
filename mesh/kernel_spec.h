// What kernels cost on an architecture: constants of the mechanisms of dispatch/*_time.h, the same
// for every chip of it. Loaded from topologies/kernels/ARCH.yaml, where every number carries its
// source. ChipSpec::kernels points here; only the files that time kernels include it.
#pragma once

#include <filesystem>
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
    core::Cycles block_setup;           // handshake of one block of K
    core::BytesPerSecond write;         // all cores writing their outputs to interleaved DRAM
    core::Picoseconds start;            // filling and draining: what no block of K accounts for
};

struct KernelSpec {
    MatmulSpec matmul;
    NocSpec noc;
};

/// Reads one file. Throws core::Error: file and line, key, expected, found.
KernelSpec load_kernels(const std::filesystem::path& file);
/// Same, from text; `where` stands for the file in messages.
KernelSpec parse_kernels(std::string_view text, std::string_view where);

}  // namespace mesh

// How long a matmul takes on one chip. The layout of the weight decides the kernel:
// DRAM-sharded and one tile row (decode): one core beside each bank reads its own columns and
// multiplies them by blocks of K that the cores of the input multicast (bank_blocks.h); else the
// worker grid, where a core owns a block of the output and, per block of K, waits for tiles
// multicast by the cores at the grid's edge while it multiplies.
// Blocks follow tenstorrent/tt-metal ttnn/cpp/ttnn/operations/matmul/device/config/
// matmul_program_config.cpp (2026-05-23). Constants: `matmul` of topologies/chips. docs/matmul.md.
#pragma once

#include <cstdint>

#include "dispatch/op_time.h"

namespace dispatch {

/// x [M, K] times weight [K, N] -> out [M, N].
struct MatmulSpecs {
    tensor::Spec x;
    tensor::Spec weight;
    tensor::Spec out;

    std::int64_t row_tiles() const { return x.tile_rows() * x.shape.outer(); }
    std::int64_t depth_tiles() const { return weight.tile_rows(); }
    std::int64_t col_tiles() const { return weight.tile_cols(); }
};

/// Which operand every core gets by multicast: both (2-D), or one of them whole (1-D).
enum class Multicast { Both, Activations, Weight };

/// One core's share of a matmul on the worker grid, in tiles.
struct MatmulBlocks {
    Multicast multicast = Multicast::Both;
    std::int64_t core_rows = 1;
    std::int64_t core_cols = 1;
    std::int64_t block_rows = 1;  // of the output kept in L1 at a time
    std::int64_t block_cols = 1;
    std::int64_t block_depth = 1;  // of K, per transfer
    std::int64_t sub_rows = 1;     // of the block, summed in the core's registers at a time
    std::int64_t sub_cols = 1;
    std::int64_t batches = 1;  // of rows, one after the other, each with the whole weight
    std::int64_t hops = 0;     // cores a block passes before the last one has it; 0: multicast

    /// How often the weight is read, one for each block of rows; likewise the activations.
    std::int64_t row_passes() const { return core::ceil_div(core_rows, block_rows); }
    std::int64_t col_passes() const { return core::ceil_div(core_cols, block_cols); }
    std::int64_t passes() const { return row_passes() * col_passes(); }
    bool operator==(const MatmulBlocks&) const = default;
};

/// Whether the kernel of one core per DRAM bank runs: the weight is on banks, x is one tile row.
bool is_dram_sharded(const MatmulSpecs& specs, const KernelPlan& plan);

/// The blocks of a matmul on plan.grid.
MatmulBlocks matmul_blocks(const MatmulSpecs& specs, const KernelPlan& plan,
                           const mesh::ChipSpec& chip, MatmulTuning tuning);

/// `eltwise` is what the cores do after multiplying (a bias). Leaves OpTime::launch at zero.
OpTime matmul_time(const MatmulSpecs& specs, const KernelPlan& plan, core::Cycles eltwise,
                   const mesh::ChipSpec& chip, MatmulTuning tuning);

}  // namespace dispatch

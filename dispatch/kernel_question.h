// One kernel that is neither a matmul nor attention, as profiler reports put it: what it does,
// where its operands are, on how many cores. The one way to its time for the simulator and for
// `tessera validate`: what the busiest core moves and computes, then kernel_time.
// How many pages a kernel reads before it waits follows its reader in tenstorrent/tt-metal
// ttnn/cpp/ttnn/operations (tree of 2026-05-23). docs/kernels.md.
#pragma once

#include <cstdint>
#include <vector>

#include "dispatch/kernel_plan.h"
#include "dispatch/kernel_time.h"
#include "tensor/spec.h"

namespace dispatch {

enum class KernelKind {
    Copy,                  // page by page: slices, concatenations, filling a cache, swaps of axes
    Move,                  // a shard to another place of the same core's L1
    Reshard,               // each core gathers its new shard from other cores
    ShardedToInterleaved,  // a shard's pages in one batch
    InterleavedToSharded,
    Unary,         // a cheap function of each element: relu, typecast between floats
    SlowUnary,     // a transcendental one, or a cast to integers
    Binary,        // two operands; one of them may be a row, a column or a number
    GatedBinary,   // a product with silu or gelu of one operand
    Tilize,        // a row of tiles per step
    TilizePadded,  // the same, a row of elements at a time, and padding written by the core
    Untilize,
    UntilizePadded,
    TransposeTiles,  // every tile transposed
    SwapRows,        // rows of a tile come from as many tiles, asked for together
    Permute,         // the same, one after the other
    Reshape,         // rows of a tile come from the tiles they were in
    RowsOfTiles,     // one core per row of tiles, page by page: split and join heads
    GatherPieces,    // rows of faces from other cores' L1: split and join heads in decode
    Rotary,
    EmbeddingRows,   // row by row
    EmbeddingTiles,  // 32 rows in a batch, tilized
    RmsNorm,
    LayerNorm,
    NormStats,  // sums of squares only
    NormApply,  // from statistics that are there
    Softmax,
    UpdateCache,  // one row of a cache, a core per user
    Reduce,       // sum over an outer axis
    Accumulate,   // running sums over the first axis, slice by slice
    PaddedSlice,  // rows or tiles of DRAM cut out into rows of a shard
    SliceWrite,   // rows or tiles of a shard written into a larger tensor
    Elements,     // a permutation of single elements
    Halo,         // a shard as rows, with those of neighbours that a window reaches
    Choose        // scores, the largest of them, their weights
};

struct KernelOperand {
    tensor::Spec spec;
    MemoryConfig memory;
    core::Bytes moved;  // what the kernel touches of it

    Place place() const;
    /// Pages of the moved bytes, whole ones.
    std::int64_t pages() const;
};

/// All of a tensor.
KernelOperand operand(const tensor::Spec& spec, const MemoryConfig& memory);

struct KernelQuestion {
    KernelKind kind = KernelKind::Copy;
    std::vector<KernelOperand> in;  // the first is the activation
    KernelOperand out;              // of several outputs: their widest, with the bytes of all
    std::int32_t cores = 1;
    std::int64_t pieces = 0;  // GatherPieces: rows of faces of the busiest core
};

/// What the busiest core does. Requires: an input, cores.
KernelWork kernel_work(const KernelQuestion& question, const mesh::ChipSpec& chip);

/// Leaves OpTime::launch at zero.
OpTime kernel_time(const KernelQuestion& question, const mesh::ChipSpec& chip);

}  // namespace dispatch

#include "dispatch/matmul_time.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "core/error.h"
#include "mesh/kernel_spec.h"

namespace dispatch {
namespace {

// ttnn's get_per_core_factor starts at 16 and is_narrow_shape asks for a ratio above 8
// (tenstorrent/tt-metal: ttnn/cpp/ttnn/operations/matmul/device/config/matmul_program_config.cpp).
constexpr std::int64_t kDefaultFactor = 16;
constexpr std::int64_t kNarrowRatio = 8;
// Deepest block of a 1-D matmul. GUESS: as the circular buffers of dispatch/lower.cc.
constexpr std::int64_t kDeepestNarrowBlock = 8;

using core::ceil_div;

bool in_dram(const std::vector<MemoryConfig>& places, std::size_t index) {
    return index >= places.size() || places[index].type == mesh::BufferType::Dram;
}

std::vector<std::int64_t> divisors(std::int64_t number) {  // the largest first
    std::vector<std::int64_t> found;
    for (std::int64_t d = number; d > 0; --d) {
        if (number % d == 0) found.push_back(d);
    }
    return found;
}

/// Sizes of the blocks when `tiles` are cut into 1, 2, 3 ... of them; the largest first.
std::vector<std::int64_t> cuts(std::int64_t tiles) {
    std::vector<std::int64_t> found;
    for (std::int64_t size = tiles; size > 0;) {
        found.push_back(size);
        const std::int64_t pieces = ceil_div(tiles, size);
        size = std::min(size - 1, ceil_div(tiles, pieces + 1));
    }
    return found;
}

/// One core's circular buffers for a block: inputs twice, output and its partial sums once.
core::Bytes buffers(const MatmulSpecs& specs, const MatmulBlocks& blocks) {
    const std::int64_t out = blocks.block_rows * blocks.block_cols;
    return tensor::tile_bytes(specs.x.dtype) * (2 * blocks.block_depth * blocks.block_rows) +
           tensor::tile_bytes(specs.weight.dtype) * (2 * blocks.block_depth * blocks.block_cols) +
           tensor::tile_bytes(specs.out.dtype) * out +
           tensor::tile_bytes(tensor::DType::BFloat16) * out;
}

/// L1 of one core that operands leave for circular buffers.
core::Bytes free_l1(const MatmulSpecs& specs, const KernelPlan& plan, const mesh::ChipSpec& chip) {
    core::Bytes held;
    if (!in_dram(plan.inputs, 0)) held += specs.x.bytes();
    if (!in_dram(plan.outputs, 0)) held += specs.out.bytes();
    return chip.l1.size - chip.l1.unreserved_base -
           core::Bytes{ceil_div(held.value, plan.grid.cores())};
}

/// is_narrow_shape: long strips are dealt over all cores along their length.
std::optional<Multicast> narrow(const MatmulSpecs& specs) {
    const auto [low, high] = std::minmax({specs.row_tiles(), specs.col_tiles()});
    if (high / low <= kNarrowRatio && low > 1) return std::nullopt;
    return specs.col_tiles() >= specs.row_tiles() ? Multicast::Activations : Multicast::Weight;
}

/// create_simple_matmul_program_config: the output is first cut into squares of 16 tiles; a single
/// row or column of them is not spread over two axes.
Multicast default_multicast(const MatmulSpecs& specs, mesh::Grid grid) {
    if (const auto strip = narrow(specs)) return *strip;
    const std::int64_t down = ceil_div(specs.row_tiles(), kDefaultFactor);
    const std::int64_t across = ceil_div(specs.col_tiles(), kDefaultFactor);
    if (down == across || down > grid.y || across > grid.x) return Multicast::Both;
    if (down == 1) return Multicast::Activations;
    return across == 1 ? Multicast::Weight : Multicast::Both;
}

/// What every core owns, before it is cut into blocks.
MatmulBlocks share_of(const MatmulSpecs& specs, mesh::Grid grid, Multicast multicast) {
    MatmulBlocks share{.multicast = multicast};
    share.core_rows = specs.row_tiles();
    share.core_cols = specs.col_tiles();
    if (multicast != Multicast::Activations) {
        const bool both = multicast == Multicast::Both;
        share.core_rows = ceil_div(share.core_rows, std::int64_t{both ? grid.y : grid.cores()});
    }
    if (multicast != Multicast::Weight) {
        const bool both = multicast == Multicast::Both;
        share.core_cols = ceil_div(share.core_cols, std::int64_t{both ? grid.x : grid.cores()});
    }
    share.block_rows = share.core_rows;
    share.block_cols = share.core_cols;
    return share;
}

/// The largest block, the squarer first, of whole cuts of a core's share at this depth.
std::optional<MatmulBlocks> largest_that_fits(const MatmulSpecs& specs, MatmulBlocks blocks,
                                              core::Bytes limit) {
    std::optional<MatmulBlocks> best;
    std::pair<std::int64_t, double> best_key;
    for (const std::int64_t rows : divisors(blocks.core_rows)) {
        for (const std::int64_t cols : divisors(blocks.core_cols)) {
            blocks.block_rows = rows;
            blocks.block_cols = cols;
            const double ratio = static_cast<double>(std::max(rows, cols)) /
                                 static_cast<double>(std::min(rows, cols));
            const std::pair key{rows * cols, -ratio};
            if (buffers(specs, blocks) >= limit || (best && key < best_key)) continue;
            best = blocks;
            best_key = key;
        }
    }
    return best;
}

/// get_multi_dim_per_core_factor: the deepest K block, then the largest block of the output.
MatmulBlocks default_blocks(const MatmulSpecs& specs, MatmulBlocks share, mesh::Grid grid,
                            core::Bytes limit) {
    const std::int64_t depth = specs.depth_tiles();
    std::int64_t deepest = depth % grid.x == 0 ? depth / grid.x : 1;
    if (share.multicast != Multicast::Both) deepest = depth % 2 == 0 ? 2 : 1;
    for (const std::int64_t block : divisors(deepest)) {
        share.block_depth = block;
        if (const auto found = largest_that_fits(specs, share, limit)) return *found;
    }
    share.block_rows = share.block_cols = 1;
    return share;
}

/// A core's time in cycles of the matrix unit, by what it does.
struct Passes {
    double compute = 0;   // multiplying alone
    double feed = 0;      // tiles arriving alone
    double together = 0;  // both, partly overlapped
};

// A tile product takes its fidelity phases, or what the unpacker needs to bring in a tile of the
// weight; blocks of K arrive by multicast. The two overlap but for their jitter: the cubic norm is
// never below the longer, and 26 % above it when they are equal. Calibrated on GEMM_FLOPS.md.
Passes passes(const MatmulSpecs& specs, const KernelPlan& plan, const mesh::ChipSpec& chip,
              const MatmulBlocks& blocks) {
    const mesh::MatmulSpec& spec = chip.kernels->matmul;
    const auto x_tile = static_cast<double>(tensor::tile_bytes(specs.x.dtype).value);
    const auto weight_tile = static_cast<double>(tensor::tile_bytes(specs.weight.dtype).value);
    const auto phases =
        static_cast<double>(chip.tile_cycles[static_cast<std::size_t>(plan.fidelity)]);
    const double product = std::max(phases * spec.product_factor,
                                    std::max(x_tile, weight_tile) / spec.unpack_bytes_per_cycle);
    const double alone =  // bytes per cycle of a core that reads its own operand
        static_cast<double>(chip.core_l1.value) / static_cast<double>(chip.clock.value);
    const double multicast = spec.feed_bytes_per_cycle;
    const double x_rate = blocks.multicast == Multicast::Weight ? alone : multicast;
    const double weight_rate = blocks.multicast == Multicast::Activations ? alone : multicast;
    const double compute = static_cast<double>(blocks.block_rows * blocks.block_cols) * product;
    const double feed =
        static_cast<double>(spec.block_setup.value) / static_cast<double>(blocks.block_depth) +
        std::max(static_cast<double>(blocks.block_rows) * x_tile / x_rate,
                 static_cast<double>(blocks.block_cols) * weight_tile / weight_rate);
    const double both = std::cbrt(compute * compute * compute + feed * feed * feed);
    const auto steps = static_cast<double>(blocks.passes() * specs.depth_tiles());
    return {compute * steps, feed * steps, both * steps};
}

core::Picoseconds loaded(double cycles, const mesh::ChipSpec& chip) {
    const auto clock = static_cast<double>(chip.clock.value) * chip.kernels->matmul.clock_factor;
    return core::duration(core::Cycles{std::llround(std::ceil(cycles))},
                          core::Hertz{std::llround(clock)});
}

OpTime grid_time(const MatmulSpecs& specs, const KernelPlan& plan, const mesh::ChipSpec& chip,
                 const MatmulBlocks& blocks) {
    const Passes cycles = passes(specs, plan, chip, blocks);
    core::Bytes read;
    if (in_dram(plan.inputs, 0)) read += specs.x.bytes() * blocks.col_passes();
    if (in_dram(plan.inputs, 1)) read += specs.weight.bytes() * blocks.row_passes();
    // Only the write of the last block has nothing to hide behind.
    core::Picoseconds alone = chip.kernels->matmul.start;
    if (in_dram(plan.outputs, 0)) {
        alone += specs.out.bytes() / chip.kernels->matmul.write / blocks.passes();
    }
    OpTime time{.compute = alone + loaded(cycles.compute, chip),
                .dram = alone + read / chip.dram.interleaved,
                .l1 = alone + loaded(cycles.feed, chip)};
    (cycles.compute >= cycles.feed ? time.compute : time.l1) =
        alone + loaded(cycles.together, chip);
    return time;
}

/// The blocks of least time among those that fit: what tuning by hand looks for.
MatmulBlocks tuned_blocks(const MatmulSpecs& specs, MatmulBlocks share, const KernelPlan& plan,
                          const mesh::ChipSpec& chip) {
    const core::Bytes limit = free_l1(specs, plan, chip);
    const bool flat = share.multicast != Multicast::Both;
    const std::int64_t depth = specs.depth_tiles();
    const std::int64_t deepest = flat ? kDeepestNarrowBlock : ceil_div(depth, plan.grid.x);
    MatmulBlocks best = share;
    best.block_rows = best.block_cols = 1;
    core::Picoseconds least = grid_time(specs, plan, chip, best).total();
    for (const std::int64_t block : divisors(depth)) {
        if (block > deepest) continue;
        share.block_depth = block;
        for (const std::int64_t rows : cuts(share.core_rows)) {
            share.block_rows = rows;
            for (const std::int64_t cols : cuts(share.core_cols)) {
                share.block_cols = cols;
                if (buffers(specs, share) >= limit) continue;
                const core::Picoseconds time = grid_time(specs, plan, chip, share).total();
                if (time < least) {
                    least = time;
                    best = share;
                }
                break;  // smaller blocks only read more
            }
        }
    }
    return best;
}

/// One core per bank: its columns, K deep, at its share of the banks' rate.
OpTime bank_time(const MatmulSpecs& specs, const KernelPlan& plan, const mesh::ChipSpec& chip) {
    const std::int64_t cols = ceil_div(specs.col_tiles(), std::int64_t{plan.cores});
    const std::int64_t tiles = cols * specs.depth_tiles();
    const std::int64_t cycles = chip.tile_cycles[static_cast<std::size_t>(plan.fidelity)];
    core::Bytes rest;
    if (in_dram(plan.inputs, 0)) rest += specs.x.bytes();
    if (in_dram(plan.outputs, 0)) rest += specs.out.bytes();
    // A bank gives 1/banks of the rate; written so that the rate stays whole.
    const core::Bytes of_all = tensor::tile_bytes(specs.weight.dtype) * (tiles * chip.dram.banks);
    return {.compute = core::duration(core::Cycles{cycles} * tiles, chip.clock),
            .dram = of_all / chip.dram.sharded + rest / chip.dram.interleaved};
}

}  // namespace

bool is_dram_sharded(const MatmulSpecs& specs, const KernelPlan& plan) {
    return plan.inputs.size() > 1 && plan.inputs[1].layout == MemoryLayout::DramWidthSharded &&
           specs.row_tiles() == 1;
}

MatmulBlocks matmul_blocks(const MatmulSpecs& specs, const KernelPlan& plan,
                           const mesh::ChipSpec& chip, MatmulTuning tuning) {
    core::require(plan.grid.cores() > 0, "a matmul has a grid");
    const Multicast usual = default_multicast(specs, plan.grid);
    const MatmulBlocks untuned = default_blocks(specs, share_of(specs, plan.grid, usual), plan.grid,
                                                free_l1(specs, plan, chip));
    if (tuning == MatmulTuning::OutOfBox) return untuned;
    // Tuning keeps what is faster out of the box.
    MatmulBlocks best = untuned;
    core::Picoseconds least = grid_time(specs, plan, chip, best).total();
    for (const Multicast multicast : {Multicast::Activations, Multicast::Weight, Multicast::Both}) {
        const MatmulBlocks tuned =
            tuned_blocks(specs, share_of(specs, plan.grid, multicast), plan, chip);
        const core::Picoseconds time = grid_time(specs, plan, chip, tuned).total();
        if (time >= least) continue;
        best = tuned;
        least = time;
    }
    return best;
}

OpTime matmul_time(const MatmulSpecs& specs, const KernelPlan& plan, core::Cycles eltwise,
                   const mesh::ChipSpec& chip, MatmulTuning tuning) {
    OpTime time = is_dram_sharded(specs, plan)
                      ? bank_time(specs, plan, chip)
                      : grid_time(specs, plan, chip, matmul_blocks(specs, plan, chip, tuning));
    time.compute += core::duration(eltwise, chip.clock);
    return time;
}

}  // namespace dispatch

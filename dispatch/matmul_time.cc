#include "dispatch/matmul_time.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "core/error.h"
#include "dispatch/bank_time.h"
#include "dispatch/tile_product.h"
#include "mesh/kernel_spec.h"

namespace dispatch {
namespace {

// ttnn's get_per_core_factor starts at 16 and is_narrow_shape asks for a ratio above 8
// (tenstorrent/tt-metal: ttnn/cpp/ttnn/operations/matmul/device/config/matmul_program_config.cpp).
constexpr std::int64_t kDefaultFactor = 16;
constexpr std::int64_t kNarrowRatio = 8;
// Deepest block of a 1-D matmul. GUESS: as the circular buffers of dispatch/lower.cc.
constexpr std::int64_t kDeepestNarrowBlock = 8;
// bmm_op_utils::SUBBLOCK_HW_CHOICES, the first that divides a core's block.
constexpr std::array<std::array<std::int64_t, 2>, 20> kSubBlocks{
    {{4, 2}, {2, 4}, {8, 1}, {1, 8}, {7, 1}, {1, 7}, {3, 2}, {2, 3}, {6, 1}, {1, 6},
     {5, 1}, {1, 5}, {2, 2}, {4, 1}, {1, 4}, {3, 1}, {1, 3}, {2, 1}, {1, 2}, {1, 1}}};
// models/tt_transformers/tt/model_config.py: grids of at most 8 x 8, in0_block_w of at most 8
// (find_largest_divisor), get_out_subblock_w of at most 4, prefill_len_cutoff of 1024 rows, 512 on
// Blackhole, MAX_QKV_MM_SEQ_LEN of 2048; XQKV_PREFILL_PROGCFG has blocks of one tile of K.
constexpr std::int64_t kModelGrid = 8;
constexpr std::int64_t kDeepestModelBlock = 8;
constexpr std::int64_t kWidestModelSubBlock = 4;
constexpr std::int64_t kLongestQkvBatch = 2048 / tensor::kTileSide;
constexpr std::int64_t kLongestBatch = 1024 / tensor::kTileSide;
constexpr std::int64_t kLongestBlackholeBatch = 512 / tensor::kTileSide;
constexpr std::int64_t kLongestPlainPrompt = 128 / tensor::kTileSide;
constexpr std::int64_t kMinimalBlock = 8;  // MinimalMatmulConfig's default M, K and N block

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

std::int64_t largest_divisor(std::int64_t number, std::int64_t most) {
    std::int64_t divisor = std::min(number, most);
    while (divisor > 1 && number % divisor != 0) --divisor;
    return std::max<std::int64_t>(divisor, 1);
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

/// L1 of one core that operands leave for circular buffers. Activations that do not fit are not
/// there as a whole: windows of a convolution are put together block by block.
core::Bytes free_l1(const MatmulSpecs& specs, const KernelPlan& plan, const mesh::ChipSpec& chip) {
    const auto per_core = [&](core::Bytes bytes) {
        return core::Bytes{ceil_div(bytes.value, std::int64_t{plan.grid.cores()})};
    };
    const core::Bytes out = in_dram(plan.outputs, 0) ? core::Bytes{} : specs.out.bytes();
    const core::Bytes x = in_dram(plan.inputs, 0) ? core::Bytes{} : specs.x.bytes();
    const core::Bytes usable = chip.l1.size - chip.l1.unreserved_base;
    const core::Bytes left = usable - per_core(out + x);
    return left.value > 0 ? left : usable - per_core(out);
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

void set_sub_block(MatmulBlocks& blocks) {
    for (const auto& [rows, cols] : kSubBlocks) {
        if (blocks.block_rows % rows != 0 || blocks.block_cols % cols != 0) continue;
        blocks.sub_rows = rows;
        blocks.sub_cols = cols;
        return;
    }
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
        if (auto found = largest_that_fits(specs, share, limit)) {
            set_sub_block(*found);
            return *found;
        }
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

double bytes_per_cycle(core::BytesPerSecond rate, const mesh::ChipSpec& chip) {
    return static_cast<double>(rate.value) / static_cast<double>(chip.clock.value);
}

/// How an operand's tiles reach the cores of its row or column.
enum class Delivery { Multicast, Chain, Own };

/// Cycles per byte: the core that reads a block from DRAM sends it on, and does one after the
/// other.
double feed_cycles(Delivery delivery, double place_rate, const mesh::ChipSpec& chip) {
    const double neighbour = bytes_per_cycle(chip.core_l1, chip);
    double cycles = place_rate > 0 ? 1 / place_rate : 0;
    if (delivery == Delivery::Multicast) cycles += 1 / chip.kernels->matmul.feed_bytes_per_cycle;
    if (delivery == Delivery::Chain) cycles += 1 / neighbour;
    return cycles > 0 ? cycles : 1 / neighbour;
}

/// Cycles of a small multicast from one of the cores to a row, a column or all of them.
double multicast_latency(Multicast multicast, std::size_t input, mesh::Grid grid,
                         const mesh::ChipSpec& chip) {
    mesh::NocTraffic traffic;
    traffic.op = mesh::NocOp::MulticastLinked;
    traffic.size = core::Bytes{64};
    traffic.sender = mesh::NocSender::AmongTargets;
    traffic.targets = grid;
    if (multicast == Multicast::Both) {
        traffic.targets = input == 0 ? mesh::Grid{grid.x, 1} : mesh::Grid{1, grid.y};
    }
    return static_cast<double>(mesh::noc_time(chip.kernels->noc, traffic).total().value);
}

/// Cycles until a block of one operand has come: a read and its barrier, then a multicast, which
/// waits for the cores it goes to; the other operand comes meanwhile.
double feed_of_block(const MatmulSpecs& specs, const KernelPlan& plan, const mesh::ChipSpec& chip,
                     const MatmulBlocks& blocks) {
    const mesh::MatmulSpec& spec = chip.kernels->matmul;
    const Delivery sent = blocks.hops > 0 ? Delivery::Chain : Delivery::Multicast;
    const auto cycles = [&](std::size_t input, Multicast alone, const tensor::Spec& operand,
                            std::int64_t tiles) {
        const bool own = blocks.multicast == alone || plan.grid.cores() == 1;
        const Delivery delivery = own ? Delivery::Own : sent;
        const bool dram = in_dram(plan.inputs, input);
        const auto read =
            static_cast<double>(dram ? chip.kernels->stream.dram_latency.value : std::int64_t{0});
        const double send = delivery == Delivery::Multicast
                                ? multicast_latency(blocks.multicast, input, plan.grid, chip)
                                : 0;
        const core::Bytes bytes = tensor::tile_bytes(operand.dtype) * (tiles * blocks.block_depth);
        return read + send +
               static_cast<double>(bytes.value) *
                   feed_cycles(delivery, dram ? spec.reader_bytes_per_cycle : 0, chip);
    };
    return std::max(cycles(0, Multicast::Weight, specs.x, blocks.block_rows),
                    cycles(1, Multicast::Activations, specs.weight, blocks.block_cols));
}

/// Cycles of one tile of the output in a block of K whose products take `products`. Its sums go
/// through the core like a tile of an eltwise op, unless the packer adds them up in L1 while the
/// next sub-block is made: then a sub-block is not done sooner than a tile goes through.
double tile_cycles(double products, const MatmulBlocks& blocks, const KernelPlan& plan,
                   const mesh::ChipSpec& chip) {
    const auto through = static_cast<double>(chip.eltwise_tile_cycles);
    if (plan.partial_sums == PartialSums::ReadBack) return products + through;
    return std::max(products, through / static_cast<double>(blocks.sub_rows * blocks.sub_cols));
}

/// Bytes that the busier of the two unpackers, one per operand, brings in for a tile product: the
/// operand along the shorter side of a sub-block stays in the registers while that along the longer
/// one goes by (tenstorrent/tt-llk: tt_llk_wormhole_b0/llk_lib/llk_unpack_AB_matmul.h, reuse_a).
double unpacked_bytes(const MatmulSpecs& specs, const MatmulBlocks& blocks) {
    const auto x = static_cast<double>(tensor::tile_bytes(specs.x.dtype).value);
    const auto weight = static_cast<double>(tensor::tile_bytes(specs.weight.dtype).value);
    return blocks.sub_cols >= blocks.sub_rows
               ? std::max(weight, x / static_cast<double>(blocks.sub_cols))
               : std::max(x, weight / static_cast<double>(blocks.sub_rows));
}

// A tile product takes its fidelity phases, or what the unpacker needs to bring in a tile; blocks
// of K arrive after a read of DRAM. The two overlap but for their jitter: the cubic norm is never
// below the longer, and 26 % above it when they are equal. Calibrated on GEMM_FLOPS.md.
Passes passes(const MatmulSpecs& specs, const KernelPlan& plan, const mesh::ChipSpec& chip,
              const MatmulBlocks& blocks) {
    const double product = product_cycles(unpacked_bytes(specs, blocks), plan.fidelity, chip);
    const auto depth = static_cast<double>(blocks.block_depth);
    const double compute = static_cast<double>(blocks.block_rows * blocks.block_cols) *
                           tile_cycles(depth * product, blocks, plan, chip);
    const double feed = feed_of_block(specs, plan, chip, blocks);
    const double both = std::cbrt(compute * compute * compute + feed * feed * feed);
    const auto steps = static_cast<double>(blocks.batches * blocks.passes()) *
                       std::ceil(static_cast<double>(specs.depth_tiles()) / depth);
    return {compute * steps, feed * steps, both * steps};
}

/// A chain of cores is filled block by block before its last core has the first one.
double fill_cycles(const MatmulSpecs& specs, const mesh::ChipSpec& chip,
                   const MatmulBlocks& blocks) {
    const core::Bytes x = tensor::tile_bytes(specs.x.dtype) * blocks.block_rows;
    const core::Bytes weight = tensor::tile_bytes(specs.weight.dtype) * blocks.block_cols;
    const std::int64_t block = std::max(x, weight).value * blocks.block_depth * blocks.hops;
    return static_cast<double>(block) / bytes_per_cycle(chip.core_l1, chip);
}

core::Picoseconds loaded(double cycles, const mesh::ChipSpec& chip) {
    const auto clock = static_cast<double>(chip.clock.value) * chip.kernels->matmul.clock_factor;
    return core::duration(core::Cycles{std::llround(std::ceil(cycles))},
                          core::Hertz{std::llround(clock)});
}

/// All cores write their last blocks at once.
core::Picoseconds write_time(const MatmulSpecs& specs, const mesh::ChipSpec& chip) {
    const core::Picoseconds full = specs.out.bytes() / chip.dram.interleaved;
    return core::Picoseconds{
        std::llround(static_cast<double>(full.count()) / chip.kernels->matmul.write_share)};
}

OpTime grid_time(const MatmulSpecs& specs, const KernelPlan& plan, const mesh::ChipSpec& chip,
                 const MatmulBlocks& blocks) {
    const Passes cycles = passes(specs, plan, chip, blocks);
    core::Bytes read;
    if (in_dram(plan.inputs, 0)) read += specs.x.bytes() * blocks.col_passes();
    if (in_dram(plan.inputs, 1)) {
        read += specs.weight.bytes() * (blocks.row_passes() * blocks.batches);
    }
    // Only the write of a batch's last block has nothing to hide behind.
    core::Picoseconds alone =
        chip.kernels->stream.start + loaded(fill_cycles(specs, chip, blocks), chip);
    if (in_dram(plan.outputs, 0)) {
        alone += write_time(specs, chip) / blocks.passes();
    }
    OpTime time{.compute = alone + loaded(cycles.compute, chip),
                .dram = alone + read / chip.dram.interleaved,
                .l1 = alone + loaded(cycles.feed, chip)};
    (cycles.compute >= cycles.feed ? time.compute : time.l1) =
        alone + loaded(cycles.together, chip);
    return time;
}

/// The sub-block that unpacks least, of those the largest; a core's share is padded to whole ones.
void set_best_sub_block(const MatmulSpecs& specs, MatmulBlocks& blocks) {
    std::optional<double> least;
    for (const auto& [rows, cols] : kSubBlocks) {
        if (rows > blocks.block_rows || cols > blocks.block_cols) continue;
        MatmulBlocks tried = blocks;
        tried.sub_rows = rows;
        tried.sub_cols = cols;
        const double bytes = unpacked_bytes(specs, tried);
        if (least && bytes >= *least) continue;
        least = bytes;
        blocks = tried;
    }
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
                set_best_sub_block(specs, share);
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

/// Tile rows of a long prompt that are multiplied at a time.
std::int64_t longest_batch(Projection::Makes makes, mesh::Arch arch) {
    if (makes == Projection::Makes::Qkv) return kLongestQkvBatch;
    const bool short_batch = arch == mesh::Arch::Blackhole && makes != Projection::Makes::Output;
    return short_batch ? kLongestBlackholeBatch : kLongestBatch;
}

/// The prefill configs of tt_transformers: 8 columns of cores (one per bank where there are fewer),
/// rows of cores that divide K, rows of a long prompt in batches (models/tt_transformers/tt/
/// model_config.py: matmul_config, find_prefill_grid, prefill_len_cutoff).
MatmulBlocks model_blocks(const MatmulSpecs& specs, const KernelPlan& plan,
                          const mesh::ChipSpec& chip) {
    const Projection& projection = plan.projection;
    const std::int64_t most = longest_batch(projection.makes, chip.arch);
    const std::int64_t depth =
        projection.depth_tiles > 0 ? projection.depth_tiles : specs.depth_tiles();
    const std::int64_t cols = std::min<std::int64_t>(kModelGrid, chip.dram.banks);
    const bool single = projection.makes == Projection::Makes::Qkv;
    const std::int64_t most_rows = std::min<std::int64_t>(kModelGrid, plan.grid.y);
    const std::int64_t rows = single ? most_rows : largest_divisor(depth, most_rows);
    MatmulBlocks blocks;
    blocks.batches = ceil_div(specs.row_tiles(), most);
    blocks.core_rows = blocks.block_rows = ceil_div(std::min(specs.row_tiles(), most), rows);
    blocks.core_cols = blocks.block_cols = ceil_div(specs.col_tiles(), cols);
    if (single) return blocks;
    blocks.block_depth = largest_divisor(depth / rows, kDeepestModelBlock);
    if (projection.sub_blocks == Projection::SubBlocks::Largest) {
        blocks.sub_cols = largest_divisor(blocks.block_cols, kWidestModelSubBlock);
    }
    return blocks;
}

/// minimal_matmul: squares of 8 tiles, handed on from core to core (tenstorrent/tt-metal:
/// ttnn/cpp/ttnn/operations/experimental/minimal_matmul/device/minimal_matmul_program_factory.cpp).
MatmulBlocks minimal_blocks(const MatmulSpecs& specs, mesh::Grid grid) {
    MatmulBlocks blocks = share_of(specs, grid, Multicast::Both);
    blocks.block_rows = std::min(blocks.core_rows, kMinimalBlock);
    blocks.block_cols = std::min(blocks.core_cols, kMinimalBlock);
    blocks.block_depth = std::min(specs.depth_tiles(), kMinimalBlock);
    blocks.hops = std::max(grid.x, grid.y) - 1;
    set_sub_block(blocks);
    return blocks;
}

/// Those that tt_transformers gives to it (tenstorrent/tt-metal PR #37739, 2026-02): prompts longer
/// than 128, on grids of at most 8 x 8.
bool is_minimal(const MatmulSpecs& specs, const KernelPlan& plan) {
    const Projection::Makes makes = plan.projection.makes;
    return specs.row_tiles() > kLongestPlainPrompt &&
           (makes == Projection::Makes::Qkv || makes == Projection::Makes::Down);
}

mesh::Grid model_grid(const KernelPlan& plan) {
    constexpr auto kMost = static_cast<std::int32_t>(kModelGrid);
    return {std::min(plan.grid.x, kMost), std::min(plan.grid.y, kMost)};
}

}  // namespace

bool is_dram_sharded(const MatmulSpecs& specs, const KernelPlan& plan) {
    return plan.inputs.size() > 1 && plan.inputs[1].layout == MemoryLayout::DramWidthSharded &&
           specs.row_tiles() == 1;
}

MatmulBlocks matmul_blocks(const MatmulSpecs& specs, const KernelPlan& plan,
                           const mesh::ChipSpec& chip, MatmulTuning tuning) {
    core::require(plan.grid.cores() > 0, "a matmul has a grid");
    if (tuning == MatmulTuning::Minimal) return minimal_blocks(specs, plan.grid);
    const bool model = tuning == MatmulTuning::Model || tuning == MatmulTuning::NewerModel;
    if (model && specs.row_tiles() > 1) {
        const bool minimal = tuning == MatmulTuning::NewerModel && is_minimal(specs, plan);
        return minimal ? minimal_blocks(specs, model_grid(plan)) : model_blocks(specs, plan, chip);
    }
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

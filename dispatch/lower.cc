#include "dispatch/lower.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "core/error.h"
#include "dispatch/attention_time.h"
#include "dispatch/bank_blocks.h"

namespace dispatch {
namespace {

using tensor::Spec;

// Runtime arguments and kernel groups by kind of op. GUESS: plausible magnitudes, not counted in
// any program factory and not measured; today they set trace and binary sizes only.
struct LaunchShape {
    std::int32_t common_args;
    std::int32_t unique_args;
    std::int32_t kernel_groups;
};
constexpr LaunchShape kMatmulLaunch{8, 24, 2};
constexpr LaunchShape kAttentionLaunch{8, 32, 1};
constexpr LaunchShape kEltwiseLaunch{4, 8, 1};

// Wider shards are interleaved instead: the outputs of LM head splits, whose widths have few
// divisors. GUESS: the limit keeps all splits beside the circular buffers, as they are on the
// device.
constexpr std::int64_t kWidestShardTiles = 32;

bool is_grid(std::int64_t cores, mesh::Grid limit) {
    for (std::int64_t rows = 1; rows <= limit.y; ++rows) {
        if (cores % rows == 0 && cores / rows <= limit.x) return true;
    }
    return false;
}

std::int32_t dram_cores(const Spec& weight, const mesh::ChipSpec& chip) {
    // One compute core per bank that holds columns; banks with only padding are dropped.
    const std::int64_t per_bank = core::ceil_div(weight.tile_cols(), std::int64_t{chip.dram.banks});
    return static_cast<std::int32_t>(core::ceil_div(weight.tile_cols(), per_bank));
}

core::Bytes tile_of(const Spec& spec) { return tensor::tile_bytes(spec.dtype); }

std::int64_t total_tiles(const Spec& spec) {
    return spec.layout == tensor::Layout::Tile
               ? spec.tiles()
               : core::ceil_div(spec.shape.elements(), tensor::kTileElements);
}

void place(KernelPlan& plan, LaunchShape shape, std::int32_t cores, mesh::Grid grid) {
    plan.cores = std::max(1, std::min(cores, grid.cores()));
    plan.grid = grid;
    plan.common_args = shape.common_args;
    plan.unique_args = shape.unique_args;
    plan.kernel_groups = shape.kernel_groups;
}

// Double-buffered tiles of every operand: the circular buffers of a streaming kernel.
void add_streams(KernelPlan& plan, std::span<const Spec> in, std::span<const Spec> out,
                 std::int64_t in_tiles) {
    std::int32_t index = 0;
    for (const Spec& spec : in) {
        plan.circular_buffers.push_back(
            {"in" + std::to_string(index++), tile_of(spec) * (2 * in_tiles)});
    }
    for (const Spec& spec : out) plan.circular_buffers.push_back({"out", tile_of(spec) * 2});
}

// On the grid, block shapes and buffering are GUESSES that keep L1 as full as the real
// configurations do.
void lower_matmul(KernelPlan& plan, std::span<const Spec> in, std::span<const Spec> out,
                  std::span<const MemoryConfig> placed, const LowerContext& context) {
    const Spec& x = in[0];
    const Spec& weight = in[1];
    const std::int64_t k_tiles = x.tile_cols();
    if (placed[1].layout == MemoryLayout::DramWidthSharded) {
        // DRAM-sharded matmul: activations multicast, one core next to each bank.
        place(plan, kMatmulLaunch, dram_cores(weight, *context.chip), context.worker_grid);
        const BankMatmul matmul{x, weight, out[0], placed[0], plan.cores, context.fidelity};
        plan.circular_buffers = bank_buffers(matmul, bank_blocks(matmul, *context.chip));
        return;
    }
    const std::int64_t rows = x.tile_rows() * x.shape.outer();
    const mesh::Grid grid = context.worker_grid;
    if (rows == 1) {
        // 1-D: output columns over the cores.
        const std::int32_t cores =
            static_cast<std::int32_t>(std::min<std::int64_t>(weight.tile_cols(), grid.cores()));
        place(plan, kMatmulLaunch, cores, grid);
        const std::int64_t per_core = core::ceil_div(weight.tile_cols(), std::int64_t{plan.cores});
        const std::int64_t block = std::clamp<std::int64_t>(k_tiles / 4, 1, 8);
        plan.circular_buffers = {{"in0", tile_of(x) * (2 * block)},
                                 {"in1", tile_of(weight) * (2 * block * per_core)},
                                 {"out", tile_of(out[0]) * per_core}};
        return;
    }
    // 2-D: rows over grid rows, columns over grid columns.
    const std::int64_t used_y = std::min<std::int64_t>(rows, grid.y);
    const std::int64_t used_x = std::min<std::int64_t>(weight.tile_cols(), grid.x);
    place(plan, kMatmulLaunch, static_cast<std::int32_t>(used_x * used_y), grid);
    const std::int64_t m = std::min<std::int64_t>(core::ceil_div(rows, used_y), 8);
    const std::int64_t n = std::min<std::int64_t>(core::ceil_div(weight.tile_cols(), used_x), 16);
    const std::int64_t block = std::clamp<std::int64_t>(k_tiles / 8, 1, 4);
    plan.circular_buffers = {{"in0", tile_of(x) * (2 * block * m)},
                             {"in1", tile_of(weight) * (2 * block * n)},
                             {"out", tile_of(out[0]) * (m * n)}};
}

// GUESS: the products of the experts run one after the other, each like a matmul of its own; the
// plan is that of one expert's w1 on all rows (tenstorrent/tt-metal: ttnn sparse_matmul). Where
// they are ordinary matmuls their times are theirs (dispatch/experts_time.h).
void lower_experts(KernelPlan& plan, const tensor::Experts& op, std::span<const Spec> in,
                   std::span<const MemoryConfig> placed, const LowerContext& context) {
    const Spec& w1 = in[2];
    const Spec weight{{w1.shape[1], w1.shape[2]}, w1.dtype, w1.layout};
    const Spec hidden{{in[0].shape[0], w1.shape[2]}, op.hidden, tensor::Layout::Tile};
    const std::array<Spec, 2> operands{in[0], weight};
    const std::array<MemoryConfig, 2> places{placed[0], placed[2]};
    lower_matmul(plan, operands, std::span(&hidden, 1), places, context);
}

void lower_norm(KernelPlan& plan, std::span<const Spec> in, std::span<const Spec> out,
                const LowerContext& context) {
    const Spec& x = in[0];
    // Decode: the row is sharded over find_grid's cores. Prefill: one core per tile row.
    const std::int32_t cores =
        context.phase == tensor::Phase::Decode
            ? std::max(1, nearest_core_count(x.tile_cols(), context.worker_grid))
            : static_cast<std::int32_t>(x.tile_rows() * x.shape.outer());
    place(plan, kEltwiseLaunch, cores, context.worker_grid);
    add_streams(plan, in, out, 4);
}

void lower_attention(KernelPlan& plan, std::span<const Spec> in, std::span<const Spec> out,
                     const LowerContext& context) {
    const Spec& q = in[0];
    const Spec& k = in[1];
    const std::int64_t head_tiles = core::ceil_div(q.shape[-1], tensor::kTileSide);
    const std::int64_t available = context.worker_grid.cores();
    std::int64_t cores = 0;
    std::int64_t chunk_tiles = 4;
    if (context.phase == tensor::Phase::Decode) {
        // Positions, and with them the chunk of keys, are known when it runs.
        DecodeAttention shape;
        shape.of.kv_heads = k.shape[1];
        shape.contexts.resize(static_cast<std::size_t>(q.shape[0]));
        // Pairwise since February 2026 (tenstorrent/tt-metal PR #37004).
        plan.attention.reduction =
            context.release == Release::R2025 ? Reduction::Linear : Reduction::Tree;
        cores = decode_cores(shape, available, kMostCoresPerHead);
    } else {
        plan.attention = prefill_config(q.shape[-2], 0);
        chunk_tiles = plan.attention.q_chunk / tensor::kTileSide;
        PrefillAttention shape{.rows = q.shape[-2], .keys = q.shape[-2]};
        shape.of.heads = q.shape[0];
        cores = prefill_cores(shape, plan.attention, available);
    }
    place(plan, kAttentionLaunch, static_cast<std::int32_t>(cores), context.worker_grid);
    const core::Bytes score = tensor::tile_bytes(tensor::DType::BFloat16);
    plan.circular_buffers = {{"q", tile_of(q) * (chunk_tiles * head_tiles)},
                             {"k", tile_of(k) * (2 * chunk_tiles * head_tiles)},
                             {"v", tile_of(in[2]) * (2 * chunk_tiles * head_tiles)},
                             {"scores", score * (chunk_tiles * chunk_tiles)},
                             {"out", tile_of(out[0]) * (2 * chunk_tiles * head_tiles)}};
}

void lower_eltwise(KernelPlan& plan, std::span<const Spec> in, std::span<const Spec> out,
                   const LowerContext& context) {
    std::int64_t tiles = 1;
    for (const Spec& spec : out) tiles = std::max(tiles, total_tiles(spec));
    place(plan, kEltwiseLaunch,
          static_cast<std::int32_t>(std::min<std::int64_t>(tiles, context.worker_grid.cores())),
          context.worker_grid);
    add_streams(plan, in, out, 1);
}

bool is_attention(const tensor::Op& op) {
    return std::holds_alternative<tensor::SdpaDecode>(op) ||
           std::holds_alternative<tensor::Sdpa>(op) ||
           std::holds_alternative<tensor::ChunkedSdpa>(op);
}

bool is_norm(const tensor::Op& op) {
    return std::holds_alternative<tensor::RmsNorm>(op) ||
           std::holds_alternative<tensor::RmsNormStats>(op) ||
           std::holds_alternative<tensor::RmsNormApply>(op);
}

bool is_in_place(const tensor::Op& op) {
    return std::holds_alternative<tensor::UpdateCache>(op) ||
           std::holds_alternative<tensor::FillCache>(op);
}

}  // namespace

std::int32_t nearest_core_count(std::int64_t tiles, mesh::Grid limit) {
    std::int64_t best = 0;
    for (std::int64_t cores = 1; cores <= limit.cores(); ++cores) {
        if (tiles % cores != 0 || !is_grid(cores, limit)) continue;
        if (best == 0 || std::llabs(cores - 32) < std::llabs(best - 32)) best = cores;
    }
    return static_cast<std::int32_t>(best);
}

MemoryConfig activation_memory(const Spec& spec, tensor::Phase phase, mesh::Grid worker_grid) {
    if (phase == tensor::Phase::Prefill || spec.layout != tensor::Layout::Tile) {
        return {mesh::BufferType::Dram, MemoryLayout::Interleaved, 0};
    }
    if (spec.shape.rank() == 2 && spec.tile_rows() == 1) {
        const std::int32_t cores = nearest_core_count(spec.tile_cols(), worker_grid);
        const bool narrow = cores > 0 && spec.tile_cols() / cores <= kWidestShardTiles;
        if (narrow) return {mesh::BufferType::L1, MemoryLayout::WidthSharded, cores};
    }
    return {mesh::BufferType::L1, MemoryLayout::Interleaved, 0};
}

KernelPlan lower(const tensor::Op& op, std::span<const Spec> in, std::span<const Spec> out,
                 std::span<const MemoryConfig> placed, const LowerContext& context) {
    core::require(context.chip != nullptr && placed.size() == in.size(),
                  "lower knows the chip and every input's place");
    KernelPlan plan;
    plan.fidelity = context.fidelity;
    plan.inputs.assign(placed.begin(), placed.end());
    for (const Spec& spec : out) {
        plan.outputs.push_back(activation_memory(spec, context.phase, context.worker_grid));
    }
    if (is_in_place(op)) plan.outputs = {placed[0]};
    if (std::holds_alternative<tensor::SdpaDecode>(op)) {
        // The decode attention leaves its output in DRAM (tt_transformers attention.py).
        plan.outputs = {{mesh::BufferType::Dram, MemoryLayout::Interleaved, 0}};
    }
    if (std::holds_alternative<tensor::Linear>(op)) {
        lower_matmul(plan, in, out, placed, context);
    } else if (const auto* experts = std::get_if<tensor::Experts>(&op)) {
        lower_experts(plan, *experts, in, placed, context);
    } else if (is_attention(op)) {
        lower_attention(plan, in, out, context);
    } else if (is_norm(op)) {
        lower_norm(plan, in, out, context);
    } else {
        lower_eltwise(plan, in, out, context);
    }
    return plan;
}

}  // namespace dispatch

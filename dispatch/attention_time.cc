// How long fused attention takes: the steps of the busiest core, what all cores read meanwhile, and
// the merging of partial results in decode. The matrix unit, its clock and the start of a kernel
// are those of matmuls (mesh::MatmulSpec). Program rules cite the factory they follow. Units:
// cycles of the loaded clock until the end, then picoseconds.
#include "dispatch/attention_time.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "core/error.h"
#include "dispatch/tile_product.h"
#include "mesh/kernel_spec.h"
#include "tensor/ops/kv_cache.h"

namespace dispatch {
namespace {

using core::ceil_div;
using tensor::kTileSide;

// Chunks that a sweep tries (tenstorrent/tt-metal: tests of scaled_dot_product_attention).
constexpr std::array<std::int64_t, 5> kSweptChunks{32, 64, 128, 256, 512};
// Of the dynamic chunk of decode, get_dynamic_Sk_chunk_t: a power of two of at most 8 tiles
// (tenstorrent/tt-metal: sdpa_decode/device/kernels/rt_args_common.hpp).
constexpr std::int64_t kDynamicChunk = 8 * kTileSide;

std::int64_t tiles(std::int64_t count) { return ceil_div(count, kTileSide); }

double bytes_of(tensor::DType dtype) {
    return static_cast<double>(tensor::tile_bytes(dtype).value);
}

/// What the cores do together and what the busiest of them does alone.
struct Walk {
    std::int64_t steps = 0;  // of the busiest core
    double cycles = 0;       // of these steps
    core::Bytes read;        // K and V, all cores
    core::Bytes rest;        // q and the output, all cores
    core::Bytes first;       // the first K and V chunks of all cores: nothing to hide behind
    std::int64_t active = 1;
};

/// One chunk of queries against one chunk of keys; the softmax leaves bf16 for the product with V.
double step_cycles(const AttentionHeads& of, std::int64_t q_tiles, std::int64_t k_tiles,
                   const KernelPlan& plan, const mesh::ChipSpec& chip) {
    const mesh::AttentionSpec& spec = chip.kernels->attention;
    const double scores =
        product_cycles(std::max(bytes_of(of.q), bytes_of(of.kv)), plan.fidelity, chip);
    const double values = product_cycles(
        std::max(bytes_of(tensor::DType::BFloat16), bytes_of(of.kv)), plan.fidelity, chip);
    double softmax = static_cast<double>(spec.softmax_tile.value);
    if (plan.attention.exp == ExpMode::Exact) softmax += static_cast<double>(spec.exact_exp.value);
    const double tile = static_cast<double>(tiles(of.q_dim)) * scores +
                        static_cast<double>(tiles(of.v_dim)) * values + softmax;
    return static_cast<double>(q_tiles * k_tiles) * tile + static_cast<double>(spec.chunk.value);
}

core::Bytes chunk_bytes(const AttentionHeads& of, std::int64_t k_tiles) {
    return tensor::tile_bytes(of.kv) * (k_tiles * (tiles(of.q_dim) + tiles(of.v_dim)));
}

core::Picoseconds loaded(double cycles, const mesh::ChipSpec& chip) {
    const auto clock = static_cast<double>(chip.clock.value) * chip.kernels->matmul.clock_factor;
    return core::duration(core::Cycles{std::llround(std::ceil(cycles))},
                          core::Hertz{std::llround(clock)});
}

/// All cores together read at the interleaved rate of the banks, each at most at that of its port.
core::Picoseconds read_time(core::Bytes size, std::int64_t active, const mesh::ChipSpec& chip) {
    return std::max(size / chip.dram.interleaved,
                    core::Bytes{ceil_div(size.value, active)} / chip.core_l1);
}

/// Reading and computing overlap but for their jitter: the cubic norm, as in matmuls.
OpTime overlapped(const Walk& walk, core::Cycles merging, const mesh::ChipSpec& chip) {
    const core::Picoseconds alone = chip.kernels->attention.start +
                                    read_time(walk.first, walk.active, chip) +
                                    loaded(static_cast<double>(merging.value), chip);
    const core::Picoseconds compute = loaded(walk.cycles, chip);
    const core::Picoseconds dram =
        read_time(walk.read, walk.active, chip) + walk.rest / chip.dram.interleaved;
    const auto c = static_cast<double>(compute.count());
    const auto d = static_cast<double>(dram.count());
    const core::Picoseconds both{std::llround(std::cbrt(c * c * c + d * d * d))};
    OpTime time{.compute = alone + compute, .dram = alone + dram};
    (compute >= dram ? time.compute : time.dram) = alone + both;
    return time;
}

/// How query chunks are dealt over cores.
struct Deal {
    std::int64_t chunks = 1;    // of one head of one user
    std::int64_t per_head = 1;  // cores of a head
    std::int64_t rounds = 1;    // heads and users that a core takes one after the other
    std::int64_t cores = 1;     // all of them
};

// SDPAProgramFactory: users first, then heads, then query chunks.
Deal deal(const PrefillAttention& shape, const AttentionConfig& config, std::int64_t available) {
    Deal deal;
    deal.chunks = ceil_div(shape.rows, config.q_chunk);
    const std::int64_t users = std::min(shape.batch, available);
    const std::int64_t heads = std::min(available / users, shape.of.heads);
    deal.per_head = std::min(available / (users * heads), deal.chunks);
    deal.rounds = ceil_div(shape.batch, users) * ceil_div(shape.of.heads, heads);
    deal.cores = users * heads * deal.per_head;
    return deal;
}

std::int64_t key_chunks(const PrefillAttention& shape, const AttentionConfig& config,
                        std::int64_t q_chunk) {
    const std::int64_t first = shape.prior + q_chunk * config.q_chunk;
    const bool causal = shape.mask == AttentionMask::Causal;
    const std::int64_t end = causal ? std::min(first + config.q_chunk, shape.keys) : shape.keys;
    const std::int64_t begin =
        shape.window > 0 ? std::max<std::int64_t>(0, first - shape.window + 1) : 0;
    return ceil_div(end, config.k_chunk) - begin / config.k_chunk;
}

/// Steps of the busiest core of a head and of all of them. Cores take a low and a high chunk in
/// turn, so that causal work is even.
std::pair<std::int64_t, std::int64_t> head_steps(const PrefillAttention& shape,
                                                 const AttentionConfig& config, const Deal& deal) {
    std::vector<std::int64_t> load(static_cast<std::size_t>(deal.per_head), 0);
    std::int64_t all = 0;
    for (std::int64_t chunk = 0; chunk < deal.chunks; ++chunk) {
        const std::int64_t place = chunk % deal.per_head;
        const bool forth = (chunk / deal.per_head) % 2 == 0;
        const std::int64_t steps = key_chunks(shape, config, chunk);
        load[static_cast<std::size_t>(forth ? place : deal.per_head - 1 - place)] += steps;
        all += steps;
    }
    return {*std::max_element(load.begin(), load.end()), all};
}

Walk prefill_walk(const PrefillAttention& shape, const KernelPlan& plan,
                  const mesh::ChipSpec& chip) {
    const AttentionConfig& config = plan.attention;
    const Deal dealt = deal(shape, config, plan.cores);
    const std::int64_t q_tiles = tiles(std::min(config.q_chunk, shape.rows));
    const core::Bytes chunk = chunk_bytes(shape.of, tiles(std::min(config.k_chunk, shape.keys)));
    const std::int64_t heads = shape.batch * shape.of.heads;
    Walk walk;
    std::int64_t reads = 0;  // of chunks
    if (config.split == WorkSplit::Flat) {
        const std::int64_t units = heads * dealt.chunks;
        const std::int64_t each = ceil_div(units, std::int64_t{plan.cores});
        walk.active = std::min<std::int64_t>(units, plan.cores);
        walk.steps = each * key_chunks(shape, config, dealt.chunks - 1);
        reads = heads * std::min(each, dealt.chunks) * key_chunks(shape, config, dealt.chunks - 1);
    } else {
        const auto [busiest, all] = head_steps(shape, config, dealt);
        walk.active = dealt.cores;
        walk.steps = busiest * dealt.rounds;
        reads = heads * (shape.mask == AttentionMask::Full ? busiest : all);
    }
    const bool forwarded = shape.mask == AttentionMask::Full;
    walk.cycles =
        static_cast<double>(walk.steps) *
        step_cycles(shape.of, q_tiles, tiles(std::min(config.k_chunk, shape.keys)), plan, chip);
    walk.read = chunk * reads;
    walk.first = chunk * (forwarded ? std::min(heads, walk.active) : walk.active);
    walk.rest = tensor::tile_bytes(shape.of.q) *
                (heads * tiles(shape.rows) * (tiles(shape.of.q_dim) + tiles(shape.of.v_dim)));
    return walk;
}

/// One core's circular buffers: q, K and V twice, scores, two partial outputs and the output.
core::Bytes buffers(const PrefillAttention& shape, const AttentionConfig& config) {
    const std::int64_t q = tiles(config.q_chunk);
    const std::int64_t k = tiles(config.k_chunk);
    const std::int64_t v_dim = tiles(shape.of.v_dim);
    return tensor::tile_bytes(shape.of.q) * (2 * q * tiles(shape.of.q_dim) + q * v_dim) +
           chunk_bytes(shape.of, k) * 2 +
           tensor::tile_bytes(tensor::DType::BFloat16) * (q * k + 2 * q * v_dim);
}

/// Keys of the busiest core and what the cores of one KV head do for one user.
struct UserWalk {
    std::int64_t chunks = 0;  // read
    std::int64_t each = 0;    // of the busiest core
    std::int64_t active = 0;  // cores with keys
    std::int64_t k_tiles = 0;
};

// get_workload_for_core: whole chunks, the window's begin and end rounded outwards.
UserWalk user_walk(const DecodeAttention& shape, const AttentionConfig& config,
                   std::int64_t context, std::int64_t cores) {
    UserWalk walk;
    if (context <= 0) return walk;
    const std::int64_t chunk = decode_chunk(config, context);
    const std::int64_t begin =
        shape.window > 0 ? std::max<std::int64_t>(0, context - shape.window) : 0;
    walk.chunks = ceil_div(context, chunk) - begin / chunk;
    walk.each = ceil_div(walk.chunks, cores);
    walk.active = std::min(cores, walk.chunks);
    walk.k_tiles = tiles(chunk);
    return walk;
}

std::int64_t merges(std::int64_t active, Reduction reduction) {
    if (active <= 1) return 0;
    if (reduction == Reduction::Linear) return active - 1;
    return static_cast<std::int64_t>(std::bit_width(static_cast<std::uint64_t>(active - 1)));
}

void check(const AttentionHeads& of) {
    core::require(of.heads > 0 && of.kv_heads > 0 && of.heads % of.kv_heads == 0,
                  "query heads share KV heads evenly");
    core::require(of.q_dim > 0 && of.v_dim > 0, "heads have a depth");
}

AttentionHeads heads_of(const tensor::Spec& q, const tensor::Spec& k, std::int64_t heads,
                        std::int64_t kv_heads) {
    return {.heads = heads,
            .kv_heads = kv_heads,
            .q_dim = q.shape[-1],
            .v_dim = q.shape[-1],
            .q = q.dtype,
            .kv = k.dtype};
}

}  // namespace

AttentionConfig prefill_config(std::int64_t rows, std::int64_t prior) {
    std::int64_t chunk = rows >= 2048 ? 256 : 64;
    if (prior > 0) chunk = std::max(std::min(chunk, prior & -prior), kTileSide);
    return {.q_chunk = chunk, .k_chunk = chunk};
}

std::int64_t decode_chunk(const AttentionConfig& config, std::int64_t context) {
    if (config.k_chunk > 0) return config.k_chunk;
    const auto needed = static_cast<std::uint64_t>(tiles(std::max<std::int64_t>(context, 1)));
    return std::min(kDynamicChunk, static_cast<std::int64_t>(std::bit_ceil(needed)) * kTileSide);
}

AttentionConfig tuned_config(const PrefillAttention& shape, const KernelPlan& plan,
                             const mesh::ChipSpec& chip) {
    const core::Bytes limit = chip.l1.size - chip.l1.unreserved_base;
    KernelPlan tried = plan;
    tried.attention.q_chunk = tried.attention.k_chunk = kTileSide;
    AttentionConfig best = tried.attention;
    core::Picoseconds least = attention_time(shape, tried, chip).total();
    for (const std::int64_t q_chunk : kSweptChunks) {
        for (const std::int64_t k_chunk : kSweptChunks) {
            tried.attention.q_chunk = q_chunk;
            tried.attention.k_chunk = k_chunk;
            if (q_chunk > shape.rows || k_chunk > shape.keys) continue;
            if (buffers(shape, tried.attention) > limit) continue;
            const core::Picoseconds time = attention_time(shape, tried, chip).total();
            if (time >= least) continue;
            least = time;
            best = tried.attention;
        }
    }
    return best;
}

std::int64_t prefill_cores(const PrefillAttention& shape, const AttentionConfig& config,
                           std::int64_t available) {
    const Deal dealt = deal(shape, config, available);
    if (config.split == WorkSplit::PerHead) return dealt.cores;
    return std::min(available, shape.batch * shape.of.heads * dealt.chunks);
}

std::int64_t decode_cores(const DecodeAttention& shape, std::int64_t available,
                          std::int64_t most_per_head) {
    const auto users = static_cast<std::int64_t>(shape.contexts.size());
    const std::int64_t groups = std::max<std::int64_t>(users * shape.of.kv_heads, 1);
    return std::min(available,
                    groups * std::clamp<std::int64_t>(available / groups, 1, most_per_head));
}

OpTime attention_time(const PrefillAttention& shape, const KernelPlan& plan,
                      const mesh::ChipSpec& chip) {
    check(shape.of);
    const AttentionConfig& config = plan.attention;
    core::require(config.q_chunk > 0 && config.q_chunk % kTileSide == 0 && config.k_chunk > 0 &&
                      config.k_chunk % kTileSide == 0,
                  "chunks of attention are whole tiles");
    core::require(shape.batch > 0 && shape.rows > 0 && shape.keys > 0 && plan.cores > 0,
                  "attention has rows, keys and cores");
    return overlapped(prefill_walk(shape, plan, chip), {}, chip);
}

OpTime attention_time(const DecodeAttention& shape, const KernelPlan& plan,
                      const mesh::ChipSpec& chip) {
    check(shape.of);
    core::require(plan.cores > 0 && !shape.contexts.empty(), "attention has users and cores");
    const auto users = static_cast<std::int64_t>(shape.contexts.size());
    const std::int64_t groups = users * shape.of.kv_heads;
    const std::int64_t each = std::max<std::int64_t>(plan.cores / groups, 1);
    const std::int64_t rounds = ceil_div(groups, std::int64_t{plan.cores});
    // The query heads of a KV head are the rows of a tile.
    const std::int64_t q_tiles = tiles(shape.of.heads / shape.of.kv_heads);
    Walk walk;
    walk.active = 0;
    std::int64_t merging = 0;
    for (const std::int64_t context : shape.contexts) {
        const UserWalk user = user_walk(shape, plan.attention, context, each);
        if (user.chunks == 0) continue;
        const core::Bytes chunk = chunk_bytes(shape.of, user.k_tiles);
        const double cycles = static_cast<double>(user.each * rounds) *
                              step_cycles(shape.of, q_tiles, user.k_tiles, plan, chip);
        walk.cycles = std::max(walk.cycles, cycles);
        walk.read += chunk * (user.chunks * shape.of.kv_heads);
        walk.first += chunk * (user.active * shape.of.kv_heads);
        walk.active += user.active * shape.of.kv_heads;
        merging = std::max(merging, merges(user.active, plan.attention.reduction));
    }
    walk.first = core::Bytes{walk.first.value / rounds};
    walk.active = std::clamp<std::int64_t>(walk.active, 1, plan.cores);
    return overlapped(walk, chip.kernels->attention.merge * merging, chip);
}

std::optional<OpTime> attention_time(const tensor::Op& op, std::span<const tensor::Spec> in,
                                     const tensor::Bindings& bindings, const KernelPlan& plan,
                                     const mesh::ChipSpec& chip) {
    if (const auto* prefill = std::get_if<tensor::Sdpa>(&op)) {
        const AttentionHeads of = heads_of(in[0], in[1], in[0].shape[0], in[1].shape[0]);
        const std::int64_t rows = in[0].shape[1];
        return attention_time(
            PrefillAttention{.of = of, .rows = rows, .keys = rows, .window = prefill->window}, plan,
            chip);
    }
    if (const auto* chunked = std::get_if<tensor::ChunkedSdpa>(&op)) {
        if (!tensor::detail::is_here(bindings, bindings.user)) return {};
        const AttentionHeads of = heads_of(in[0], in[1], in[0].shape[0], in[1].shape[1]);
        const std::int64_t rows = in[0].shape[1];
        KernelPlan here = plan;  // the chunks depend on where the prompt's chunk begins
        here.attention = prefill_config(rows, bindings.chunk_start);
        return attention_time(PrefillAttention{.of = of,
                                               .rows = rows,
                                               .prior = bindings.chunk_start,
                                               .keys = bindings.chunk_start + rows,
                                               .window = chunked->window},
                              here, chip);
    }
    const auto* decode = std::get_if<tensor::SdpaDecode>(&op);
    if (decode == nullptr) return {};
    DecodeAttention shape{
        heads_of(in[0], in[1], in[0].shape[1], in[1].shape[1]), {}, decode->window};
    const std::int64_t users = in[0].shape[0];
    for (std::int64_t user = 0; user < users; ++user) {
        shape.contexts.push_back(tensor::detail::context_of(in[1], bindings, user, users));
    }
    return attention_time(shape, plan, chip);
}

}  // namespace dispatch

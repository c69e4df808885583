#include "tensor/ops/sdpa_decode.h"

#include <algorithm>
#include <atomic>

#include "core/error.h"
#include "tensor/formats.h"
#include "tensor/ops/attention.h"
#include "tensor/ops/kv_cache.h"
#include "tensor/ops/support.h"

namespace tensor {
namespace {

constexpr std::string_view kName = "SdpaDecode";

// The query heads of one user that share a KV head.
std::int64_t attend_group(const SdpaDecode& op, std::span<const View> in, const View& out,
                          const Bindings& bindings, std::int64_t user, std::int64_t kv_head) {
    const Shape& q = in[0].spec.shape;
    const std::int64_t group = q[1] / in[1].spec.shape[1];
    const std::int64_t dim = q[2];
    const std::int64_t row = user * q[1] + kv_head * group;
    const std::int64_t context = detail::context_of(in[1].spec, bindings, user, q[0]);
    detail::Scratch scratch;
    float* x = scratch.floats(group * dim);
    float* y = scratch.floats(group * dim);
    std::int64_t products = 0;
    if (context > 0) {
        read_rows(in[0].spec, in[0].data, row, group, x);
        const detail::KvRows keys(in[1], kv_head, bindings, user);
        const detail::KvRows values(in[2], kv_head, bindings, user);
        products = detail::attend(keys, values, x, group, {context, 0, op.window}, op.scale, y);
    } else {
        std::fill_n(y, group * dim, 0.0F);
    }
    write_rows(out.spec, out.data, row, group, y, Packer::Device);
    return products;
}

}  // namespace

Specs infer(const SdpaDecode& op, std::span<const Spec> in) {
    detail::check_paged_attention(kName, in, 1);
    detail::check_window(kName, op.window);
    return {{in[0].shape, in[0].dtype, Layout::Tile}};
}

Split split(const SdpaDecode&, std::span<const Spec> in, std::span<const Placement> placed) {
    detail::check_placed(kName, in, placed);
    if (placed[1] != placed[2]) detail::refuse(kName, placed);
    const detail::CacheSplit cache = detail::cache_split(kName, placed, placed[1]);
    Placement q = Placement::replicated();
    if (cache == detail::CacheSplit::Heads) q = Placement::sharded(1);
    if (cache == detail::CacheSplit::Users) q = Placement::sharded(0);
    return {{q, placed[1], placed[2]}, {q}};
}

// Scores and partial results of the cores that share a user are in circular buffers.
core::Bytes scratch(const SdpaDecode&, std::span<const Spec>, const Bindings&) { return {}; }

Work work(const SdpaDecode& op, std::span<const Spec> in, const Bindings& bindings) {
    const Spec out{in[0].shape, in[0].dtype, Layout::Tile};
    const std::int64_t users = in[0].shape[0];
    const std::int64_t heads = in[0].shape[1];
    const std::int64_t kv_heads = in[1].shape[1];
    // Query heads of one KV head are rows of a tile; the cache is read once per KV head.
    const std::int64_t query_tiles = kv_heads * core::ceil_div(heads / kv_heads, kTileSide);
    std::int64_t positions = 0;
    std::int64_t sequence = 0;
    for (std::int64_t user = 0; user < users; ++user) {
        const std::int64_t context = detail::context_of(in[1], bindings, user, users);
        const std::int64_t begin = detail::window_begin(context, op.window);
        positions += context - begin;
        sequence += detail::cache_tiles(in[1], begin, context);
    }
    const auto cache_bytes = [&](const Spec& cache) {
        return tile_bytes(cache.dtype) * (kv_heads * sequence * cache.tile_cols());
    };
    return {.multiply_adds = 2 * positions * heads * in[0].shape[2],
            .tile_products = 2 * query_tiles * sequence * in[0].tile_cols(),
            .eltwise_tiles = query_tiles * sequence + detail::tiles_of(out),
            .reads = {in[0].bytes(), cache_bytes(in[1]), cache_bytes(in[2])},
            .writes = {out.bytes()}};
}

void run(const SdpaDecode& op, std::span<const View> in, std::span<const View> out,
         const Bindings& bindings, Counters& counters) {
    const std::int64_t users = in[0].spec.shape[0];
    const std::int64_t kv_heads = in[1].spec.shape[1];
    core::require(static_cast<std::int64_t>(bindings.positions.size()) == users,
                  "a decode step has one position per user of the chip");
    std::int64_t positions = 0;
    for (const std::int32_t position : bindings.positions) {
        const std::int64_t context = position + std::int64_t{1};
        positions += context - detail::window_begin(context, op.window);
    }
    const std::int64_t total = 2 * positions * in[0].spec.shape[1] * in[0].spec.shape[2];
    std::atomic<std::int64_t> products = 0;
    detail::for_each_task(users * kv_heads, total, [&](std::int64_t task) {
        products += attend_group(op, in, out[0], bindings, task / kv_heads, task % kv_heads);
    });
    counters.multiply_adds += products;
}

}  // namespace tensor

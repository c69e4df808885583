#include "tensor/ops/fill_cache.h"

#include "core/error.h"
#include "tensor/formats.h"
#include "tensor/ops/kv_cache.h"
#include "tensor/ops/support.h"

namespace tensor {
namespace {
constexpr std::string_view kName = "FillCache";
}  // namespace

Specs infer(const FillCache&, std::span<const Spec> in) {
    detail::check_inputs(kName, in, 2, 2);
    detail::check_rank(kName, "x", in[1], 3);
    detail::check_cache(kName, "cache", in[0], in[1].shape[0], in[1].shape[2]);
    return {in[0]};
}

Split split(const FillCache&, std::span<const Spec> in, std::span<const Placement> placed) {
    detail::check_placed(kName, in, placed);
    // Sharded by users, the chip that has the user takes all of x.
    const bool heads = detail::cache_split(kName, placed, placed[0]) == detail::CacheSplit::Heads;
    return {{placed[0], heads ? Placement::sharded(0) : Placement::replicated()}, {placed[0]}};
}

core::Bytes scratch(const FillCache&, std::span<const Spec>, const Bindings&) { return {}; }

// Whole tiles of the rows that hold tokens are copied; nothing of the cache is read.
Work work(const FillCache&, std::span<const Spec> in, const Bindings& bindings) {
    const bool here = detail::is_here(bindings, bindings.user);
    const std::int64_t valid = here ? bindings.rows_of(in[1].shape[1]) : 0;
    const std::int64_t tiles =
        in[1].shape[0] * core::ceil_div(valid, kTileSide) * in[1].tile_cols();
    return {.eltwise_tiles = tiles,
            .reads = {core::Bytes{}, tile_bytes(in[1].dtype) * tiles},
            .writes = {tile_bytes(in[0].dtype) * tiles}};
}

void run(const FillCache&, std::span<const View> in, std::span<const View> out,
         const Bindings& bindings, Counters&) {
    core::require(in[0].data == out[0].data, "a cache is filled in place");
    if (!detail::is_here(bindings, bindings.user)) return;
    const View& x = in[1];
    const std::int64_t dim = x.spec.shape[2];
    const std::int64_t block_size = out[0].spec.shape[2];
    detail::for_each_strip(x.spec, bindings, [&](std::int64_t row, std::int64_t count) {
        const std::int64_t head = row / x.spec.shape[1];
        const std::int64_t start = bindings.chunk_start + row % x.spec.shape[1];
        detail::Scratch scratch;
        float* values = scratch.floats(count * dim);
        read_rows(x.spec, x.data, row, count, values);
        for (std::int64_t r = 0; r < count;) {
            const std::int64_t position = start + r;
            const std::int64_t fit = std::min(count - r, block_size - position % block_size);
            const std::int64_t to =
                detail::cache_row(out[0].spec, bindings, bindings.user, position, head);
            if (to >= 0) {
                write_rows(out[0].spec, out[0].data, to, fit, values + r * dim, Packer::Device);
            }
            r += fit;
        }
    });
}

}  // namespace tensor

#include "tensor/ops/update_cache.h"

#include "core/error.h"
#include "tensor/formats.h"
#include "tensor/ops/kv_cache.h"
#include "tensor/ops/support.h"

namespace tensor {
namespace {
constexpr std::string_view kName = "UpdateCache";
}  // namespace

Specs infer(const UpdateCache&, std::span<const Spec> in) {
    detail::check_inputs(kName, in, 2, 2);
    detail::check_rank(kName, "x", in[1], 3);
    detail::check_cache(kName, "cache", in[0], in[1].shape[1], in[1].shape[2]);
    return {in[0]};
}

Split split(const UpdateCache&, std::span<const Spec> in, std::span<const Placement> placed) {
    detail::check_placed(kName, in, placed);
    const detail::CacheSplit cache = detail::cache_split(kName, placed, placed[0]);
    Placement x = Placement::replicated();
    if (cache == detail::CacheSplit::Heads) x = Placement::sharded(1);
    if (cache == detail::CacheSplit::Users) x = Placement::sharded(0);
    return {{placed[0], x}, {placed[0]}};
}

core::Bytes scratch(const UpdateCache&, std::span<const Spec>, const Bindings&) { return {}; }

// One position is one row: its row of tiles is read, changed and written back.
Work work(const UpdateCache&, std::span<const Spec> in, const Bindings& bindings) {
    const std::int64_t users = detail::writing_users(bindings, in[1].shape[0]);
    const std::int64_t tiles = users * in[0].shape[1] * in[0].tile_cols();
    const core::Bytes bytes = tile_bytes(in[0].dtype) * tiles;
    return {.eltwise_tiles = 2 * tiles,  // untilize, tilize
            .reads = {bytes, in[1].bytes()},
            .writes = {bytes}};
}

void run(const UpdateCache&, std::span<const View> in, std::span<const View> out,
         const Bindings& bindings, Counters&) {
    const View& x = in[1];
    const std::int64_t users = x.spec.shape[0];
    const std::int64_t heads = x.spec.shape[1];
    const std::int64_t dim = x.spec.shape[2];
    core::require(in[0].data == out[0].data, "a cache is updated in place");
    core::require(static_cast<std::int64_t>(bindings.positions.size()) == users,
                  "a decode step has one position per user of the chip");
    detail::Scratch scratch;
    float* values = scratch.floats(heads * dim);
    for (std::int64_t u = 0; u < users; ++u) {
        const std::int32_t position = bindings.positions[static_cast<std::size_t>(u)];
        if (position < 0) continue;
        if (detail::cache_row(out[0].spec, bindings, u, position, 0) < 0) continue;
        read_rows(x.spec, x.data, u * heads, heads, values);
        for (std::int64_t h = 0; h < heads; ++h) {
            const std::int64_t row = detail::cache_row(out[0].spec, bindings, u, position, h);
            write_rows(out[0].spec, out[0].data, row, 1, values + h * dim, Packer::Device);
        }
    }
}

}  // namespace tensor

#include "tensor/ops/chunked_sdpa.h"

#include <algorithm>

#include "tensor/formats.h"
#include "tensor/ops/attention.h"
#include "tensor/ops/kv_cache.h"
#include "tensor/ops/support.h"

namespace tensor {
namespace {

constexpr std::string_view kName = "ChunkedSdpa";

void write_zeros(const View& y, const Bindings& bindings) {
    const std::int64_t cols = y.spec.shape.cols();
    detail::for_each_strip(y.spec, bindings, [&](std::int64_t row, std::int64_t count) {
        detail::Scratch scratch;
        float* zeros = scratch.floats(count * cols);
        std::fill_n(zeros, count * cols, 0.0F);
        write_rows(y.spec, y.data, row, count, zeros, Packer::Device);
    });
}

}  // namespace

Specs infer(const ChunkedSdpa& op, std::span<const Spec> in) {
    detail::check_paged_attention(kName, in, 0);
    detail::check_window(kName, op.window);
    return {{in[0].shape, in[0].dtype, Layout::Tile}};
}

Split split(const ChunkedSdpa&, std::span<const Spec> in, std::span<const Placement> placed) {
    detail::check_placed(kName, in, placed);
    if (placed[1] != placed[2]) detail::refuse(kName, placed);
    Placement q = Placement::replicated();
    Placement y = q;
    switch (detail::cache_split(kName, placed, placed[1])) {
        case detail::CacheSplit::None:
            break;
        case detail::CacheSplit::Heads:
            q = y = Placement::sharded(0);
            break;
        case detail::CacheSplit::Users:
            y = Placement::partial();  // zeros but on the user's own chip
            break;
    }
    return {{q, placed[1], placed[2]}, {y}};
}

// Scores live in circular buffers on the cores, chunk by chunk: no buffer is allocated.
core::Bytes scratch(const ChunkedSdpa&, std::span<const Spec>, const Bindings&) { return {}; }

Work work(const ChunkedSdpa& op, std::span<const Spec> in, const Bindings& bindings) {
    const Spec out{in[0].shape, in[0].dtype, Layout::Tile};
    Work work{.eltwise_tiles = detail::tiles_of(out),
              .reads = {in[0].bytes(), {}, {}},
              .writes = {out.bytes()}};
    if (!detail::is_here(bindings, bindings.user)) return work;
    const std::int64_t heads = in[0].shape[0];
    const std::int64_t rows = in[0].shape[1];
    const std::int64_t valid = bindings.rows_of(rows);
    const std::int64_t start = bindings.chunk_start;
    const std::int64_t tiles = heads * detail::causal_tiles({rows, start, op.window});
    work.multiply_adds =
        heads * in[0].shape[2] * detail::causal_products({valid, start, op.window});
    work.tile_products = 2 * tiles * in[0].tile_cols();
    work.eltwise_tiles += tiles;
    const std::int64_t sequence =
        detail::cache_tiles(in[1], detail::window_begin(start + 1, op.window), start + valid);
    for (std::size_t i = 1; i <= 2; ++i) {
        work.reads[i] = tile_bytes(in[i].dtype) * (in[i].shape[1] * sequence * in[i].tile_cols());
    }
    return work;
}

void run(const ChunkedSdpa& op, std::span<const View> in, std::span<const View> out,
         const Bindings& bindings, Counters& counters) {
    if (!detail::is_here(bindings, bindings.user)) return write_zeros(out[0], bindings);
    const auto rows_of = [&](const View& view, std::int64_t kv_head) {
        return detail::KvRows(view, kv_head, bindings, bindings.user);
    };
    const detail::CausalRows causal{bindings.rows_of(in[0].spec.shape[1]), bindings.chunk_start,
                                    op.window};
    counters.multiply_adds += detail::attend_causal(in, out[0], causal, op.scale, rows_of);
}

}  // namespace tensor

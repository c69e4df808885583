#include "tensor/ops/sdpa.h"

#include "tensor/ops/attention.h"
#include "tensor/ops/kv_cache.h"
#include "tensor/ops/support.h"

namespace tensor {
namespace {
constexpr std::string_view kName = "Sdpa";
}  // namespace

Specs infer(const Sdpa& op, std::span<const Spec> in) {
    detail::check_inputs(kName, in, 3, 3);
    const Shape& q = in[0].shape;
    detail::check_rank(kName, "q", in[0], 3);
    detail::check_rank(kName, "k", in[1], 3);
    detail::check_shape(kName, "k", in[1], Shape{in[1].shape[0], q[1], q[2]});
    detail::check_shape(kName, "v", in[2], in[1].shape);
    detail::check_groups(kName, q[0], in[1].shape[0]);
    detail::check_window(kName, op.window);
    return {{q, in[0].dtype, Layout::Tile}};
}

Split split(const Sdpa&, std::span<const Spec> in, std::span<const Placement> placed) {
    detail::check_placed(kName, in, placed);
    bool heads = true;
    for (const Placement& p : placed) heads = heads && p.is_sharded(0);
    const Placement all = heads ? Placement::sharded(0) : Placement::replicated();
    return {{all, all, all}, {all}};
}

// Scores live in circular buffers on the cores, chunk by chunk: no buffer is allocated.
core::Bytes scratch(const Sdpa&, std::span<const Spec>, const Bindings&) { return {}; }

Work work(const Sdpa& op, std::span<const Spec> in, const Bindings& bindings) {
    const std::int64_t heads = in[0].shape[0];
    const std::int64_t rows = in[0].shape[1];
    const std::int64_t products =
        detail::causal_products({.rows = bindings.rows_of(rows), .window = op.window});
    const std::int64_t tiles = heads * detail::causal_tiles({.rows = rows, .window = op.window});
    const Spec out{in[0].shape, in[0].dtype, Layout::Tile};
    return {.multiply_adds = heads * in[0].shape[2] * products,
            .tile_products = 2 * tiles * in[0].tile_cols(),
            .eltwise_tiles = tiles + detail::tiles_of(out),  // exponentials, normalised output
            // A position sees itself, so there is no tile of k and v that nobody sees.
            .reads = {in[0].bytes(), in[1].bytes(), in[2].bytes()},
            .writes = {out.bytes()}};
}

void run(const Sdpa& op, std::span<const View> in, std::span<const View> out,
         const Bindings& bindings, Counters& counters) {
    const auto rows_of = [](const View& view, std::int64_t kv_head) {
        return detail::KvRows(view, kv_head);
    };
    const detail::CausalRows causal{.rows = bindings.rows_of(in[0].spec.shape[1]),
                                    .window = op.window};
    counters.multiply_adds += detail::attend_causal(in, out[0], causal, op.scale, rows_of);
}

}  // namespace tensor

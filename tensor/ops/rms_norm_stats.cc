#include "tensor/ops/rms_norm_stats.h"

#include <algorithm>

#include "tensor/formats.h"
#include "tensor/kernels/vector.h"
#include "tensor/ops/support.h"

namespace tensor {
namespace {
constexpr std::string_view kName = "RmsNormStats";
}  // namespace

Specs infer(const RmsNormStats& op, std::span<const Spec> in) {
    detail::check_inputs(kName, in, 1, 1);
    detail::check_rank(kName, "x", in[0], 2);
    return {{Shape{in[0].shape[0], kTileSide}, op.out, Layout::Tile}};
}

Split split(const RmsNormStats&, std::span<const Spec> in, std::span<const Placement> placed) {
    detail::check_placed(kName, in, placed);
    // Each chip's sums are one tile column of the statistics, so parts stand side by side.
    const Placement x = placed[0].is_partial() ? Placement::replicated() : placed[0];
    return {{x}, {x}};
}

core::Bytes scratch(const RmsNormStats&, std::span<const Spec>, const Bindings&) { return {}; }

Work work(const RmsNormStats& op, std::span<const Spec> in, const Bindings&) {
    const Spec out{Shape{in[0].shape[0], kTileSide}, op.out, Layout::Tile};
    return {.eltwise_tiles = detail::tiles_of(in[0]),
            .reads = {in[0].bytes()},
            .writes = {out.bytes()}};
}

void run(const RmsNormStats&, std::span<const View> in, std::span<const View> out,
         const Bindings& bindings, Counters&) {
    const std::int64_t cols = in[0].spec.shape.cols();
    detail::for_each_strip(in[0].spec, bindings, [&](std::int64_t row, std::int64_t count) {
        detail::Scratch scratch;
        float* x = scratch.floats(count * cols);
        float* stats = scratch.floats(count * kTileSide);
        std::fill_n(stats, count * kTileSide, 0.0F);
        read_rows(in[0].spec, in[0].data, row, count, x);
        for (std::int64_t r = 0; r < count; ++r) {
            stats[r * kTileSide] = kernels::sum_of_squares(x + r * cols, cols);
        }
        write_rows(out[0].spec, out[0].data, row, count, stats, Packer::Device);
    });
}

}  // namespace tensor

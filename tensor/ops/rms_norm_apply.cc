#include "tensor/ops/rms_norm_apply.h"

#include <cmath>
#include <string>

#include "core/error.h"
#include "tensor/formats.h"
#include "tensor/kernels/vector.h"
#include "tensor/ops/support.h"

namespace tensor {
namespace {
constexpr std::string_view kName = "RmsNormApply";
}  // namespace

Specs infer(const RmsNormApply&, std::span<const Spec> in) {
    detail::check_inputs(kName, in, 3, 3);
    detail::check_rank(kName, "x", in[0], 2);
    const Shape& stats = in[1].shape;
    if (stats.rank() != 2 || stats[0] != in[0].shape[0] || stats[1] < kTileSide ||
        stats[1] % kTileSide != 0) {
        throw core::Error::mismatch(
            kName, "stats", "[" + std::to_string(in[0].shape[0]) + ", 32 per chip]", stats.text());
    }
    detail::check_shape(kName, "weight", in[2], Shape{in[0].shape.cols()});
    return {{in[0].shape, in[0].dtype, Layout::Tile}};
}

Split split(const RmsNormApply&, std::span<const Spec> in, std::span<const Placement> placed) {
    detail::check_placed(kName, in, placed);
    const Placement whole = Placement::replicated();
    if (placed[2].is_sharded(0)) {
        return {{Placement::sharded(1), whole, placed[2]}, {Placement::sharded(1)}};
    }
    if (!placed[2].is_replicated()) detail::refuse(kName, placed);
    const Placement rows = placed[0].is_sharded(0) ? placed[0] : whole;
    return {{rows, rows, placed[2]}, {rows}};
}

core::Bytes scratch(const RmsNormApply&, std::span<const Spec>, const Bindings&) { return {}; }

Work work(const RmsNormApply&, std::span<const Spec> in, const Bindings&) {
    const Spec out{in[0].shape, in[0].dtype, Layout::Tile};
    return {.eltwise_tiles = detail::tiles_of(in[1]) + 2 * detail::tiles_of(in[0]),
            .reads = {in[0].bytes(), in[1].bytes(), in[2].bytes()},
            .writes = {out.bytes()}};
}

void run(const RmsNormApply& op, std::span<const View> in, std::span<const View> out,
         const Bindings& bindings, Counters&) {
    const std::int64_t cols = in[0].spec.shape.cols();
    const std::int64_t stat_cols = in[1].spec.shape.cols();
    const std::int64_t parts = stat_cols / kTileSide;
    const float dim = static_cast<float>(parts * cols);
    detail::Scratch outer;
    float* weight = outer.floats(cols);
    read_rows(in[2].spec, in[2].data, 0, 1, weight);
    detail::for_each_strip(in[0].spec, bindings, [&](std::int64_t row, std::int64_t count) {
        detail::Scratch scratch;
        float* x = scratch.floats(count * cols);
        float* stats = scratch.floats(count * stat_cols);
        read_rows(in[0].spec, in[0].data, row, count, x);
        read_rows(in[1].spec, in[1].data, row, count, stats);
        for (std::int64_t r = 0; r < count; ++r) {
            float sum = 0.0F;  // in chip order
            for (std::int64_t c = 0; c < stat_cols; c += kTileSide) sum += stats[r * stat_cols + c];
            float* values = x + r * cols;
            kernels::scale(1.0F / std::sqrt(sum / dim + op.epsilon), values, values, cols);
            kernels::multiply(values, weight, values, cols);
        }
        write_rows(out[0].spec, out[0].data, row, count, x, Packer::Device);
    });
}

}  // namespace tensor

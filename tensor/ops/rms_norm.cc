#include "tensor/ops/rms_norm.h"

#include <cmath>

#include "tensor/formats.h"
#include "tensor/kernels/vector.h"
#include "tensor/ops/support.h"

namespace tensor {
namespace {
constexpr std::string_view kName = "RmsNorm";
}  // namespace

Specs infer(const RmsNorm&, std::span<const Spec> in) {
    detail::check_inputs(kName, in, 2, 2);
    detail::check_shape(kName, "weight", in[1], Shape{in[0].shape.cols()});
    return {{in[0].shape, in[0].dtype, Layout::Tile}};
}

Split split(const RmsNorm&, std::span<const Spec> in, std::span<const Placement> placed) {
    detail::check_placed(kName, in, placed);
    if (!placed[1].is_replicated()) detail::refuse(kName, placed);
    const bool rows_sharded =
        placed[0].is_sharded() && !placed[0].is_sharded(in[0].shape.rank() - 1);
    const Placement x = rows_sharded ? placed[0] : Placement::replicated();
    return {{x, placed[1]}, {x}};
}

core::Bytes scratch(const RmsNorm&, std::span<const Spec>, const Bindings&) { return {}; }

Work work(const RmsNorm&, std::span<const Spec> in, const Bindings&) {
    const Spec out{in[0].shape, in[0].dtype, Layout::Tile};
    return {.eltwise_tiles = 3 * detail::tiles_of(in[0]),  // squares, by 1/rms, by weight
            .reads = {in[0].bytes(), in[1].bytes()},
            .writes = {out.bytes()}};
}

void run(const RmsNorm& op, std::span<const View> in, std::span<const View> out,
         const Bindings& bindings, Counters&) {
    const std::int64_t cols = in[0].spec.shape.cols();
    detail::Scratch outer;
    float* weight = outer.floats(cols);
    read_rows(in[1].spec, in[1].data, 0, 1, weight);
    detail::for_each_strip(in[0].spec, bindings, [&](std::int64_t row, std::int64_t count) {
        detail::Scratch scratch;
        float* x = scratch.floats(count * cols);
        read_rows(in[0].spec, in[0].data, row, count, x);
        for (std::int64_t r = 0; r < count; ++r) {
            float* values = x + r * cols;
            const float mean = kernels::sum_of_squares(values, cols) / static_cast<float>(cols);
            kernels::scale(1.0F / std::sqrt(mean + op.epsilon), values, values, cols);
            kernels::multiply(values, weight, values, cols);
        }
        write_rows(out[0].spec, out[0].data, row, count, x, Packer::Device);
    });
}

}  // namespace tensor

#include "tensor/ops/gated_mul.h"

#include "tensor/formats.h"
#include "tensor/kernels/vector.h"
#include "tensor/ops/support.h"

namespace tensor {
namespace {
constexpr std::string_view kName = "GatedMul";
}  // namespace

Specs infer(const GatedMul& op, std::span<const Spec> in) {
    detail::check_inputs(kName, in, 2, 2);
    detail::check_shape(kName, "b", in[1], in[0].shape);
    return {{in[0].shape, op.out, Layout::Tile}};
}

Split split(const GatedMul&, std::span<const Spec> in, std::span<const Placement> placed) {
    detail::check_placed(kName, in, placed);
    // The activation is not linear: summands have to be summed before it.
    const Placement both = detail::common_placement(placed[0], placed[1]);
    return {{both, both}, {both}};
}

core::Bytes scratch(const GatedMul&, std::span<const Spec>, const Bindings&) { return {}; }

Work work(const GatedMul& op, std::span<const Spec> in, const Bindings&) {
    const Spec out{in[0].shape, op.out, Layout::Tile};
    return {.eltwise_tiles = 2 * detail::tiles_of(in[0]),  // activation, product
            .reads = {in[0].bytes(), in[1].bytes()},
            .writes = {out.bytes()}};
}

void run(const GatedMul& op, std::span<const View> in, std::span<const View> out,
         const Bindings& bindings, Counters&) {
    const std::int64_t cols = in[0].spec.shape.cols();
    detail::for_each_strip(in[0].spec, bindings, [&](std::int64_t row, std::int64_t count) {
        detail::Scratch scratch;
        float* a = scratch.floats(count * cols);
        float* b = scratch.floats(count * cols);
        read_rows(in[0].spec, in[0].data, row, count, a);
        read_rows(in[1].spec, in[1].data, row, count, b);
        activate(op.activation, a, a, count * cols);
        kernels::multiply(a, b, a, count * cols);
        write_rows(out[0].spec, out[0].data, row, count, a, Packer::Device);
    });
}

}  // namespace tensor

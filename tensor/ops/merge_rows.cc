#include "tensor/ops/merge_rows.h"

#include "tensor/formats.h"
#include "tensor/ops/support.h"

namespace tensor {
namespace {

constexpr std::string_view kName = "MergeRows";

Spec output_spec(const Spec& x) {
    return {Shape{x.shape[0] * x.shape[1], x.shape[2]}, x.dtype, Layout::Tile};
}

}  // namespace

Specs infer(const MergeRows&, std::span<const Spec> in) {
    detail::check_inputs(kName, in, 1, 1);
    detail::check_rank(kName, "x", in[0], 3);
    return {output_spec(in[0])};
}

Split split(const MergeRows&, std::span<const Spec> in, std::span<const Placement> placed) {
    return detail::keep_columns(kName, in, placed, 2);
}

core::Bytes scratch(const MergeRows&, std::span<const Spec>, const Bindings&) { return {}; }

// The device selects rows with a matrix of ones and zeros; none of its products is a useful one.
Work work(const MergeRows&, std::span<const Spec> in, const Bindings&) {
    const Spec out = output_spec(in[0]);
    return {.tile_products = out.tile_rows() * detail::tiles_of(in[0]),
            .reads = {in[0].bytes()},
            .writes = {out.bytes()}};
}

void run(const MergeRows&, std::span<const View> in, std::span<const View> out,
         const Bindings& bindings, Counters&) {
    const std::int64_t cols = in[0].spec.shape.cols();
    // Both matrix views have the same rows in the same order.
    detail::for_each_strip(out[0].spec, bindings, [&](std::int64_t row, std::int64_t count) {
        detail::Scratch scratch;
        float* x = scratch.floats(count * cols);
        read_rows(in[0].spec, in[0].data, row, count, x);
        write_rows(out[0].spec, out[0].data, row, count, x, Packer::Device);
    });
}

}  // namespace tensor

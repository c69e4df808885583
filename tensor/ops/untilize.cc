#include "tensor/ops/untilize.h"

#include "tensor/formats.h"
#include "tensor/ops/support.h"

namespace tensor {
namespace {

constexpr std::string_view kName = "Untilize";

Spec output_spec(const Spec& x) {
    const bool has_rows = x.dtype == DType::Float32 || x.dtype == DType::UInt32;
    return {Shape{core::round_up(x.shape[0], kTileSide), x.shape[1]},
            has_rows ? x.dtype : DType::BFloat16, Layout::RowMajor};
}

}  // namespace

Specs infer(const Untilize&, std::span<const Spec> in) {
    detail::check_inputs(kName, in, 1, 1);
    detail::check_rank(kName, "x", in[0], 2);
    detail::check_tile_layout(kName, "x", in[0]);
    return {output_spec(in[0])};
}

Split split(const Untilize&, std::span<const Spec> in, std::span<const Placement> placed) {
    return detail::keep_columns(kName, in, placed, 2);
}

core::Bytes scratch(const Untilize&, std::span<const Spec>, const Bindings&) { return {}; }

Work work(const Untilize&, std::span<const Spec> in, const Bindings&) {
    return {.eltwise_tiles = detail::tiles_of(in[0]),
            .reads = {in[0].bytes()},
            .writes = {output_spec(in[0]).bytes()}};
}

void run(const Untilize&, std::span<const View> in, std::span<const View> out,
         const Bindings& bindings, Counters&) {
    const std::int64_t cols = in[0].spec.shape.cols();
    detail::for_each_strip(in[0].spec, bindings, [&](std::int64_t row, std::int64_t count) {
        detail::Scratch scratch;
        float* x = scratch.floats(count * cols);
        read_rows(in[0].spec, in[0].data, row, count, x);
        write_rows(out[0].spec, out[0].data, row, count, x, Packer::Device);
    });
}

}  // namespace tensor

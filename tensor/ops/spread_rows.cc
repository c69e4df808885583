#include "tensor/ops/spread_rows.h"

#include "tensor/formats.h"
#include "tensor/ops/support.h"

namespace tensor {
namespace {

constexpr std::string_view kName = "SpreadRows";

Spec output_spec(const Spec& x) {
    return {Shape{x.shape[0], 1, x.shape[1]}, x.dtype, Layout::Tile};
}

}  // namespace

Specs infer(const SpreadRows&, std::span<const Spec> in) {
    detail::check_inputs(kName, in, 1, 1);
    detail::check_rank(kName, "x", in[0], 2);
    return {output_spec(in[0])};
}

Split split(const SpreadRows&, std::span<const Spec> in, std::span<const Placement> placed) {
    detail::check_placed(kName, in, placed);
    if (placed[0].is_sharded(1)) return {{placed[0]}, {Placement::sharded(2)}};
    return {{placed[0]}, {placed[0]}};
}

core::Bytes scratch(const SpreadRows&, std::span<const Spec>, const Bindings&) { return {}; }

Work work(const SpreadRows&, std::span<const Spec> in, const Bindings&) {
    const Spec out = output_spec(in[0]);
    return {
        .eltwise_tiles = detail::tiles_of(out), .reads = {in[0].bytes()}, .writes = {out.bytes()}};
}

void run(const SpreadRows&, std::span<const View> in, std::span<const View> out, const Bindings&,
         Counters&) {
    const std::int64_t rows = in[0].spec.shape[0];
    const std::int64_t cols = in[0].spec.shape[1];
    detail::Scratch scratch;
    float* x = scratch.floats(cols);
    // Both matrix views have the same rows in the same order.
    for (std::int64_t row = 0; row < rows; ++row) {
        read_rows(in[0].spec, in[0].data, row, 1, x);
        write_rows(out[0].spec, out[0].data, row, 1, x, Packer::Device);
    }
}

}  // namespace tensor

#include "tensor/ops/add_bias.h"

#include "tensor/formats.h"
#include "tensor/kernels/vector.h"
#include "tensor/ops/support.h"

namespace tensor {
namespace {

constexpr std::string_view kName = "AddBias";

}  // namespace

Specs infer(const AddBias&, std::span<const Spec> in) {
    detail::check_inputs(kName, in, 2, 2);
    detail::check_rank(kName, "x", in[0], 2);
    detail::check_shape(kName, "bias", in[1], Shape{in[0].shape[1]});
    return {{in[0].shape, in[0].dtype, Layout::Tile}};
}

// Columns of the bias go with columns of x; a summand must be summed first, or the bias would be
// added once per chip.
Split split(const AddBias&, std::span<const Spec> in, std::span<const Placement> placed) {
    detail::check_placed(kName, in, placed);
    if (placed[1].is_sharded(0)) {
        return {{Placement::sharded(1), placed[1]}, {Placement::sharded(1)}};
    }
    if (!placed[1].is_replicated()) detail::refuse(kName, placed);
    const bool rows = placed[0].is_sharded(0);
    const Placement x = rows ? Placement::sharded(0) : Placement::replicated();
    return {{x, placed[1]}, {x}};
}

core::Bytes scratch(const AddBias&, std::span<const Spec>, const Bindings&) { return {}; }

Work work(const AddBias&, std::span<const Spec> in, const Bindings& bindings) {
    const detail::ValidRows rows = detail::valid_rows(in[0], bindings);
    const core::Bytes moved = detail::tile_row_bytes(in[0], rows.valid);
    return {.eltwise_tiles = core::ceil_div(rows.valid, kTileSide) * in[0].tile_cols(),
            .reads = {moved, in[1].bytes()},
            .writes = {moved}};
}

void run(const AddBias&, std::span<const View> in, std::span<const View> out,
         const Bindings& bindings, Counters&) {
    const std::int64_t cols = in[0].spec.shape.cols();
    detail::Scratch scratch;
    float* bias = scratch.floats(cols);
    read_rows(in[1].spec, in[1].data, 0, 1, bias);
    detail::for_each_strip(out[0].spec, bindings, [&](std::int64_t row, std::int64_t count) {
        detail::Scratch strip;
        float* x = strip.floats(count * cols);
        read_rows(in[0].spec, in[0].data, row, count, x);
        for (std::int64_t r = 0; r < count; ++r) {
            kernels::add(x + r * cols, bias, x + r * cols, cols);
        }
        write_rows(out[0].spec, out[0].data, row, count, x, Packer::Device);
    });
}

}  // namespace tensor

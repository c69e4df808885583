#include "tensor/ops/activate.h"

#include "tensor/formats.h"
#include "tensor/ops/support.h"

namespace tensor {
namespace {
constexpr std::string_view kName = "Activate";
}  // namespace

Specs infer(const Activate& op, std::span<const Spec> in) {
    detail::check_inputs(kName, in, 1, 1);
    return {{in[0].shape, op.out, Layout::Tile}};
}

Split split(const Activate&, std::span<const Spec> in, std::span<const Placement> placed) {
    detail::check_placed(kName, in, placed);
    // The activation is not linear: summands have to be summed before it.
    const Placement one = placed[0].is_partial() ? Placement::replicated() : placed[0];
    return {{one}, {one}};
}

core::Bytes scratch(const Activate&, std::span<const Spec>, const Bindings&) { return {}; }

Work work(const Activate& op, std::span<const Spec> in, const Bindings&) {
    const Spec out{in[0].shape, op.out, Layout::Tile};
    return {.eltwise_tiles = detail::tiles_of(in[0]),
            .reads = {in[0].bytes()},
            .writes = {out.bytes()}};
}

void run(const Activate& op, std::span<const View> in, std::span<const View> out,
         const Bindings& bindings, Counters&) {
    const std::int64_t cols = in[0].spec.shape.cols();
    detail::for_each_strip(in[0].spec, bindings, [&](std::int64_t row, std::int64_t count) {
        detail::Scratch scratch;
        float* x = scratch.floats(count * cols);
        read_rows(in[0].spec, in[0].data, row, count, x);
        activate(op.activation, x, x, count * cols);
        write_rows(out[0].spec, out[0].data, row, count, x, Packer::Device);
    });
}

}  // namespace tensor

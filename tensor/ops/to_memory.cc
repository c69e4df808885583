#include "tensor/ops/to_memory.h"

#include <cstring>

#include "tensor/formats.h"
#include "tensor/ops/support.h"

namespace tensor {
namespace {

constexpr std::string_view kName = "ToMemory";

Spec output_spec(const ToMemory& op, const Spec& x) { return {x.shape, op.out, x.layout}; }

}  // namespace

Specs infer(const ToMemory& op, std::span<const Spec> in) {
    detail::check_inputs(kName, in, 1, 1);
    return {output_spec(op, in[0])};
}

Split split(const ToMemory&, std::span<const Spec> in, std::span<const Placement> placed) {
    detail::check_placed(kName, in, placed);
    return {{placed[0]}, {placed[0]}};
}

core::Bytes scratch(const ToMemory&, std::span<const Spec>, const Bindings&) { return {}; }

Work work(const ToMemory& op, std::span<const Spec> in, const Bindings&) {
    return {.eltwise_tiles = detail::tiles_of(in[0]),
            .reads = {in[0].bytes()},
            .writes = {output_spec(op, in[0]).bytes()}};
}

void run(const ToMemory&, std::span<const View> in, std::span<const View> out,
         const Bindings& bindings, Counters&) {
    if (in[0].spec.dtype == out[0].spec.dtype) {
        std::memcpy(out[0].data, in[0].data, static_cast<std::size_t>(in[0].spec.bytes().value));
        return;
    }
    const std::int64_t cols = in[0].spec.shape.cols();
    detail::for_each_strip(in[0].spec, bindings, [&](std::int64_t row, std::int64_t count) {
        detail::Scratch scratch;
        float* x = scratch.floats(count * cols);
        read_rows(in[0].spec, in[0].data, row, count, x);
        write_rows(out[0].spec, out[0].data, row, count, x, Packer::DevicePrecise);
    });
}

}  // namespace tensor

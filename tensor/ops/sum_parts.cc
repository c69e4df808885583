#include "tensor/ops/sum_parts.h"

#include "tensor/formats.h"
#include "tensor/kernels/vector.h"
#include "tensor/ops/support.h"

namespace tensor {
namespace {

constexpr std::string_view kName = "SumParts";

Spec output_spec(const SumParts& op, const Spec& x) {
    return {Shape{x.shape[1], x.shape[2]}, op.out, Layout::Tile};
}

}  // namespace

Specs infer(const SumParts& op, std::span<const Spec> in) {
    detail::check_inputs(kName, in, 1, 1);
    detail::check_rank(kName, "x", in[0], 3);
    return {output_spec(op, in[0])};
}

Split split(const SumParts&, std::span<const Spec> in, std::span<const Placement> placed) {
    return detail::keep_columns(kName, in, placed, 2);
}

core::Bytes scratch(const SumParts&, std::span<const Spec>, const Bindings&) { return {}; }

Work work(const SumParts& op, std::span<const Spec> in, const Bindings&) {
    return {.eltwise_tiles = detail::tiles_of(in[0]),
            .reads = {in[0].bytes()},
            .writes = {output_spec(op, in[0]).bytes()}};
}

void run(const SumParts&, std::span<const View> in, std::span<const View> out,
         const Bindings& bindings, Counters&) {
    const std::int64_t parts = in[0].spec.shape[0];
    const std::int64_t rows = in[0].spec.shape[1];
    const std::int64_t cols = in[0].spec.shape[2];
    detail::for_each_strip(out[0].spec, bindings, [&](std::int64_t row, std::int64_t count) {
        detail::Scratch scratch;
        float* sum = scratch.floats(count * cols);
        float* x = scratch.floats(count * cols);
        read_rows(in[0].spec, in[0].data, row, count, sum);
        for (std::int64_t part = 1; part < parts; ++part) {
            read_rows(in[0].spec, in[0].data, part * rows + row, count, x);
            kernels::add(sum, x, sum, count * cols);
        }
        write_rows(out[0].spec, out[0].data, row, count, sum, Packer::Device);
    });
}

}  // namespace tensor

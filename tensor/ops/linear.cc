#include "tensor/ops/linear.h"

#include "tensor/formats.h"
#include "tensor/kernels/vector.h"
#include "tensor/ops/support.h"

namespace tensor {
namespace {

constexpr std::string_view kName = "Linear";
// Rows unpacked at a time: the weight is unpacked once per strip, the strip stays in the cache.
constexpr std::int64_t kRows = 128;

Spec output_spec(const Linear& op, std::span<const Spec> in) {
    return {Shape{in[0].shape[0], in[1].shape[1]}, op.out, Layout::Tile};
}

void add_bias(const float* bias, std::int64_t rows, std::int64_t cols, float* y) {
    for (std::int64_t r = 0; r < rows; ++r) {
        kernels::add(y + r * cols, bias, y + r * cols, cols);
    }
}

}  // namespace

Specs infer(const Linear& op, std::span<const Spec> in) {
    detail::check_inputs(kName, in, 2, 3);
    detail::check_rank(kName, "x", in[0], 2);
    detail::check_rank(kName, "weight", in[1], 2);
    detail::check_tile_layout(kName, "weight", in[1]);
    detail::check_shape(kName, "weight", in[1], Shape{in[0].shape[1], in[1].shape[1]});
    if (in.size() == 3) detail::check_shape(kName, "bias", in[2], Shape{in[1].shape[1]});
    return {output_spec(op, in)};
}

Split split(const Linear&, std::span<const Spec> in, std::span<const Placement> placed) {
    detail::check_placed(kName, in, placed);
    const Placement weight = placed[1];
    Placement x = Placement::replicated();
    Placement y;
    Placement bias = Placement::replicated();
    if (weight.is_replicated()) {
        if (placed[0].is_sharded(0)) x = placed[0];
        y = x;
    } else if (weight.is_sharded(1)) {
        y = Placement::sharded(1);
        bias = Placement::sharded(0);
    } else if (weight.is_sharded(0)) {
        x = Placement::sharded(1);
        y = Placement::partial();
        bias = Placement::partial();  // the summands' biases must sum to the bias
    } else {
        detail::refuse(kName, placed);
    }
    Split result{{x, weight}, {y}};
    if (placed.size() == 3) {
        if (placed[2] != bias) detail::refuse(kName, placed);
        result.inputs.push_back(bias);
    }
    return result;
}

core::Bytes scratch(const Linear&, std::span<const Spec>, const Bindings&) { return {}; }

Work work(const Linear& op, std::span<const Spec> in, const Bindings& bindings) {
    Work work{.multiply_adds = bindings.rows_of(in[0].shape[0]) * in[1].shape[0] * in[1].shape[1],
              .tile_products = in[0].tile_rows() * in[1].tile_rows() * in[1].tile_cols(),
              .reads = {},
              .writes = {output_spec(op, in).bytes()}};
    if (in.size() == 3) work.eltwise_tiles = detail::tiles_of(output_spec(op, in));
    for (const Spec& spec : in) work.reads.push_back(spec.bytes());
    return work;
}

void run(const Linear&, std::span<const View> in, std::span<const View> out,
         const Bindings& bindings, Counters& counters) {
    const std::int64_t depth = in[1].spec.shape[0];
    const std::int64_t cols = in[1].spec.shape[1];
    const std::int64_t rows = bindings.rows_of(in[0].spec.shape[0]);
    detail::Scratch scratch;
    const std::int64_t strip = std::min(rows, kRows);
    float* x = scratch.floats(strip * depth);
    float* y = scratch.floats(strip * cols);
    float* bias = nullptr;
    if (in.size() == 3) {
        bias = scratch.floats(cols);
        read_rows(in[2].spec, in[2].data, 0, 1, bias);
    }
    for (std::int64_t row = 0; row < rows; row += kRows) {
        const std::int64_t count = std::min(kRows, rows - row);
        read_rows(in[0].spec, in[0].data, row, count, x);
        detail::multiply(x, count, in[1], y);
        if (bias != nullptr) add_bias(bias, count, cols, y);
        write_rows(out[0].spec, out[0].data, row, count, y, Packer::Device);
        counters.multiply_adds += count * depth * cols;
    }
}

}  // namespace tensor

#include "tensor/ops/concat_heads.h"

#include "tensor/formats.h"
#include "tensor/ops/support.h"

namespace tensor {
namespace {

constexpr std::string_view kName = "ConcatHeads";

Spec output_spec(const ConcatHeads& op, const Spec& x) {
    const bool decode = op.phase == Phase::Decode;
    const std::int64_t rows = decode ? x.shape[0] : x.shape[1];
    const std::int64_t heads = decode ? x.shape[1] : x.shape[0];
    return {Shape{rows, heads * x.shape[2]}, x.dtype, Layout::Tile};
}

// Decode: the heads of a user are consecutive rows already.
void read_users(const View& x, std::int64_t row, std::int64_t count, float* out) {
    const std::int64_t heads = x.spec.shape[1];
    read_rows(x.spec, x.data, row * heads, count * heads, out);
}

// Prefill: the rows of one head are consecutive.
void read_heads(const View& x, std::int64_t row, std::int64_t count, float* out) {
    const std::int64_t heads = x.spec.shape[0];
    const std::int64_t rows = x.spec.shape[1];
    const std::int64_t dim = x.spec.shape[2];
    detail::Scratch scratch;
    float* head = scratch.floats(count * dim);
    for (std::int64_t h = 0; h < heads; ++h) {
        read_rows(x.spec, x.data, h * rows + row, count, head);
        for (std::int64_t r = 0; r < count; ++r) {
            std::copy_n(head + r * dim, dim, out + (r * heads + h) * dim);
        }
    }
}

}  // namespace

Specs infer(const ConcatHeads& op, std::span<const Spec> in) {
    detail::check_inputs(kName, in, 1, 1);
    detail::check_rank(kName, "x", in[0], 3);
    return {output_spec(op, in[0])};
}

Split split(const ConcatHeads& op, std::span<const Spec> in, std::span<const Placement> placed) {
    detail::check_placed(kName, in, placed);
    const int heads = op.phase == Phase::Decode ? 1 : 0;
    if (placed[0].is_partial()) return {{placed[0]}, {placed[0]}};
    if (placed[0].is_sharded(heads)) return {{placed[0]}, {Placement::sharded(1)}};
    if (placed[0].is_sharded(1 - heads)) return {{placed[0]}, {Placement::sharded(0)}};
    return {{Placement::replicated()}, {Placement::replicated()}};
}

core::Bytes scratch(const ConcatHeads&, std::span<const Spec>, const Bindings&) { return {}; }

Work work(const ConcatHeads& op, std::span<const Spec> in, const Bindings&) {
    return {.eltwise_tiles = detail::tiles_of(in[0]),
            .reads = {in[0].bytes()},
            .writes = {output_spec(op, in[0]).bytes()}};
}

void run(const ConcatHeads& op, std::span<const View> in, std::span<const View> out,
         const Bindings& bindings, Counters&) {
    const std::int64_t cols = out[0].spec.shape[1];
    detail::for_each_strip(out[0].spec, bindings, [&](std::int64_t row, std::int64_t count) {
        detail::Scratch scratch;
        float* y = scratch.floats(count * cols);
        if (op.phase == Phase::Decode) {
            read_users(in[0], row, count, y);
        } else {
            read_heads(in[0], row, count, y);
        }
        write_rows(out[0].spec, out[0].data, row, count, y, Packer::Device);
    });
}

}  // namespace tensor

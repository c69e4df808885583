#include "tensor/ops/create_qkv_heads.h"

#include <array>
#include <string>

#include "core/error.h"
#include "tensor/formats.h"
#include "tensor/ops/support.h"

namespace tensor {
namespace {

constexpr std::string_view kName = "CreateQkvHeads";

std::int64_t kv_heads_of(const CreateQkvHeads& op, const Spec& qkv) {
    return qkv.shape[1] / ((op.group + 2) * op.head_dim);
}

// [rows, heads, head_dim] (decode) or [heads, rows, head_dim] (prefill)
Spec heads_spec(const CreateQkvHeads& op, const Spec& qkv, std::int64_t heads) {
    const std::int64_t rows = qkv.shape[0];
    const Shape shape = op.phase == Phase::Decode ? Shape{rows, heads, op.head_dim}
                                                  : Shape{heads, rows, op.head_dim};
    return {shape, qkv.dtype, Layout::Tile};
}

Specs output_specs(const CreateQkvHeads& op, const Spec& qkv) {
    const std::int64_t kv_heads = kv_heads_of(op, qkv);
    const Spec kv = heads_spec(op, qkv, kv_heads);
    return {heads_spec(op, qkv, kv_heads * op.group), kv, kv};
}

// Decode: the heads of one row are consecutive rows of the output.
void write_users(const View& out, std::int64_t heads, std::int64_t row, std::int64_t count,
                 const float* x, std::int64_t stride) {
    for (std::int64_t r = 0; r < count; ++r) {
        write_rows(out.spec, out.data, (row + r) * heads, heads, x + r * stride, Packer::Device);
    }
}

// Prefill: the rows of one head are consecutive rows of the output.
void write_heads(const View& out, std::int64_t row, std::int64_t count, const float* x,
                 std::int64_t stride) {
    const std::int64_t heads = out.spec.shape[0];
    const std::int64_t rows = out.spec.shape[1];
    const std::int64_t dim = out.spec.shape[2];
    detail::Scratch scratch;
    float* head = scratch.floats(count * dim);
    for (std::int64_t h = 0; h < heads; ++h) {
        for (std::int64_t r = 0; r < count; ++r) {
            std::copy_n(x + r * stride + h * dim, dim, head + r * dim);
        }
        write_rows(out.spec, out.data, h * rows + row, count, head, Packer::Device);
    }
}

}  // namespace

Specs infer(const CreateQkvHeads& op, std::span<const Spec> in) {
    detail::check_inputs(kName, in, 1, 1);
    detail::check_rank(kName, "qkv", in[0], 2);
    core::require(op.group > 0 && op.head_dim > 0, "heads have a group and a dimension");
    const std::int64_t unit = (op.group + 2) * op.head_dim;
    if (in[0].shape[1] % unit != 0 || in[0].shape[1] == 0) {
        throw core::Error::mismatch(
            kName, "qkv",
            "columns in multiples of " + std::to_string(unit) + " (" + std::to_string(op.group) +
                " query heads, a key and a value of " + std::to_string(op.head_dim) + ")",
            in[0].shape.text());
    }
    return output_specs(op, in[0]);
}

Split split(const CreateQkvHeads& op, std::span<const Spec> in, std::span<const Placement> placed) {
    detail::check_placed(kName, in, placed);
    Placement x = Placement::replicated();
    Placement heads = x;
    if (placed[0].is_sharded(1)) {
        x = placed[0];
        heads = Placement::sharded(op.phase == Phase::Decode ? 1 : 0);
    } else if (placed[0].is_sharded(0) && op.phase == Phase::Decode) {
        x = placed[0];
        heads = Placement::sharded(0);
    }
    return {{x}, {heads, heads, heads}};
}

core::Bytes scratch(const CreateQkvHeads&, std::span<const Spec>, const Bindings&) { return {}; }

Work work(const CreateQkvHeads& op, std::span<const Spec> in, const Bindings&) {
    Work work{.reads = {in[0].bytes()}, .writes = {}};
    for (const Spec& spec : output_specs(op, in[0])) {
        work.eltwise_tiles += detail::tiles_of(spec);
        work.writes.push_back(spec.bytes());
    }
    return work;
}

void run(const CreateQkvHeads& op, std::span<const View> in, std::span<const View> out,
         const Bindings& bindings, Counters&) {
    const std::int64_t cols = in[0].spec.shape[1];
    const std::int64_t kv_heads = kv_heads_of(op, in[0].spec);
    const std::array<std::int64_t, 3> heads{kv_heads * op.group, kv_heads, kv_heads};
    detail::for_each_strip(in[0].spec, bindings, [&](std::int64_t row, std::int64_t count) {
        detail::Scratch scratch;
        float* x = scratch.floats(count * cols);
        read_rows(in[0].spec, in[0].data, row, count, x);
        const float* part = x;
        for (std::size_t i = 0; i < heads.size(); ++i) {
            if (op.phase == Phase::Decode) {
                write_users(out[i], heads[i], row, count, part, cols);
            } else {
                write_heads(out[i], row, count, part, cols);
            }
            part += heads[i] * op.head_dim;
        }
    });
}

}  // namespace tensor

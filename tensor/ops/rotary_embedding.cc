#include "tensor/ops/rotary_embedding.h"

#include "core/error.h"
#include "tensor/formats.h"
#include "tensor/ops/support.h"

namespace tensor {
namespace {

constexpr std::string_view kName = "RotaryEmbedding";

// Angle of pair i stands at columns 2i and 2i + 1 of the tables.
void rotate(float* x, const float* cos, const float* sin, std::int64_t dim) {
    for (std::int64_t i = 0; i < dim; i += 2) {
        const float real = x[i];
        const float imaginary = x[i + 1];
        x[i] = real * cos[i] - imaginary * sin[i];
        x[i + 1] = imaginary * cos[i + 1] + real * sin[i + 1];
    }
}

// The heads of each user turn by the user's row of the tables.
void run_decode(const View& x, const View& cos, const View& sin, const View& y) {
    const std::int64_t users = x.spec.shape[0];
    const std::int64_t heads = x.spec.shape[1];
    const std::int64_t dim = x.spec.shape[2];
    detail::Scratch scratch;
    float* values = scratch.floats(heads * dim);
    float* c = scratch.floats(dim);
    float* s = scratch.floats(dim);
    for (std::int64_t u = 0; u < users; ++u) {
        read_rows(cos.spec, cos.data, u, 1, c);
        read_rows(sin.spec, sin.data, u, 1, s);
        read_rows(x.spec, x.data, u * heads, heads, values);
        for (std::int64_t h = 0; h < heads; ++h) rotate(values + h * dim, c, s, dim);
        write_rows(y.spec, y.data, u * heads, heads, values, Packer::Device);
    }
}

void run_prefill(const View& x, const View& cos, const View& sin, const View& y,
                 const Bindings& bindings) {
    const std::int64_t rows = x.spec.shape[1];
    const std::int64_t dim = x.spec.shape[2];
    core::require(bindings.chunk_start + bindings.rows_of(rows) <= cos.spec.shape[0],
                  "positions are within the rotary tables");
    detail::for_each_strip(x.spec, bindings, [&](std::int64_t row, std::int64_t count) {
        detail::Scratch scratch;
        float* values = scratch.floats(count * dim);
        float* c = scratch.floats(count * dim);
        float* s = scratch.floats(count * dim);
        const std::int64_t position = bindings.chunk_start + row % rows;
        read_rows(cos.spec, cos.data, position, count, c);
        read_rows(sin.spec, sin.data, position, count, s);
        read_rows(x.spec, x.data, row, count, values);
        for (std::int64_t r = 0; r < count; ++r) {
            rotate(values + r * dim, c + r * dim, s + r * dim, dim);
        }
        write_rows(y.spec, y.data, row, count, values, Packer::Device);
    });
}

}  // namespace

Specs infer(const RotaryEmbedding& op, std::span<const Spec> in) {
    const bool decodes = op.phase == Phase::Decode;
    detail::check_inputs(kName, in, 3, 3);
    detail::check_rank(kName, "x", in[0], 3);
    detail::check_rank(kName, "cos", in[1], decodes ? 3 : 2);
    if (in[0].shape[2] % 2 != 0) {
        throw core::Error::mismatch(kName, "x", "an even head_dim", in[0].shape.text());
    }
    detail::check_shape(
        kName, "cos", in[1],
        decodes ? Shape{in[0].shape[0], 1, in[0].shape[2]} : Shape{in[1].shape[0], in[0].shape[2]});
    detail::check_shape(kName, "sin", in[2], in[1].shape);
    return {{in[0].shape, in[0].dtype, Layout::Tile}};
}

// Decode: rows go with the users of x.
Split split(const RotaryEmbedding& op, std::span<const Spec> in,
            std::span<const Placement> placed) {
    detail::check_placed(kName, in, placed);
    const bool stays = placed[0].is_sharded() && !placed[0].is_sharded(2);
    const Placement x = stays ? placed[0] : Placement::replicated();
    if (op.phase == Phase::Decode) {
        const Placement rows = x.is_sharded(0) ? x : Placement::replicated();
        return {{x, rows, rows}, {x}};
    }
    if (!placed[1].is_replicated() || !placed[2].is_replicated()) detail::refuse(kName, placed);
    return {{x, placed[1], placed[2]}, {x}};
}

core::Bytes scratch(const RotaryEmbedding&, std::span<const Spec>, const Bindings&) { return {}; }

Work work(const RotaryEmbedding& op, std::span<const Spec> in, const Bindings& bindings) {
    const Spec out{in[0].shape, in[0].dtype, Layout::Tile};
    const std::int64_t tiles = detail::tiles_of(in[0]);
    // Prefill reads the rows of its positions.
    const std::int64_t last = bindings.chunk_start + in[0].shape[1];
    const std::int64_t rows = std::min(last, in[1].shape[0]) - bindings.chunk_start;
    const core::Bytes table =
        op.phase == Phase::Decode ? in[1].bytes() : detail::tile_row_bytes(in[1], rows);
    return {.tile_products = tiles,      // by the 32x32 matrix that swaps pairs
            .eltwise_tiles = 3 * tiles,  // by cos, by sin, sum
            .reads = {in[0].bytes(), table, table},
            .writes = {out.bytes()}};
}

void run(const RotaryEmbedding& op, std::span<const View> in, std::span<const View> out,
         const Bindings& bindings, Counters&) {
    if (op.phase == Phase::Decode) {
        run_decode(in[0], in[1], in[2], out[0]);
    } else {
        run_prefill(in[0], in[1], in[2], out[0], bindings);
    }
}

}  // namespace tensor

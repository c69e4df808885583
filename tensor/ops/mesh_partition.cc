#include "tensor/ops/mesh_partition.h"

#include <string>

#include "core/error.h"
#include "tensor/formats.h"
#include "tensor/ops/support.h"

namespace tensor {
namespace {

constexpr std::string_view kName = "MeshPartition";

Spec output_spec(const MeshPartition& op, const Spec& x) {
    const bool widens = op.how == MeshPartition::How::Selection && is_block_float(x.dtype);
    Spec out{x.shape, widens ? DType::BFloat16 : x.dtype, Layout::Tile};
    out.shape.set(op.dim, x.shape[op.dim] / op.parts);
    return out;
}

void take_columns(const View& x, const View& y, std::int64_t part, const Bindings& bindings) {
    const std::int64_t cols = x.spec.shape.cols();
    const std::int64_t width = y.spec.shape.cols();
    detail::for_each_strip(x.spec, bindings, [&](std::int64_t row, std::int64_t count) {
        detail::Scratch scratch;
        float* values = scratch.floats(count * cols);
        float* own = scratch.floats(count * width);
        read_rows(x.spec, x.data, row, count, values);
        for (std::int64_t r = 0; r < count; ++r) {
            std::copy_n(values + r * cols + part * width, width, own + r * width);
        }
        write_rows(y.spec, y.data, row, count, own, Packer::Device);
    });
}

// Rows of one part are consecutive; the part of each index of the axes before `dim` is one run.
void take_rows(const View& x, const View& y, int dim, std::int64_t parts, std::int64_t part) {
    const std::int64_t cols = y.spec.shape.cols();
    std::int64_t run = 1;
    for (int axis = dim; axis < y.spec.shape.rank() - 1; ++axis) run *= y.spec.shape[axis];
    detail::Scratch scratch;
    const std::int64_t height = std::min(run, kTileSide);
    float* values = scratch.floats(height * cols);
    for (std::int64_t start = 0; start < y.spec.shape.rows(); start += run) {
        for (std::int64_t r = 0; r < run; r += height) {
            const std::int64_t count = std::min(height, run - r);
            read_rows(x.spec, x.data, start * parts + part * run + r, count, values);
            write_rows(y.spec, y.data, start + r, count, values, Packer::Device);
        }
    }
}

}  // namespace

Specs infer(const MeshPartition& op, std::span<const Spec> in) {
    detail::check_inputs(kName, in, 1, 1);
    const int rank = in[0].shape.rank();
    core::require(op.parts > 0 && op.dim >= 0 && op.dim < rank, "a partition names an axis of x");
    if (in[0].shape[op.dim] % op.parts != 0) {
        throw core::Error::mismatch(
            kName, "x",
            "axis " + std::to_string(op.dim) + " in " + std::to_string(op.parts) + " equal parts",
            in[0].shape.text());
    }
    return {output_spec(op, in[0])};
}

Split split(const MeshPartition&, std::span<const Spec> in, std::span<const Placement> placed) {
    return detail::keep_columns(kName, in, placed, in[0].shape.rank());
}

core::Bytes scratch(const MeshPartition&, std::span<const Spec>, const Bindings&) { return {}; }

Work work(const MeshPartition& op, std::span<const Spec> in, const Bindings&) {
    const Spec out = output_spec(op, in[0]);
    if (op.how == MeshPartition::How::Selection) {
        // By a matrix of ones and zeros; none of its products is a useful one.
        return {.tile_products = out.tile_rows() * detail::tiles_of(in[0]),
                .reads = {in[0].bytes()},
                .writes = {out.bytes()}};
    }
    return {
        .eltwise_tiles = detail::tiles_of(out), .reads = {out.bytes()}, .writes = {out.bytes()}};
}

void run(const MeshPartition& op, std::span<const View> in, std::span<const View> out,
         const Bindings& bindings, Counters&) {
    const std::int64_t part = bindings.coord.at(static_cast<std::size_t>(op.axis));
    core::require(part >= 0 && part < op.parts, "the chip's place is one of the parts");
    if (op.dim == in[0].spec.shape.rank() - 1) {
        take_columns(in[0], out[0], part, bindings);
    } else {
        take_rows(in[0], out[0], op.dim, op.parts, part);
    }
}

}  // namespace tensor

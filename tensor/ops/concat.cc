#include "tensor/ops/concat.h"

#include "core/error.h"
#include "tensor/formats.h"
#include "tensor/ops/support.h"

namespace tensor {
namespace {

constexpr std::string_view kName = "Concat";
constexpr std::size_t kMostParts = 64;

Spec output_spec(std::span<const Spec> in) {
    std::int64_t cols = 0;
    for (const Spec& part : in) cols += part.shape[1];
    return {Shape{in[0].shape[0], cols}, in[0].dtype, Layout::Tile};
}

}  // namespace

Specs infer(const Concat&, std::span<const Spec> in) {
    detail::check_inputs(kName, in, 1, kMostParts);
    for (const Spec& part : in) {
        detail::check_rank(kName, "x", part, 2);
        detail::check_extent(kName, "rows", in[0].shape[0], part.shape[0]);
    }
    return {output_spec(in)};
}

// Parts are alike: whole columns of every chip's own part, rows or summands of them.
Split split(const Concat&, std::span<const Spec> in, std::span<const Placement> placed) {
    detail::check_placed(kName, in, placed);
    for (const Placement& place : placed) {
        if (place != placed[0]) detail::refuse(kName, placed);
    }
    return {{placed.begin(), placed.end()}, {placed[0]}};
}

core::Bytes scratch(const Concat&, std::span<const Spec>, const Bindings&) { return {}; }

Work work(const Concat&, std::span<const Spec> in, const Bindings& bindings) {
    Work work;
    for (const Spec& part : in) {
        const detail::ValidRows rows = detail::valid_rows(part, bindings);
        work.reads.push_back(detail::tile_row_bytes(part, rows.valid));
        work.eltwise_tiles += core::ceil_div(rows.valid, kTileSide) * part.tile_cols();
    }
    const Spec out = output_spec(in);
    const detail::ValidRows rows = detail::valid_rows(out, bindings);
    work.writes = {detail::tile_row_bytes(out, rows.valid)};
    return work;
}

void run(const Concat&, std::span<const View> in, std::span<const View> out,
         const Bindings& bindings, Counters&) {
    const std::int64_t cols = out[0].spec.shape.cols();
    detail::for_each_strip(out[0].spec, bindings, [&](std::int64_t row, std::int64_t count) {
        detail::Scratch scratch;
        float* whole = scratch.floats(count * cols);
        float* part = scratch.floats(count * cols);
        std::int64_t first = 0;
        for (const View& view : in) {
            const std::int64_t width = view.spec.shape.cols();
            read_rows(view.spec, view.data, row, count, part);
            for (std::int64_t r = 0; r < count; ++r) {
                std::copy_n(part + r * width, width, whole + r * cols + first);
            }
            first += width;
        }
        write_rows(out[0].spec, out[0].data, row, count, whole, Packer::Device);
    });
}

}  // namespace tensor

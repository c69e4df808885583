#include "tensor/ops/last_rows.h"

#include "tensor/formats.h"
#include "tensor/ops/support.h"

namespace tensor {
namespace {

constexpr std::string_view kName = "LastRows";

Spec output_spec(const Spec& x) {
    return {Shape{std::min(x.shape[0], kTileSide), x.shape[1]}, x.dtype, Layout::Tile};
}

}  // namespace

Specs infer(const LastRows&, std::span<const Spec> in) {
    detail::check_inputs(kName, in, 1, 1);
    detail::check_rank(kName, "x", in[0], 2);
    return {output_spec(in[0])};
}

Split split(const LastRows&, std::span<const Spec> in, std::span<const Placement> placed) {
    detail::check_placed(kName, in, placed);
    const Placement x = placed[0].is_sharded(1) ? placed[0] : Placement::replicated();
    return {{x}, {x}};
}

core::Bytes scratch(const LastRows&, std::span<const Spec>, const Bindings&) { return {}; }

Work work(const LastRows&, std::span<const Spec> in, const Bindings&) {
    const Spec out = output_spec(in[0]);
    return {
        .eltwise_tiles = detail::tiles_of(out), .reads = {out.bytes()}, .writes = {out.bytes()}};
}

void run(const LastRows&, std::span<const View> in, std::span<const View> out,
         const Bindings& bindings, Counters&) {
    const std::int64_t rows = out[0].spec.shape[0];
    const std::int64_t cols = out[0].spec.shape[1];
    const std::int64_t valid = bindings.rows_of(in[0].spec.shape[0]);
    const std::int64_t first = (valid - 1) / kTileSide * kTileSide;
    const std::int64_t count = valid - first;
    detail::Scratch scratch;
    float* x = scratch.floats(rows * cols);
    read_rows(in[0].spec, in[0].data, first, count, x);
    // Readers of y see a tile of its own length: padding behind the last token is zero there.
    std::fill(x + count * cols, x + rows * cols, 0.0F);
    write_rows(out[0].spec, out[0].data, 0, rows, x, Packer::Device);
}

}  // namespace tensor

#include "tensor/ops/first_rows.h"

#include <cstring>
#include <string>

#include "core/error.h"
#include "tensor/ops/support.h"

namespace tensor {
namespace {

constexpr std::string_view kName = "FirstRows";

Spec output_spec(const FirstRows& op, const Spec& x) {
    Spec out{x.shape, x.dtype, Layout::Tile};
    out.shape.set(0, op.count);
    return out;
}

}  // namespace

Specs infer(const FirstRows& op, std::span<const Spec> in) {
    detail::check_inputs(kName, in, 1, 1);
    detail::check_rank(kName, "x", in[0], 3);
    detail::check_tile_layout(kName, "x", in[0]);
    if (op.count < 1 || op.count > in[0].shape[0]) {
        throw core::Error::mismatch(kName, "count", "1 to " + std::to_string(in[0].shape[0]),
                                    std::to_string(op.count));
    }
    return {output_spec(op, in[0])};
}

// Entries of the other axes are treated alike.
Split split(const FirstRows&, std::span<const Spec> in, std::span<const Placement> placed) {
    detail::check_placed(kName, in, placed);
    const Placement x = placed[0].is_sharded(0) ? Placement::replicated() : placed[0];
    return {{x}, {x}};
}

core::Bytes scratch(const FirstRows&, std::span<const Spec>, const Bindings&) { return {}; }

Work work(const FirstRows& op, std::span<const Spec> in, const Bindings&) {
    const Spec out = output_spec(op, in[0]);
    return {
        .eltwise_tiles = detail::tiles_of(out), .reads = {out.bytes()}, .writes = {out.bytes()}};
}

// Outermost entries are whole tiles: the first of them are the first bytes.
void run(const FirstRows&, std::span<const View> in, std::span<const View> out, const Bindings&,
         Counters&) {
    std::memcpy(out[0].data, in[0].data, static_cast<std::size_t>(out[0].spec.bytes().value));
}

}  // namespace tensor

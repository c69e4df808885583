#include "tensor/ops/embedding.h"

#include <cstring>
#include <string>

#include "core/error.h"
#include "tensor/formats.h"
#include "tensor/ops/support.h"

namespace tensor {
namespace {

constexpr std::string_view kName = "Embedding";

Spec output_spec(const Embedding& op, std::span<const Spec> in) {
    return {Shape{in[0].shape[0], in[1].shape[1]}, op.out, Layout::Tile};
}

std::int64_t id_at(const View& ids, std::int64_t row, std::int64_t vocab) {
    std::uint32_t id = 0;
    std::memcpy(&id, ids.data + row * static_cast<std::int64_t>(sizeof id), sizeof id);
    if (id < vocab) return id;
    throw core::Error::mismatch(kName, "ids[" + std::to_string(row) + "]",
                                "an id below " + std::to_string(vocab), std::to_string(id));
}

}  // namespace

Specs infer(const Embedding& op, std::span<const Spec> in) {
    detail::check_inputs(kName, in, 2, 2);
    detail::check_rank(kName, "ids", in[0], 1);
    if (in[0].dtype != DType::UInt32 || in[0].layout != Layout::RowMajor) {
        throw core::Error::mismatch(kName, "ids", "row-major uint32", name(in[0].dtype));
    }
    detail::check_rank(kName, "table", in[1], 2);
    if (in[1].layout != Layout::RowMajor) {
        throw core::Error::mismatch(kName, "table", "a row-major table", "tile layout");
    }
    return {output_spec(op, in)};
}

Split split(const Embedding&, std::span<const Spec> in, std::span<const Placement> placed) {
    detail::check_placed(kName, in, placed);
    const Placement table = placed[1];
    if (!table.is_replicated() && !table.is_sharded(1)) detail::refuse(kName, placed);
    return {{Placement::replicated(), table}, {table}};
}

core::Bytes scratch(const Embedding&, std::span<const Spec>, const Bindings&) { return {}; }

Work work(const Embedding& op, std::span<const Spec> in, const Bindings&) {
    const Spec out = output_spec(op, in);
    return {.eltwise_tiles = detail::tiles_of(out),  // tilize
            .reads = {in[0].bytes(), in[1].page_bytes() * in[0].shape[0]},
            .writes = {out.bytes()}};
}

void run(const Embedding&, std::span<const View> in, std::span<const View> out,
         const Bindings& bindings, Counters&) {
    const View& table = in[1];
    const std::int64_t dim = table.spec.shape[1];
    detail::for_each_strip(out[0].spec, bindings, [&](std::int64_t row, std::int64_t count) {
        detail::Scratch scratch;
        float* y = scratch.floats(count * dim);
        for (std::int64_t r = 0; r < count; ++r) {
            const std::int64_t id = id_at(in[0], row + r, table.spec.shape[0]);
            read_rows(table.spec, table.data, id, 1, y + r * dim);
        }
        write_rows(out[0].spec, out[0].data, row, count, y, Packer::Device);
    });
}

}  // namespace tensor

#include "tensor/ops/attention.h"

#include <algorithm>
#include <atomic>

#include "core/error.h"
#include "tensor/formats.h"
#include "tensor/kernels/attention.h"
#include "tensor/kernels/vector.h"
#include "tensor/ops/kv_cache.h"
#include "tensor/ops/support.h"

namespace tensor::detail {
namespace {

// Positions unpacked at a time: 128 rows of 128 floats stay in the second-level cache.
constexpr std::int64_t kSegment = 128;

// Rows of one head of [..., rows, head_dim]; `part` counts (block, head) pairs or heads.
void unpack(const View& view, std::int64_t part, std::int64_t row, std::int64_t count, float* out) {
    const Spec& spec = view.spec;
    const std::int64_t dim = spec.shape.cols();
    if (spec.layout != Layout::Tile || dim % kFaceSide != 0) {
        return read_rows(spec, view.data, part * spec.shape[-2] + row, count, out);
    }
    const std::int64_t line = tile_bytes(spec.dtype).value * spec.tile_cols();
    const std::byte* tiles = view.data + part * spec.tile_rows() * line;
    for (std::int64_t done = 0; done < count;) {
        const std::int64_t at = row + done;
        const std::int64_t fit = std::min(count - done, kTileSide - at % kTileSide);
        kernels::unpack_positions(spec.dtype, tiles + at / kTileSide * line, at % kTileSide, fit,
                                  dim, out + done * dim);
        done += fit;
    }
}

}  // namespace

void KvRows::read(std::int64_t position, std::int64_t count, float* out) const {
    if (bindings_ == nullptr) return unpack(*view_, kv_head_, position, count, out);
    const std::int64_t block_size = view_->spec.shape[2];
    for (std::int64_t done = 0; done < count;) {
        const std::int64_t at = position + done;
        const std::int64_t row = cache_row(view_->spec, *bindings_, user_, at, kv_head_);
        core::require(row >= 0, "a user's blocks are all on one chip");
        const std::int64_t fit = std::min(count - done, block_size - at % block_size);
        unpack(*view_, row / block_size, row % block_size, fit, out + done * dim());
        done += fit;
    }
}

std::int64_t attend(const KvRows& keys, const KvRows& values, const float* q, std::int64_t rows,
                    Reach reach, float scale, float* out) {
    const std::int64_t dim = keys.dim();
    const std::int64_t most = reach.of(reach.step > 0 ? rows - 1 : 0);
    Scratch scratch;
    float* weights = scratch.floats(rows * most);
    float* segment = scratch.floats(std::min(most, kSegment) * dim);
    for (std::int64_t p = 0; p < most; p += kSegment) {
        const std::int64_t count = std::min(kSegment, most - p);
        keys.read(p, count, segment);
        for (std::int64_t r = 0; r < rows; ++r) {
            const std::int64_t seen = std::min(count, reach.of(r) - p);
            if (seen <= 0) continue;
            kernels::attention_scores(q + r * dim, segment, seen, dim, scale,
                                      weights + r * most + p);
        }
    }
    std::int64_t products = 0;
    for (std::int64_t r = 0; r < rows; ++r) {
        kernels::softmax(weights + r * most, weights + r * most, reach.of(r));
        products += 2 * reach.of(r) * dim;
    }
    std::fill_n(out, rows * dim, 0.0F);
    for (std::int64_t p = 0; p < most; p += kSegment) {
        const std::int64_t count = std::min(kSegment, most - p);
        values.read(p, count, segment);
        for (std::int64_t r = 0; r < rows; ++r) {
            const std::int64_t seen = std::min(count, reach.of(r) - p);
            if (seen <= 0) continue;
            kernels::attention_accumulate(weights + r * most + p, segment, seen, dim,
                                          out + r * dim);
        }
    }
    return products;
}

std::int64_t attend_causal(std::span<const View> in, const View& out, std::int64_t valid,
                           std::int64_t start, float scale, const RowsOf& rows_of) {
    const Spec& q = in[0].spec;
    const std::int64_t heads = q.shape[0];
    const std::int64_t dim = q.shape[2];
    const std::int64_t group = heads / in[1].spec.shape[in[1].spec.shape.rank() - 3];
    const std::int64_t strips = core::ceil_div(valid, kTileSide);
    std::atomic<std::int64_t> products = 0;
    const std::int64_t total = heads * dim * causal_products(valid, start);
    for_each_task(heads * strips, total, [&](std::int64_t task) {
        // The longest strips first: they decide when the last thread is done.
        const std::int64_t head = task % heads;
        const std::int64_t row = (strips - 1 - task / heads) * kTileSide;
        const std::int64_t count = std::min(kTileSide, valid - row);
        Scratch scratch;
        float* x = scratch.floats(count * dim);
        float* y = scratch.floats(count * dim);
        read_rows(q, in[0].data, head * q.shape[1] + row, count, x);
        products += attend(rows_of(in[1], head / group), rows_of(in[2], head / group), x, count,
                           {start + row + 1, 1}, scale, y);
        write_rows(out.spec, out.data, head * q.shape[1] + row, count, y, Packer::Device);
    });
    return products;
}

}  // namespace tensor::detail

#include "tensor/ops/attention.h"

#include <algorithm>
#include <atomic>
#include <string>

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

// What a row sees of positions [p, p + count): `count` of them after the first `skip`.
struct Seen {
    std::int64_t skip = 0;
    std::int64_t count = 0;
};
Seen seen_in(const Reach& reach, std::int64_t row, std::int64_t p, std::int64_t count) {
    const std::int64_t skip = std::max<std::int64_t>(reach.begin(row) - p, 0);
    return {skip, std::min(count, reach.end(row) - p) - skip};
}

// Reads positions [first, first + width) to `segment`, calling `use(position, count)` on each part.
// Parts end at multiples of kSegment, so that most are whole tiles wherever a window begins.
template <class Use>
void for_each_segment(const KvRows& rows, std::int64_t first, std::int64_t width, float* segment,
                      const Use& use) {
    for (std::int64_t p = first; p < first + width;) {
        const std::int64_t count = std::min(kSegment - p % kSegment, first + width - p);
        rows.read(p, count, segment);
        use(p, count);
        p += count;
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

void check_window(std::string_view op, std::int64_t window) {
    if (window >= 0) return;
    throw core::Error::mismatch(op, "window", "1 position or more, or 0 for all",
                                std::to_string(window));
}

std::int64_t cache_tiles(const Spec& cache, std::int64_t begin, std::int64_t end) {
    const std::int64_t block_size = cache.shape[2];
    const std::int64_t before =
        begin / block_size * cache.tile_rows() + begin % block_size / kTileSide;
    return sequence_tiles(cache, end) - before;
}

std::int64_t attend(const KvRows& keys, const KvRows& values, const float* q, std::int64_t rows,
                    Reach reach, float scale, float* out) {
    const std::int64_t dim = keys.dim();
    const std::int64_t least = reach.begin(0);
    const std::int64_t width = reach.end(rows - 1) - least;
    Scratch scratch;
    float* weights = scratch.floats(rows * width);  // [rows, width], position p in column p - least
    float* segment = scratch.floats(std::min(width, kSegment) * dim);
    for_each_segment(keys, least, width, segment, [&](std::int64_t p, std::int64_t count) {
        for (std::int64_t r = 0; r < rows; ++r) {
            const Seen seen = seen_in(reach, r, p, count);
            if (seen.count <= 0) continue;
            kernels::attention_scores(q + r * dim, segment + seen.skip * dim, seen.count, dim,
                                      scale, weights + r * width + (p - least) + seen.skip);
        }
    });
    std::int64_t products = 0;
    for (std::int64_t r = 0; r < rows; ++r) {
        float* row = weights + r * width + (reach.begin(r) - least);
        const std::int64_t seen = reach.end(r) - reach.begin(r);
        kernels::softmax(row, row, seen);
        products += 2 * seen * dim;
    }
    std::fill_n(out, rows * dim, 0.0F);
    for_each_segment(values, least, width, segment, [&](std::int64_t p, std::int64_t count) {
        for (std::int64_t r = 0; r < rows; ++r) {
            const Seen seen = seen_in(reach, r, p, count);
            if (seen.count <= 0) continue;
            kernels::attention_accumulate(weights + r * width + (p - least) + seen.skip,
                                          segment + seen.skip * dim, seen.count, dim,
                                          out + r * dim);
        }
    });
    return products;
}

std::int64_t attend_causal(std::span<const View> in, const View& out, const CausalRows& causal,
                           float scale, const RowsOf& rows_of) {
    const Spec& q = in[0].spec;
    const std::int64_t heads = q.shape[0];
    const std::int64_t dim = q.shape[2];
    const std::int64_t group = heads / in[1].spec.shape[in[1].spec.shape.rank() - 3];
    const std::int64_t strips = core::ceil_div(causal.rows, kTileSide);
    std::atomic<std::int64_t> products = 0;
    const std::int64_t total = heads * dim * causal_products(causal);
    for_each_task(heads * strips, total, [&](std::int64_t task) {
        // The longest strips first: they decide when the last thread is done.
        const std::int64_t head = task % heads;
        const std::int64_t row = (strips - 1 - task / heads) * kTileSide;
        const std::int64_t count = std::min(kTileSide, causal.rows - row);
        Scratch scratch;
        float* x = scratch.floats(count * dim);
        float* y = scratch.floats(count * dim);
        read_rows(q, in[0].data, head * q.shape[1] + row, count, x);
        products += attend(rows_of(in[1], head / group), rows_of(in[2], head / group), x, count,
                           {causal.start + row + 1, 1, causal.window}, scale, y);
        write_rows(out.spec, out.data, head * q.shape[1] + row, count, y, Packer::Device);
    });
    return products;
}

}  // namespace tensor::detail

#include "tensor/ops/support.h"

#include <tbb/parallel_for.h>

#include <cstddef>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "core/error.h"
#include "tensor/kernels/matmul.h"

namespace tensor::detail {
namespace {

constexpr std::size_t kAlign = 64;
constexpr std::size_t kChunkFloats = std::size_t{1} << 16;

struct Free {
    void operator()(float* p) const { ::operator delete (p, std::align_val_t{kAlign}); }
};

struct Chunk {
    std::unique_ptr<float, Free> data;
    std::size_t size = 0;
};

// Chunks never move while a buffer in them is in use, so a growing stack keeps its pointers.
struct Arena {
    std::vector<Chunk> chunks;
    std::size_t chunk = 0;
    std::size_t used = 0;
};

Arena& arena() {
    static thread_local Arena stack;
    return stack;
}

Chunk make_chunk(std::size_t floats) {
    void* p = ::operator new (floats * sizeof(float), std::align_val_t{kAlign});
    return {std::unique_ptr<float, Free>(static_cast<float*>(p)), floats};
}

}  // namespace

Scratch::Scratch() : chunk_(arena().chunk), used_(arena().used) {}

Scratch::~Scratch() {
    arena().chunk = chunk_;
    arena().used = used_;
}

float* Scratch::floats(std::int64_t count) {
    core::require(count >= 0, "scratch is not negative");
    Arena& stack = arena();
    const std::size_t want = (static_cast<std::size_t>(count) + 15) / 16 * 16;
    if (stack.chunks.empty()) stack.chunks.push_back(make_chunk(std::max(want, kChunkFloats)));
    if (stack.used + want > stack.chunks[stack.chunk].size) {
        // Nothing above the top is in use: a chunk there that is too small is replaced.
        ++stack.chunk;
        stack.used = 0;
        const std::size_t size = std::max(want, stack.chunks[stack.chunk - 1].size * 2);
        if (stack.chunk == stack.chunks.size()) {
            stack.chunks.push_back(make_chunk(size));
        } else if (stack.chunks[stack.chunk].size < want) {
            stack.chunks[stack.chunk] = make_chunk(size);
        }
    }
    float* p = stack.chunks[stack.chunk].data.get() + stack.used;
    stack.used += want;
    return p;
}

void check_inputs(std::string_view op, std::span<const Spec> in, std::size_t least,
                  std::size_t most) {
    if (in.size() >= least && in.size() <= most) return;
    const std::string expected =
        std::to_string(least) + (most == least ? "" : " to " + std::to_string(most));
    throw core::Error::mismatch(op, "inputs", expected, std::to_string(in.size()));
}

void check_rank(std::string_view op, std::string_view key, const Spec& spec, int rank) {
    if (spec.shape.rank() == rank) return;
    throw core::Error::mismatch(op, key, std::to_string(rank) + " axes", spec.shape.text());
}

void check_shape(std::string_view op, std::string_view key, const Spec& spec,
                 const Shape& expected) {
    if (spec.shape == expected) return;
    throw core::Error::mismatch(op, key, expected.text(), spec.shape.text());
}

void check_extent(std::string_view op, std::string_view what, std::int64_t expected,
                  std::int64_t found) {
    if (expected == found) return;
    throw core::Error::mismatch(op, what, std::to_string(expected), std::to_string(found));
}

void check_tile_layout(std::string_view op, std::string_view key, const Spec& spec) {
    if (spec.layout == Layout::Tile) return;
    throw core::Error::mismatch(op, key, "tile layout", "row-major");
}

void refuse(std::string_view op, std::span<const Placement> placed) {
    std::string found;
    for (const Placement& p : placed) found += (found.empty() ? "" : ", ") + p.text();
    throw core::Error::mismatch(op, "placements", "a combination it can run on", found)
        .hint("weights and caches never move; place this one so that the op's rule allows it");
}

void check_placed(std::string_view op, std::span<const Spec> in,
                  std::span<const Placement> placed) {
    if (in.size() == placed.size()) return;
    throw core::Error::mismatch(op, "placements", std::to_string(in.size()),
                                std::to_string(placed.size()));
}

Placement common_placement(Placement a, Placement b) {
    if (a.is_sharded() && (b == a || b.is_partial())) return a;
    if (b.is_sharded() && a.is_partial()) return b;
    return Placement::replicated();
}

Split keep_columns(std::string_view op, std::span<const Spec> in, std::span<const Placement> placed,
                   int output_rank) {
    check_placed(op, in, placed);
    if (!placed[0].is_sharded(in[0].shape.rank() - 1)) {
        return {{Placement::replicated()}, {Placement::replicated()}};
    }
    return {{placed[0]}, {Placement::sharded(output_rank - 1)}};
}

std::int64_t tiles_of(const Spec& spec) {
    if (spec.layout == Layout::Tile) return spec.tiles();
    return core::ceil_div(spec.shape.rows(), kTileSide) *
           core::ceil_div(spec.shape.cols(), kTileSide);
}

core::Bytes tile_row_bytes(const Spec& spec, std::int64_t rows) {
    return tile_bytes(spec.dtype) *
           (spec.shape.outer() * core::ceil_div(rows, kTileSide) * spec.tile_cols());
}

ValidRows valid_rows(const Spec& spec, const Bindings& bindings) {
    if (spec.shape.rank() < 2) return {};
    const std::int64_t extent = spec.shape[-2];
    return {spec.shape.outer(), extent, bindings.rows_of(extent)};
}

void multiply(const float* x, std::int64_t rows, const View& weight, float* y) {
    const std::int64_t depth = weight.spec.shape[0];
    const std::int64_t cols = weight.spec.shape[1];
    // Whole tiles of columns, so that tasks are of about `kParallelWork` / 4 products.
    const std::int64_t tile_work = rows * depth * kTileSide;
    const std::int64_t tiles =
        std::max<std::int64_t>(kParallelWork / 4 / std::max<std::int64_t>(tile_work, 1), 1);
    const std::int64_t width = tiles * kTileSide;
    for_each_task(core::ceil_div(cols, width), rows * depth * cols, [&](std::int64_t i) {
        const std::int64_t n0 = i * width;
        const std::int64_t n1 = std::min(n0 + width, cols);
        kernels::matmul(x, depth, rows, weight.spec, weight.data, n0, n1, y + n0, cols);
    });
}

void in_parallel(std::int64_t count, const std::function<void(std::int64_t)>& task) {
    tbb::parallel_for(std::int64_t{0}, count, task);
}

}  // namespace tensor::detail

// The arithmetic the three attention ops share: rows of queries against positions of one KV head.
// Invariant: scores first, then a softmax over all positions of a row, then the sum of values with
// positions ascending; a row's bits depend on its query and its keys and values alone.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "tensor/op_types.h"

namespace tensor::detail {

/// Where positions of one KV head are read from.
class KvRows {
public:
    /// Rows of a prompt's own keys or values [kv_heads, rows, head_dim].
    KvRows(const View& rows, std::int64_t kv_head) : view_(&rows), kv_head_(kv_head) {}
    /// Positions of one user in a paged cache [blocks, kv_heads, block_size, head_dim].
    KvRows(const View& cache, std::int64_t kv_head, const Bindings& bindings, std::int64_t user)
        : view_(&cache), kv_head_(kv_head), bindings_(&bindings), user_(user) {}

    std::int64_t dim() const { return view_->spec.shape.cols(); }
    /// Positions [position, position + count) to `out` [count, head_dim].
    void read(std::int64_t position, std::int64_t count, float* out) const;

private:
    const View* view_;
    std::int64_t kv_head_;
    const Bindings* bindings_ = nullptr;
    std::int64_t user_ = 0;
};

/// Query row r of a set attends to positions [0, first + r * step).
struct Reach {
    std::int64_t first = 1;
    std::int64_t step = 0;
    std::int64_t of(std::int64_t row) const { return first + row * step; }
};

/// out[r] = softmax(scale * q[r] k^T) v.  q, out [rows, head_dim].  Returns the multiply-adds done.
std::int64_t attend(const KvRows& keys, const KvRows& values, const float* q, std::int64_t rows,
                    Reach reach, float scale, float* out);

/// Causal attention of rows [0, valid) of every query head, row r seeing positions [0, start + r].
/// `rows_of(view, kv_head)` finds k and v.  in: q, k, v.  Returns the multiply-adds done.
using RowsOf = std::function<KvRows(const View&, std::int64_t)>;
std::int64_t attend_causal(std::span<const View> in, const View& out, std::int64_t valid,
                           std::int64_t start, float scale, const RowsOf& rows_of);

/// Multiply-adds of that, per query head and head_dim: scores and sums over `valid` rows.
constexpr std::int64_t causal_products(std::int64_t valid, std::int64_t start) {
    return 2 * (valid * start + valid * (valid + 1) / 2);
}
/// Pairs of a query tile and a key tile it sees, at least in part.
constexpr std::int64_t causal_tiles(std::int64_t rows, std::int64_t start) {
    const std::int64_t tiles = core::ceil_div(rows, kTileSide);
    return tiles * core::ceil_div(start, kTileSide) + tiles * (tiles + 1) / 2;
}

}  // namespace tensor::detail

// The arithmetic the three attention ops share: rows of queries against positions of one KV head.
// Invariant: scores first, then a softmax over the positions a row sees, then the sum of values
// with positions ascending; a row's bits depend on its query and the keys and values it sees alone.
// Windows count positions, the query's own included; 0 is no window.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

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

/// Throws core::Error for a negative window.
void check_window(std::string_view op, std::int64_t window);
/// First of the positions [0, end) that a query at end - 1 sees through `window`.
constexpr std::int64_t window_begin(std::int64_t end, std::int64_t window) {
    return window > 0 ? std::max<std::int64_t>(end - window, 0) : 0;
}
/// Tiles along the sequence of a cache that hold positions [begin, end), in part or as a whole.
std::int64_t cache_tiles(const Spec& cache, std::int64_t begin, std::int64_t end);

/// Query row r of a set attends to positions [begin(r), end(r)); neither ever falls with r.
struct Reach {
    std::int64_t first = 1;
    std::int64_t step = 0;
    std::int64_t window = 0;
    std::int64_t end(std::int64_t row) const { return first + row * step; }
    std::int64_t begin(std::int64_t row) const { return window_begin(end(row), window); }
};

/// out[r] = softmax(scale * q[r] k^T) v.  q, out [rows, head_dim].  Returns the multiply-adds done.
std::int64_t attend(const KvRows& keys, const KvRows& values, const float* q, std::int64_t rows,
                    Reach reach, float scale, float* out);

/// Rows of a prompt that begin at position `start`: row r sees positions [0, start + r], of these
/// the last `window`.
struct CausalRows {
    std::int64_t rows = 0;
    std::int64_t start = 0;
    std::int64_t window = 0;
};

/// Causal attention of the first rows of every query head.  `rows_of(view, kv_head)` finds k and v.
/// in: q, k, v.  Returns the multiply-adds done.
using RowsOf = std::function<KvRows(const View&, std::int64_t)>;
std::int64_t attend_causal(std::span<const View> in, const View& out, const CausalRows& causal,
                           float scale, const RowsOf& rows_of);

/// Multiply-adds of that, per query head and head_dim: scores and sums.
constexpr std::int64_t causal_products(const CausalRows& causal) {
    // Rows that see all before them; every other row sees a whole window.
    const std::int64_t growing =
        causal.window > 0 ? std::clamp<std::int64_t>(causal.window - causal.start, 0, causal.rows)
                          : causal.rows;
    return 2 * (growing * causal.start + growing * (growing + 1) / 2 +
                (causal.rows - growing) * causal.window);
}

/// Pairs of a query tile and a key tile it sees, at least in part; the last query tile is whole.
constexpr std::int64_t causal_tiles(const CausalRows& causal) {
    const std::int64_t tiles = core::ceil_div(causal.rows, kTileSide);
    const std::int64_t all =
        tiles * core::ceil_div(causal.start, kTileSide) + tiles * (tiles + 1) / 2;
    // Through a window, query tile t skips the max(0, t + lead) key tiles that end before those its
    // first row sees. A longer window than `reach` shows no more.
    const std::int64_t reach = causal.start + tiles * kTileSide;
    if (causal.window == 0 || causal.window >= reach) return all;
    const std::int64_t lead = (reach + 1 - causal.window) / kTileSide - tiles;
    const std::int64_t first = std::max<std::int64_t>(lead, 0);
    const std::int64_t skipping =
        std::max<std::int64_t>(tiles + std::min<std::int64_t>(lead, 0), 0);
    return all - skipping * first - skipping * (skipping - 1) / 2;
}

}  // namespace tensor::detail

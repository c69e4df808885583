// The inner loops of attention: unpacking positions of a cache, one query row against many of them.
// Invariant: a score depends on its query and key alone, a sum runs over positions in ascending
// order, so neither the split into segments nor the number of heads on a chip changes a bit.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace tensor::kernels {

/// scores[p] = scale * (query . keys[p]).  query [dim], keys [count, dim] -> scores [count].
void attention_scores(const float* query, const float* keys, std::int64_t count, std::int64_t dim,
                      float scale, float* scores);

/// out += sum over p of weights[p] * values[p], p ascending.  weights [count], values [count, dim],
/// out [dim].
void attention_accumulate(const float* weights, const float* values, std::int64_t count,
                          std::int64_t dim, float* out);

/// Rows [row, row + count) of the 32 in a row of tiles, all `cols` columns, to `out` [count, cols].
/// The values of read_rows, for many short rows at a time.
/// Requires: fp32, bf16 or a block float; row + count <= 32; cols a multiple of 16.
void unpack_positions(DType dtype, const std::byte* tiles, std::int64_t row, std::int64_t count,
                      std::int64_t cols, float* out);

}  // namespace tensor::kernels

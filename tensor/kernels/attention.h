// The two inner loops of attention: one query row against many cached positions.
// Invariant: a score depends on its query and key alone, a sum runs over positions in ascending
// order, so neither the split into segments nor the number of heads on a chip changes a bit.
#pragma once

#include <cstdint>

namespace tensor::kernels {

/// scores[p] = scale * (query . keys[p]).  query [dim], keys [count, dim] -> scores [count].
void attention_scores(const float* query, const float* keys, std::int64_t count, std::int64_t dim,
                      float scale, float* scores);

/// out += sum over p of weights[p] * values[p], p ascending.  weights [count], values [count, dim],
/// out [dim].
void attention_accumulate(const float* weights, const float* values, std::int64_t count,
                          std::int64_t dim, float* out);

}  // namespace tensor::kernels

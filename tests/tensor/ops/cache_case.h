// A paged cache for tests: blocks handed out in a scattered order, positions of one user written
// and read the slow way.
#pragma once

#include "tests/tensor/ops/op_case.h"

namespace tensor::testing {

/// Block of (user, n) is not where one would guess, so a mixed-up table shows.
inline PageTable scattered(std::int64_t users, std::int64_t blocks_per_user,
                           std::int64_t block_size) {
    PageTable table{block_size, blocks_per_user, {}};
    const std::int64_t blocks = users * blocks_per_user;
    for (std::int64_t i = 0; i < blocks; ++i) {
        table.blocks.push_back(static_cast<std::int32_t>((i * 7 + 3) % blocks));
    }
    return table;
}

/// Index of element (user, position, head, 0) of a cache.
inline std::size_t cache_at(const Spec& cache, const PageTable& table, std::int64_t user,
                            std::int64_t position, std::int64_t head) {
    const std::int64_t block = table.block(user, position);
    const std::int64_t row =
        (block * cache.shape[1] + head) * cache.shape[2] + position % cache.shape[2];
    return static_cast<std::size_t>(row * cache.shape[3]);
}

/// softmax(scale q k^T) v of one row, where k(p) and v(p) point at head_dim values.
inline Doubles attention_row(const double* q, std::int64_t dim, std::int64_t positions,
                             double scale, const std::function<const double*(std::int64_t)>& k,
                             const std::function<const double*(std::int64_t)>& v) {
    Doubles scores;
    double most = -1e300;
    for (std::int64_t p = 0; p < positions; ++p) {
        double score = 0.0;
        for (std::int64_t c = 0; c < dim; ++c) score += q[c] * k(p)[c];
        scores.push_back(score * scale);
        most = std::max(most, scores.back());
    }
    Doubles out(static_cast<std::size_t>(dim), 0.0);
    double sum = 0.0;
    for (std::int64_t p = 0; p < positions; ++p) {
        const double weight = std::exp(scores[static_cast<std::size_t>(p)] - most);
        sum += weight;
        for (std::int64_t c = 0; c < dim; ++c) out[static_cast<std::size_t>(c)] += weight * v(p)[c];
    }
    for (double& value : out) value /= sum;
    return out;
}

}  // namespace tensor::testing

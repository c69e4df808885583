// Attention's inner loops with Highway. A dot product is 16 running sums, folded in one fixed
// tree, whatever the register length; keys are taken four at a time to hide latency.
#include "tensor/kernels/attention.h"

#include <cstddef>

#include "tensor/kernels/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/attention.cc"
#include "hwy/foreach_target.h"
#include "tensor/kernels/face_row-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tensor::kernels {
namespace HWY_NAMESPACE {

using Quad = hn::CappedTag<float, 4>;
inline constexpr Quad kQuad;
using Four = hn::Vec<Quad>;
inline constexpr bool kHasQuads = hn::MaxLanes(Quad()) == 4;

/// 16 running sums to 4: lane i with i + 8, then with i + 4. Requires: kHasQuads.
HWY_INLINE Four fold_to_four(const Floats* sums) {
    if constexpr (kParts == 1) {
        const hn::Half<F32> eight;
        const auto pairs = hn::Add(hn::LowerHalf(eight, sums[0]), hn::UpperHalf(eight, sums[0]));
        return hn::Add(hn::LowerHalf(kQuad, pairs), hn::UpperHalf(kQuad, pairs));
    } else if constexpr (kParts == 2) {
        const Floats pairs = hn::Add(sums[0], sums[1]);
        return hn::Add(hn::LowerHalf(kQuad, pairs), hn::UpperHalf(kQuad, pairs));
    } else {
        return hn::Add(hn::Add(sums[0], sums[2]), hn::Add(sums[1], sums[3]));
    }
}

/// Sum of 16 running sums: the tree goes on with lane i and i + 2, then i + 1.
HWY_INLINE float fold(const Floats* sums) {
    alignas(64) float lanes[16];
    if constexpr (kHasQuads) {
        hn::Store(fold_to_four(sums), kQuad, lanes);
    } else {
        for (std::size_t p = 0; p < kParts; ++p) hn::Store(sums[p], kF32, lanes + p * kLanes);
        for (std::size_t width = 8; width >= 4; width /= 2) {
            for (std::size_t i = 0; i < width; ++i) lanes[i] += lanes[i + width];
        }
    }
    return (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
}

/// Four folds at once, by the same tree.
HWY_INLINE void fold_rows(const Floats (*sums)[kParts], float* out) {
    if constexpr (kHasQuads) {
        const Four a = fold_to_four(sums[0]), b = fold_to_four(sums[1]);
        const Four c = fold_to_four(sums[2]), d = fold_to_four(sums[3]);
        // [a0 b0 a1 b1] + [a2 b2 a3 b3], and the same of c and d.
        const Four ab = hn::Add(hn::InterleaveLower(kQuad, a, b), hn::InterleaveUpper(kQuad, a, b));
        const Four cd = hn::Add(hn::InterleaveLower(kQuad, c, d), hn::InterleaveUpper(kQuad, c, d));
        hn::StoreU(
            hn::Add(hn::ConcatLowerLower(kQuad, cd, ab), hn::ConcatUpperUpper(kQuad, cd, ab)),
            kQuad, out);
    } else {
        for (std::size_t r = 0; r < 4; ++r) out[r] = fold(sums[r]);
    }
}

template <std::size_t kRows>
HWY_INLINE void dots(const float* query, const float* keys, std::size_t dim, float scale,
                     float* scores) {
    Floats sums[kRows][kParts];
    for (auto& row : sums) {
        for (Floats& sum : row) sum = hn::Zero(kF32);
    }
    const std::size_t whole = dim / 16 * 16;
    for (std::size_t c = 0; c < whole; c += 16) {
        for (std::size_t p = 0; p < kParts; ++p) {
            const Floats q = hn::LoadU(kF32, query + c + p * kLanes);
            for (std::size_t r = 0; r < kRows; ++r) {
                const Floats k = hn::LoadU(kF32, keys + r * dim + c + p * kLanes);
                sums[r][p] = hn::MulAdd(q, k, sums[r][p]);
            }
        }
    }
    float totals[kRows];
    if constexpr (kRows == 4) {
        fold_rows(sums, totals);
    } else {
        for (std::size_t r = 0; r < kRows; ++r) totals[r] = fold(sums[r]);
    }
    for (std::size_t r = 0; r < kRows; ++r) {
        for (std::size_t c = whole; c < dim; ++c) totals[r] += query[c] * keys[r * dim + c];
        scores[r] = totals[r] * scale;
    }
}

void scores_of(const float* query, const float* keys, std::size_t count, std::size_t dim,
               float scale, float* scores) {
    std::size_t p = 0;
    for (; p + 4 <= count; p += 4) dots<4>(query, keys + p * dim, dim, scale, scores + p);
    for (; p < count; ++p) dots<1>(query, keys + p * dim, dim, scale, scores + p);
}

/// kRegisters registers of columns stay loaded while all positions pass by.
template <std::size_t kRegisters>
HWY_INLINE void accumulate_columns(const float* weights, const float* values, std::size_t count,
                                   std::size_t dim, float* out) {
    Floats sums[kRegisters];
    for (std::size_t i = 0; i < kRegisters; ++i) sums[i] = hn::LoadU(kF32, out + i * kLanes);
    for (std::size_t p = 0; p < count; ++p) {
        const Floats weight = hn::Set(kF32, weights[p]);
        for (std::size_t i = 0; i < kRegisters; ++i) {
            const Floats value = hn::LoadU(kF32, values + p * dim + i * kLanes);
            sums[i] = hn::MulAdd(weight, value, sums[i]);
        }
    }
    for (std::size_t i = 0; i < kRegisters; ++i) hn::StoreU(sums[i], kF32, out + i * kLanes);
}

void accumulate(const float* weights, const float* values, std::size_t count, std::size_t dim,
                float* out) {
    std::size_t c = 0;
    for (; c + 8 * kLanes <= dim; c += 8 * kLanes) {
        accumulate_columns<8>(weights, values + c, count, dim, out + c);
    }
    for (; c + 4 * kLanes <= dim; c += 4 * kLanes) {
        accumulate_columns<4>(weights, values + c, count, dim, out + c);
    }
    for (; c + 2 * kLanes <= dim; c += 2 * kLanes) {
        accumulate_columns<2>(weights, values + c, count, dim, out + c);
    }
    for (; c + kLanes <= dim; c += kLanes) {
        accumulate_columns<1>(weights, values + c, count, dim, out + c);
    }
    for (; c < dim; ++c) {
        for (std::size_t p = 0; p < count; ++p) out[c] += weights[p] * values[p * dim + c];
    }
}

}  // namespace HWY_NAMESPACE
}  // namespace tensor::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace tensor::kernels {

HWY_EXPORT(scores_of);
HWY_EXPORT(accumulate);

void attention_scores(const float* query, const float* keys, std::int64_t count, std::int64_t dim,
                      float scale, float* scores) {
    HWY_DYNAMIC_DISPATCH(scores_of)
    (query, keys, static_cast<std::size_t>(count), static_cast<std::size_t>(dim), scale, scores);
}

void attention_accumulate(const float* weights, const float* values, std::int64_t count,
                          std::int64_t dim, float* out) {
    HWY_DYNAMIC_DISPATCH(accumulate)
    (weights, values, static_cast<std::size_t>(count), static_cast<std::size_t>(dim), out);
}

}  // namespace tensor::kernels
#endif  // HWY_ONCE

// Attention's inner loops with Highway. A dot product is 16 running sums, folded in one fixed
// tree, whatever the register length; keys are taken four at a time to hide latency.
#include "tensor/kernels/attention.h"

#include <cstddef>

#include "tensor/kernels/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/attention.cc"
#include <hwy/foreach_target.h>

#include "tensor/kernels/face_row-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tensor::kernels {
namespace HWY_NAMESPACE {

// The tree of a dot product: lane i of the 16 sums with i + 8, then with i + 4, i + 2, i + 1.
#if HWY_TARGET <= HWY_AVX2

using Quad = hn::CappedTag<float, 4>;
inline constexpr Quad kQuad;
using Four = hn::Vec<Quad>;

/// The first two levels of the tree, in registers.
HWY_INLINE Four fold_to_four(const Floats* sums) {
#if HWY_TARGET <= HWY_AVX3
    const hn::Half<F32> eight;
    const auto pairs = hn::Add(hn::LowerHalf(eight, sums[0]), hn::UpperHalf(eight, sums[0]));
#else
    const auto pairs = hn::Add(sums[0], sums[1]);
#endif
    return hn::Add(hn::LowerHalf(kQuad, pairs), hn::UpperHalf(kQuad, pairs));
}

HWY_INLINE float fold(const Floats* sums) {
    alignas(16) float lanes[4];
    hn::Store(fold_to_four(sums), kQuad, lanes);
    return (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
}

/// Four folds at once.
HWY_INLINE void fold_rows(const Floats (*sums)[kParts], float* out) {
    const Four a = fold_to_four(sums[0]), b = fold_to_four(sums[1]);
    const Four c = fold_to_four(sums[2]), d = fold_to_four(sums[3]);
    // [a0 b0 a1 b1] + [a2 b2 a3 b3], and the same of c and d.
    const Four ab = hn::Add(hn::InterleaveLower(kQuad, a, b), hn::InterleaveUpper(kQuad, a, b));
    const Four cd = hn::Add(hn::InterleaveLower(kQuad, c, d), hn::InterleaveUpper(kQuad, c, d));
    const Four even = hn::ConcatLowerLower(kQuad, cd, ab);
    const Four odd = hn::ConcatUpperUpper(kQuad, cd, ab);
    hn::StoreU(hn::Add(even, odd), kQuad, out);
}

#else

HWY_INLINE float fold(const Floats* sums) {
    alignas(64) float lanes[16];
    for (std::size_t p = 0; p < kParts; ++p) hn::Store(sums[p], kF32, lanes + p * kLanes);
    for (std::size_t width = 8; width > 0; width /= 2) {
        for (std::size_t i = 0; i < width; ++i) lanes[i] += lanes[i + width];
    }
    return lanes[0];
}

HWY_INLINE void fold_rows(const Floats (*sums)[kParts], float* out) {
    for (std::size_t r = 0; r < 4; ++r) out[r] = fold(sums[r]);
}

#endif

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

template <DType kType>
void unpack_as(const std::uint8_t* tiles, std::size_t row, std::size_t count, std::size_t cols,
               float* out) {
    for (std::size_t r = row; r < row + count; ++r, out += cols) {
        const std::size_t first = r / 16 * 32 + r % 16;  // the right face's rows come 16 later
        for (std::size_t c = 0; c < cols; c += 16) {
            decode_face_row<kType>(tiles + c / 32 * Format<kType>::kTileBytes, first + c % 32,
                                   out + c);
        }
    }
}

void unpack(DType dtype, const std::uint8_t* tiles, std::size_t row, std::size_t count,
            std::size_t cols, float* out) {
    switch (dtype) {
        case DType::BFloat16:
            return unpack_as<DType::BFloat16>(tiles, row, count, cols, out);
        case DType::BFloat8_b:
            return unpack_as<DType::BFloat8_b>(tiles, row, count, cols, out);
        case DType::BFloat4_b:
            return unpack_as<DType::BFloat4_b>(tiles, row, count, cols, out);
        case DType::BFloat2_b:
            return unpack_as<DType::BFloat2_b>(tiles, row, count, cols, out);
        default:
            return unpack_as<DType::Float32>(tiles, row, count, cols, out);
    }
}

}  // namespace HWY_NAMESPACE
}  // namespace tensor::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "core/error.h"

namespace tensor::kernels {

HWY_EXPORT(scores_of);
HWY_EXPORT(accumulate);
HWY_EXPORT(unpack);

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

void unpack_positions(DType dtype, const std::byte* tiles, std::int64_t row, std::int64_t count,
                      std::int64_t cols, float* out) {
    core::require(dtype != DType::Int32 && dtype != DType::UInt32 && row >= 0 && count >= 0 &&
                      row + count <= kTileSide && cols % kFaceSide == 0,
                  "positions are rows of one row of tiles");
    HWY_DYNAMIC_DISPATCH(unpack)
    (dtype, reinterpret_cast<const std::uint8_t*>(tiles), static_cast<std::size_t>(row),
     static_cast<std::size_t>(count), static_cast<std::size_t>(cols), out);
}

}  // namespace tensor::kernels
#endif  // HWY_ONCE

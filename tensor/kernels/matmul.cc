// Two ways to the same bits. Few rows (decode of one user): codes go from the tile to the register
// and the shared exponent is folded into the activation, a power of two, so the product is the same
// real number. Many rows: a strip of 64 columns is decoded to floats once and reused by all rows.
// The fold is exact only while x * 2^(E-127-bias) stays normal; a face where it does not is
// decoded. Idea of the fold and of register = face row: exponents lie along N, 16 outputs share
// one.
#include "tensor/kernels/matmul.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "tensor/kernels/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/matmul.cc"
#include <hwy/foreach_target.h>

#include "tensor/kernels/face_row-inl.h"

#ifndef TESSERA_TENSOR_KERNELS_MATMUL_ONCE_
#define TESSERA_TENSOR_KERNELS_MATMUL_ONCE_
namespace tensor::kernels {

/// One call, columns widened to whole tiles: tile columns [tile0, tile1).
struct Product {
    const float* x = nullptr;
    std::size_t ldx = 0, rows = 0, depth = 0;
    const std::uint8_t* tiles = nullptr;
    std::size_t tile_cols = 0;  // of the whole weight
    std::size_t tile0 = 0, tile1 = 0;
    std::size_t n0 = 0, n1 = 0;
    float* out = nullptr;
    std::size_t ldo = 0;
    float* scratch = nullptr;
};

inline constexpr std::size_t kFewRows = 3;       // below: stream the tiles; from here: decode
inline constexpr std::size_t kRowChunk = 256;    // rows that reuse one decoded strip
inline constexpr std::size_t kStripCols = 64;    // two tiles
inline constexpr std::size_t kStripDepth = 128;  // decoded strip: 128 x 64 floats, 32 KiB
inline constexpr std::size_t kStripFloats = kStripCols * (kStripDepth + kRowChunk);

/// Copies the wanted part of columns [first, first + width) of one row.
inline void copy_out(const Product& p, std::size_t row, std::size_t first, std::size_t width,
                     const float* from) {
    const std::size_t begin = std::max(first, p.n0);
    const std::size_t end = std::min(first + width, p.n1);
    if (begin >= end) return;
    std::memcpy(p.out + row * p.ldo + (begin - p.n0), from + (begin - first),
                (end - begin) * sizeof(float));
}

}  // namespace tensor::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace tensor::kernels {
namespace HWY_NAMESPACE {

// Few rows: stream the tiles.

/// Tiles side by side whose accumulators fit the registers.
inline constexpr std::size_t kGroupTiles = kParts == 1 ? 4 : kParts == 2 ? 2 : 1;

/// scaled = x * 2^(E - 127 - bias) for 16 face rows. False if any step would not be exact.
template <DType kType>
HWY_INLINE bool fold_exponents(const std::uint8_t* exponents, const float* x, float* scaled) {
    const hn::Rebind<std::uint8_t, F32> bytes;
    auto exact = hn::Eq(hn::Zero(kU32), hn::Zero(kU32));
    for (std::size_t p = 0; p < kParts; ++p) {
        const Words e = hn::PromoteTo(kU32, hn::LoadU(bytes, exponents + p * kLanes));
        const auto scale =
            hn::BitCast(kF32, hn::ShiftLeft<23>(hn::Sub(e, hn::Set(kU32, Format<kType>::kBias))));
        const Floats from = hn::LoadU(kF32, x + p * kLanes);
        const Floats to = hn::Mul(from, scale);
        hn::StoreU(to, kF32, scaled + p * kLanes);
        const Words own = hn::And(hn::ShiftRight<23>(hn::BitCast(kU32, to)), hn::Set(kU32, 0xffu));
        // Unsigned differences wrap, so one comparison asks for both ends of the range.
        const auto plain = hn::Lt(hn::Sub(e, hn::Set(kU32, 8u)), hn::Set(kU32, 247u));
        const auto normal = hn::Lt(hn::Sub(own, hn::Set(kU32, 1u)), hn::Set(kU32, 254u));
        const auto zero = hn::RebindMask(kU32, hn::Eq(from, hn::Zero(kF32)));
        exact = hn::And(exact, hn::And(plain, hn::Or(normal, zero)));
    }
    return hn::AllTrue(kU32, exact);
}

/// One accumulator register per `c`: face column c / kParts, part c % kParts. `tiles` is the face
/// row of k = 0 in the first tile; `x` has one value per k, per face column when exponents differ.
template <DType kType, std::size_t... c>
HWY_INLINE void accumulate_faces(const std::uint8_t* first, const float* x, std::size_t depth,
                                 float* sums, std::index_sequence<c...>) {
    constexpr bool kOwnScale = Format<kType>::kHasExponents;
    const Format<kType> format;
    Floats acc[] = {hn::LoadU(kF32, sums + c * kLanes)...};
    for (std::size_t k = 0; k < depth; ++k) {
        const std::uint8_t* row = first + k * Format<kType>::kRowBytes;
        ((acc[c] = hn::MulAdd(format.load(row + c / kParts / 2 * Format<kType>::kTileBytes +
                                              c / kParts % 2 * 16 * Format<kType>::kRowBytes,
                                          c % kParts),
                              hn::Set(kF32, x[(kOwnScale ? c / kParts * 16 : 0) + k]), acc[c])),
         ...);
    }
    (hn::StoreU(acc[c], kF32, sums + c * kLanes), ...);
}

/// The way of many rows, for a face whose exponents do not fold.
template <DType kType>
HWY_NOINLINE void accumulate_decoded(const std::uint8_t* tile, std::size_t index, const float* x,
                                     std::size_t depth, float* sums) {
    for (std::size_t k = 0; k < depth; ++k) {
        float w[16];
        decode_face_row<kType>(tile, index + k, w);
        for (std::size_t p = 0; p < kParts; ++p) {
            const Floats sum = hn::LoadU(kF32, sums + p * kLanes);
            hn::StoreU(hn::MulAdd(hn::LoadU(kF32, w + p * kLanes), hn::Set(kF32, x[k]), sum), kF32,
                       sums + p * kLanes);
        }
    }
}

/// sums[kTiles * 32] += x[depth] * rows [16 half, 16 half + depth) of kTiles adjacent tiles.
template <DType kType, std::size_t kTiles>
HWY_INLINE void accumulate_group(const std::uint8_t* tiles, std::size_t half, const float* x,
                                 std::size_t depth, float* sums) {
    const std::uint8_t* first = face_row<kType>(tiles, half * 32);
    using Registers = std::make_index_sequence<kTiles * 2 * kParts>;
    if constexpr (!Format<kType>::kHasExponents) {
        accumulate_faces<kType>(first, x, depth, sums, Registers());
    } else {
        alignas(64) float scaled[kTiles * 32];
        bool exact = true;
        for (std::size_t f = 0; f < kTiles * 2; ++f) {
            const std::uint8_t* tile = tiles + f / 2 * Format<kType>::kTileBytes;
            exact &= fold_exponents<kType>(tile + half * 32 + f % 2 * 16, x, scaled + f * 16);
        }
        if (HWY_LIKELY(exact)) {
            return accumulate_faces<kType>(first, scaled, depth, sums, Registers());
        }
        for (std::size_t f = 0; f < kTiles * 2; ++f) {
            accumulate_decoded<kType>(tiles + f / 2 * Format<kType>::kTileBytes,
                                      half * 32 + f % 2 * 16, x, depth, sums + f * 16);
        }
    }
}

/// One half tile row (16 k) for one row of x; `sums` spans all tile columns of the product.
template <DType kType>
void accumulate_half(const Product& p, std::size_t k, const float* x, float* sums) {
    const std::size_t depth = std::min<std::size_t>(16, p.depth - k);
    alignas(64) float padded[16] = {};  // reading 16 must not run over the row's end
    std::memcpy(padded, x + k, depth * sizeof(float));
    const std::uint8_t* row = p.tiles + k / 32 * p.tile_cols * Format<kType>::kTileBytes;
    const std::size_t half = k / 16 % 2;
    std::size_t t = p.tile0;
    for (; t + kGroupTiles <= p.tile1; t += kGroupTiles) {
        accumulate_group<kType, kGroupTiles>(row + t * Format<kType>::kTileBytes, half, padded,
                                             depth, sums + (t - p.tile0) * 32);
    }
    for (; t < p.tile1; ++t) {
        accumulate_group<kType, 1>(row + t * Format<kType>::kTileBytes, half, padded, depth,
                                   sums + (t - p.tile0) * 32);
    }
}

/// Scratch: rows x (tile1 - tile0) * 32 floats.
template <DType kType>
void stream_tiles(const Product& p) {
    const std::size_t width = (p.tile1 - p.tile0) * 32;
    std::fill_n(p.scratch, p.rows * width, 0.0f);
    for (std::size_t k = 0; k < p.depth; k += 16) {
        for (std::size_t r = 0; r < p.rows; ++r) {
            accumulate_half<kType>(p, k, p.x + r * p.ldx, p.scratch + r * width);
        }
    }
    for (std::size_t r = 0; r < p.rows; ++r) {
        copy_out(p, r, p.tile0 * 32, width, p.scratch + r * width);
    }
}

// Many rows: decode a strip, then multiply from cache.

/// strip[depth][64] = rows [k, k + depth) of `count` (1 or 2) tiles from tile column `t`.
template <DType kType>
void decode_strip(const Product& p, std::size_t t, std::size_t count, std::size_t k,
                  std::size_t depth, float* strip) {
    for (std::size_t i = 0; i < depth; ++i) {
        const std::size_t row = k + i;
        const std::uint8_t* tile =
            p.tiles + (row / 32 * p.tile_cols + t) * Format<kType>::kTileBytes;
        const std::size_t index = row % 32 / 16 * 32 + row % 16;
        for (std::size_t f = 0; f < count * 2; ++f) {
            decode_face_row<kType>(tile + f / 2 * Format<kType>::kTileBytes, index + f % 2 * 16,
                                   strip + i * kStripCols + f * 16);
        }
    }
}

/// kRows x kVectors accumulators stay in registers: 24 of AVX-512's 32, 12 of AVX2's 16.
inline constexpr std::size_t kMicroRows = 6;
inline constexpr std::size_t kMicroVectors = kParts == 1 ? 4 : 2;

template <std::size_t kRows, std::size_t... c>
HWY_INLINE void multiply_block(const float* x, std::size_t ldx, std::size_t depth,
                               const float* strip, float* sums, std::index_sequence<c...>) {
    constexpr std::size_t kV = kMicroVectors;
    Floats acc[] = {hn::LoadU(kF32, sums + c / kV * kStripCols + c % kV * kLanes)...};
    for (std::size_t k = 0; k < depth; ++k) {
        const float* w = strip + k * kStripCols;
        ((acc[c] = hn::MulAdd(hn::LoadU(kF32, w + c % kV * kLanes),
                              hn::Set(kF32, x[c / kV * ldx + k]), acc[c])),
         ...);
    }
    (hn::StoreU(acc[c], kF32, sums + c / kV * kStripCols + c % kV * kLanes), ...);
}

/// sums[kRows][64] += x[kRows, depth] * strip[depth, 64].
template <std::size_t kRows>
void multiply_rows(const float* x, std::size_t ldx, std::size_t depth, const float* strip,
                   float* sums) {
    for (std::size_t col = 0; col < kStripCols; col += kMicroVectors * kLanes) {
        multiply_block<kRows>(x, ldx, depth, strip + col, sums + col,
                              std::make_index_sequence<kRows * kMicroVectors>());
    }
}

void multiply_strip(const float* x, std::size_t ldx, std::size_t rows, std::size_t depth,
                    const float* strip, float* sums) {
    using Multiply = void (*)(const float*, std::size_t, std::size_t, const float*, float*);
    static constexpr Multiply kRest[] = {nullptr,          multiply_rows<1>, multiply_rows<2>,
                                         multiply_rows<3>, multiply_rows<4>, multiply_rows<5>};
    std::size_t r = 0;
    for (; r + kMicroRows <= rows; r += kMicroRows) {
        multiply_rows<kMicroRows>(x + r * ldx, ldx, depth, strip, sums + r * kStripCols);
    }
    if (r < rows) kRest[rows - r](x + r * ldx, ldx, depth, strip, sums + r * kStripCols);
}

/// Scratch: kStripFloats.
template <DType kType>
void reuse_strips(const Product& p) {
    float* strip = p.scratch;
    float* sums = p.scratch + kStripCols * kStripDepth;
    std::fill_n(strip, kStripCols * kStripDepth, 0.0f);  // a strip of one tile leaves half unused
    for (std::size_t r = 0; r < p.rows; r += kRowChunk) {
        const std::size_t rows = std::min(kRowChunk, p.rows - r);
        for (std::size_t t = p.tile0; t < p.tile1; t += 2) {
            const std::size_t count = std::min<std::size_t>(2, p.tile1 - t);
            std::fill_n(sums, rows * kStripCols, 0.0f);
            for (std::size_t k = 0; k < p.depth; k += kStripDepth) {
                const std::size_t depth = std::min(kStripDepth, p.depth - k);
                decode_strip<kType>(p, t, count, k, depth, strip);
                multiply_strip(p.x + r * p.ldx + k, p.ldx, rows, depth, strip, sums);
            }
            for (std::size_t i = 0; i < rows; ++i) {
                copy_out(p, r + i, t * 32, count * 32, sums + i * kStripCols);
            }
        }
    }
}

template <DType kType>
void multiply_as(const Product& p) {
    if (p.rows < kFewRows) {
        stream_tiles<kType>(p);
    } else {
        reuse_strips<kType>(p);
    }
}

void multiply(DType dtype, const Product& p) {
    switch (dtype) {
        case DType::BFloat16:
            return multiply_as<DType::BFloat16>(p);
        case DType::BFloat8_b:
            return multiply_as<DType::BFloat8_b>(p);
        case DType::BFloat4_b:
            return multiply_as<DType::BFloat4_b>(p);
        case DType::BFloat2_b:
            return multiply_as<DType::BFloat2_b>(p);
        default:
            return multiply_as<DType::Float32>(p);
    }
}

}  // namespace HWY_NAMESPACE
}  // namespace tensor::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <hwy/aligned_allocator.h>

#include "core/error.h"

namespace tensor::kernels {

HWY_EXPORT(multiply);

namespace {

void check(const Spec& w, std::int64_t n0, std::int64_t n1) {
    core::require(w.shape.rank() == 2 && w.layout == Layout::Tile, "a weight is a tiled matrix");
    core::require(w.dtype != DType::Int32 && w.dtype != DType::UInt32, "a weight is no integer");
    core::require(0 <= n0 && n0 <= n1 && n1 <= w.shape.cols(), "columns lie within the weight");
}

}  // namespace

void matmul(const float* x, std::int64_t ldx, std::int64_t rows, const Spec& w,
            const std::byte* w_data, std::int64_t n0, std::int64_t n1, float* out, std::int64_t ldo,
            NumericsLevel level) {
    check(w, n0, n1);
    core::require(level == NumericsLevel::ExactStorage, "the level is implemented");
    if (rows <= 0 || n0 == n1) return;
    const auto size = [](std::int64_t n) { return static_cast<std::size_t>(n); };
    Product p;
    p.x = x;
    p.ldx = size(ldx);
    p.rows = size(rows);
    p.depth = size(w.shape[-2]);
    p.tiles = reinterpret_cast<const std::uint8_t*>(w_data);
    p.tile_cols = size(w.tile_cols());
    p.tile0 = size(n0 / kTileSide);
    p.tile1 = size(core::ceil_div(n1, kTileSide));
    p.n0 = size(n0);
    p.n1 = size(n1);
    p.out = out;
    p.ldo = size(ldo);
    const std::size_t floats = p.rows < kFewRows ? p.rows * (p.tile1 - p.tile0) * 32 : kStripFloats;
    const auto scratch = hwy::AllocateAligned<float>(floats);
    core::require(scratch != nullptr, "scratch memory was given");
    p.scratch = scratch.get();
    HWY_DYNAMIC_DISPATCH(multiply)(w.dtype, p);
}

}  // namespace tensor::kernels
#endif  // HWY_ONCE

// Face rows in registers: the 16 values of one row of a 16x16 face, in every storage format.
// Included once per instruction set (Highway). A face row is kParts vectors of kLanes floats.
// Block floats: value = code * 2^(E - 127 - bias) exactly while every step stays normal, that is
// for exponent bytes 8..254; the others go through the scalar rule (unpack_row_host).
#if defined(TESSERA_TENSOR_KERNELS_FACE_ROW_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TESSERA_TENSOR_KERNELS_FACE_ROW_INL_H_
#undef TESSERA_TENSOR_KERNELS_FACE_ROW_INL_H_
#else
#define TESSERA_TENSOR_KERNELS_FACE_ROW_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tensor/formats.h"

HWY_BEFORE_NAMESPACE();
namespace tensor::kernels {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

static_assert(!HWY_HAVE_SCALABLE, "face rows need vectors of a length known when compiling");

using F32 = hn::CappedTag<float, 16>;
using U32 = hn::Rebind<std::uint32_t, F32>;
using I32 = hn::Rebind<std::int32_t, F32>;
using Floats = hn::Vec<F32>;
using Words = hn::Vec<U32>;

inline constexpr F32 kF32;
inline constexpr U32 kU32;
inline constexpr I32 kI32;
inline constexpr std::size_t kLanes = hn::MaxLanes(F32());
inline constexpr std::size_t kParts = 16 / kLanes;

/// What differs between storage formats: bytes of a tile, of a face row, and how 16 stored values
/// become floats. `load` gives codes (sign and magnitude as a float) for block floats, values else.
template <DType kType>
struct Format;

template <>
struct Format<DType::Float32> {
    static constexpr bool kHasExponents = false;
    static constexpr std::size_t kTileBytes = 4096, kRowBytes = 64, kHeader = 0;
    HWY_INLINE Floats load(const std::uint8_t* row, std::size_t part) const {
        return hn::LoadU(kF32, reinterpret_cast<const float*>(row) + part * kLanes);
    }
};

template <>
struct Format<DType::BFloat16> {
    static constexpr bool kHasExponents = false;
    static constexpr std::size_t kTileBytes = 2048, kRowBytes = 32, kHeader = 0;
    HWY_INLINE Floats load(const std::uint8_t* row, std::size_t part) const {
        const hn::Rebind<std::uint16_t, F32> halves;
        const auto bits =
            hn::LoadU(halves, reinterpret_cast<const std::uint16_t*>(row) + part * kLanes);
        return hn::BitCast(kF32, hn::ShiftLeft<16>(hn::PromoteTo(kU32, bits)));
    }
};

template <>
struct Format<DType::BFloat8_b> {
    static constexpr bool kHasExponents = true;
    static constexpr std::uint32_t kBias = 6;
    static constexpr std::size_t kTileBytes = 1088, kRowBytes = 16, kHeader = 64;
    HWY_INLINE Floats load(const std::uint8_t* row, std::size_t part) const {
        const hn::Rebind<std::int8_t, F32> bytes;
        const auto codes = hn::PromoteTo(
            kI32, hn::LoadU(bytes, reinterpret_cast<const std::int8_t*>(row) + part * kLanes));
        const auto magnitude =
            hn::BitCast(kI32, hn::ConvertTo(kF32, hn::And(codes, hn::Set(kI32, 0x7f))));
        const auto sign = hn::Set(kI32, static_cast<std::int32_t>(0x80000000u));
        return hn::BitCast(kF32, hn::OrAnd(magnitude, codes, sign));
    }
};

/// Lane i: the low bits hold `Bits`-wide code i of this part; higher bits hold its neighbours.
template <int kBits>
HWY_INLINE Words spread_codes(const std::uint8_t* row, std::size_t part) {
    alignas(64) static constexpr std::uint32_t kIndex[16] = {0, 1, 2,  3,  4,  5,  6,  7,
                                                             8, 9, 10, 11, 12, 13, 14, 15};
    constexpr std::size_t kPerWord = 32 / kBits;
    const Words index = hn::Load(kU32, kIndex);
    const Words shifts =
        hn::ShiftLeft < kBits == 4
            ? 2
            : 1 > (hn::And(index, hn::Set(kU32, static_cast<std::uint32_t>(kPerWord - 1))));
#if HWY_TARGET <= HWY_AVX3
    if constexpr (kLanes > kPerWord) {  // 16 lanes of nibbles: two words side by side
        std::uint64_t both;
        std::memcpy(&both, row, sizeof(both));
        const hn::Repartition<std::uint64_t, F32> wide;
        const Words words = hn::BitCast(kU32, hn::Set(wide, both));
        const auto which = hn::ShiftRight<3>(index);
        return hn::Shr(hn::TableLookupLanes(words, hn::IndicesFromVec(kU32, which)), shifts);
    }
#endif
    const std::size_t first = part * kLanes * kBits;  // bit of this part's first code
    std::uint32_t word;
    std::memcpy(&word, row + first / 32 * 4, sizeof(word));
    word >>= first % 32;
    return hn::Shr(hn::Set(kU32, word), shifts);
}

/// Codes to floats without a table: any instruction set.
template <int kBits>
HWY_INLINE Floats codes_to_float(Words codes) {
    constexpr std::uint32_t kMask = (1u << (kBits - 1)) - 1;
    const auto magnitude = hn::And(codes, hn::Set(kU32, kMask));
    const auto value = hn::BitCast(kU32, hn::ConvertTo(kF32, hn::BitCast(kI32, magnitude)));
    const auto sign = hn::And(hn::ShiftLeft<32 - kBits>(codes), hn::Set(kU32, 0x80000000u));
    return hn::BitCast(kF32, hn::Or(value, sign));
}

#if HWY_TARGET <= HWY_AVX3
/// A permutation reads the low four bits of each lane only, so neighbours' bits need no mask.
HWY_INLINE Floats look_up(Floats table, Words codes) {
    return hn::TableLookupLanes(table, hn::Indices512<float>{codes.raw});
}
#endif

template <>
struct Format<DType::BFloat4_b> {
    static constexpr bool kHasExponents = true;
    static constexpr std::uint32_t kBias = 2;
    static constexpr std::size_t kTileBytes = 576, kRowBytes = 8, kHeader = 64;
    HWY_INLINE Floats load(const std::uint8_t* row, std::size_t part) const {
        const Words codes = spread_codes<4>(row, part);
#if HWY_TARGET <= HWY_AVX3
        alignas(64) static constexpr float kTable[16] = {0.0f,  1.0f,  2.0f,  3.0f,  4.0f,  5.0f,
                                                         6.0f,  7.0f,  -0.0f, -1.0f, -2.0f, -3.0f,
                                                         -4.0f, -5.0f, -6.0f, -7.0f};
        return look_up(hn::Load(kF32, kTable), codes);
#else
        return codes_to_float<4>(codes);
#endif
    }
};

template <>
struct Format<DType::BFloat2_b> {
    static constexpr bool kHasExponents = true;
    static constexpr std::uint32_t kBias = 0;
    static constexpr std::size_t kTileBytes = 320, kRowBytes = 4, kHeader = 64;
    HWY_INLINE Floats load(const std::uint8_t* row, std::size_t part) const {
        const Words codes = spread_codes<2>(row, part);
#if HWY_TARGET <= HWY_AVX3
        alignas(64) static constexpr float kTable[16] = {0.0f,  1.0f,  -0.0f, -1.0f, 0.0f,  1.0f,
                                                         -0.0f, -1.0f, 0.0f,  1.0f,  -0.0f, -1.0f,
                                                         0.0f,  1.0f,  -0.0f, -1.0f};
        return look_up(hn::Load(kF32, kTable), codes);
#else
        return codes_to_float<2>(codes);
#endif
    }
};

/// Face row `index` (0..63: face * 16 + row) of a tile.
template <DType kType>
HWY_INLINE const std::uint8_t* face_row(const std::uint8_t* tile, std::size_t index) {
    return tile + Format<kType>::kHeader + index * Format<kType>::kRowBytes;
}

constexpr bool is_plain_exponent(std::uint8_t exponent) { return exponent >= 8 && exponent <= 254; }

/// Padding: codes of all zero bits are +0 at any exponent.
template <std::size_t kBytes>
HWY_INLINE bool all_zero(const std::uint8_t* bytes) {
    static constexpr std::uint8_t kNone[kBytes] = {};
    return std::memcmp(bytes, kNone, kBytes) == 0;
}

/// Exact values of face row `index` to out[0..15].
template <DType kType>
HWY_INLINE void decode_face_row(const std::uint8_t* tile, std::size_t index, float* out) {
    const Format<kType> format;
    const std::uint8_t* row = face_row<kType>(tile, index);
    if constexpr (!Format<kType>::kHasExponents) {
        for (std::size_t p = 0; p < kParts; ++p) {
            hn::StoreU(format.load(row, p), kF32, out + p * kLanes);
        }
    } else {
        const std::uint8_t exponent = tile[index];
        if (HWY_LIKELY(is_plain_exponent(exponent))) {
            const Floats scale = hn::BitCast(
                kF32, hn::Set(kU32, (std::uint32_t{exponent} - Format<kType>::kBias) << 23));
            for (std::size_t p = 0; p < kParts; ++p) {
                hn::StoreU(hn::Mul(format.load(row, p), scale), kF32, out + p * kLanes);
            }
        } else if (exponent == 0 && all_zero<Format<kType>::kRowBytes>(row)) {
            for (std::size_t p = 0; p < kParts; ++p) {
                hn::StoreU(hn::Zero(kF32), kF32, out + p * kLanes);
            }
        } else {
            const auto* bytes = reinterpret_cast<const std::byte*>(row);
            unpack_row_host(kType, load_codes(kType, exponent, bytes),
                            std::span<float, 16>(out, 16));
        }
    }
}

}  // namespace HWY_NAMESPACE
}  // namespace tensor::kernels
HWY_AFTER_NAMESPACE();

#endif  // TESSERA_TENSOR_KERNELS_FACE_ROW_INL_H_

// Lines of tiles with Highway. Sixteen values share an exponent and are one register at best, so
// packing needs no data movement but one maximum over the register.
// Rounding rules: tensor/formats.cc says them one value at a time, with their sources.
#include "tensor/kernels/rows.h"

#include <algorithm>
#include <cstring>

#include "tensor/kernels/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/rows.cc"
#include <hwy/foreach_target.h>

#include "tensor/kernels/face_row-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tensor::kernels {
namespace HWY_NAMESPACE {

template <DType kType>
void decode_tiles(const std::uint8_t* tiles, std::size_t first, std::size_t cols, float* out) {
    for (std::size_t col = 0; col < cols; col += 16) {
        const std::uint8_t* tile = tiles + col / 32 * Format<kType>::kTileBytes;
        const std::size_t index = first + col % 32;  // the right face's rows come 16 later
        if (HWY_LIKELY(cols - col >= 16)) {
            decode_face_row<kType>(tile, index, out + col);
        } else {
            float values[16];
            decode_face_row<kType>(tile, index, values);
            std::memcpy(out + col, values, (cols - col) * sizeof(float));
        }
    }
}

HWY_INLINE Words is_nan(Words bits) {
    const auto magnitude = hn::And(bits, hn::Set(kU32, 0x7fffffffu));
    return hn::VecFromMask(kU32, hn::Gt(magnitude, hn::Set(kU32, 0x7f800000u)));
}

HWY_INLINE Words exponents(Words bits) {
    return hn::And(hn::ShiftRight<23>(bits), hn::Set(kU32, 0xffu));
}

template <Packer kPacker>
HWY_INLINE Words round_bf16(Words bits) {
    const Words nan = is_nan(bits);
    if constexpr (kPacker == Packer::Host) {
        const auto even = hn::And(hn::ShiftRight<16>(bits), hn::Set(kU32, 1u));
        const auto rounded =
            hn::ShiftRight<16>(hn::Add(hn::Add(bits, hn::Set(kU32, 0x7fffu)), even));
        return hn::IfVecThenElse(nan, hn::Set(kU32, 0x7fc0u), rounded);
    } else {
        const auto rounded = hn::Add(bits, hn::Set(kU32, 0x8000u));
        const auto tiny = hn::Eq(exponents(rounded), hn::Zero(kU32));
        const auto flushed = hn::IfThenZeroElse(tiny, hn::ShiftRight<16>(rounded));
        const auto infinity = hn::Or(hn::And(hn::ShiftRight<16>(bits), hn::Set(kU32, 0x8000u)),
                                     hn::Set(kU32, 0x7f80u));
        return hn::IfVecThenElse(nan, infinity, flushed);
    }
}

template <Packer kPacker>
HWY_INLINE void encode_bf16_row(const float* in, std::uint8_t* row) {
    const hn::Rebind<std::uint16_t, F32> halves;
    auto* out = reinterpret_cast<std::uint16_t*>(row);
    for (std::size_t p = 0; p < kParts; ++p) {
        const Words bits = hn::BitCast(kU32, hn::LoadU(kF32, in + p * kLanes));
        const auto rounded = hn::BitCast(kI32, round_bf16<kPacker>(bits));
        hn::StoreU(hn::DemoteTo(halves, rounded), halves, out + p * kLanes);
    }
}

/// What the packer does before it knows the shared exponent (formats.cc: early).
template <Packer kPacker>
HWY_INLINE Words early(Words bits) {
    if constexpr (kPacker == Packer::Host) {
        return bits;
    } else {
        const auto infinity =
            hn::Or(hn::And(bits, hn::Set(kU32, 0x80000000u)), hn::Set(kU32, 0x7f800000u));
        const auto finite = hn::IfVecThenElse(is_nan(bits), infinity, bits);
        if constexpr (kPacker == Packer::DevicePrecise) {
            return hn::And(finite, hn::Set(kU32, 0xffff0000u));
        } else {
            return hn::And(hn::Add(finite, hn::Set(kU32, 0x10000u)), hn::Set(kU32, 0xfffe0000u));
        }
    }
}

template <Packer kPacker, int kWidth>
HWY_INLINE Words magnitudes(Words bits, Words own, Words shared) {
    const auto denormal = hn::Eq(own, hn::Zero(kU32));
    const auto hidden = hn::Or(hn::And(bits, hn::Set(kU32, 0x7fffffu)), hn::Set(kU32, 0x800000u));
    const Words significand = hn::IfThenZeroElse(denormal, hidden);
    const Words apart = hn::Min(hn::Sub(shared, own), hn::Set(kU32, 24u));
    const Words one = hn::Set(kU32, 1u);
    if constexpr (kPacker == Packer::Host) {
        constexpr int kDrop = 24 - kWidth;
        const Words aligned = hn::Shr(significand, apart);
        const Words even = hn::And(hn::ShiftRight<kDrop>(aligned), one);
        const Words half = hn::Set(kU32, (1u << (kDrop - 1)) - 1);
        const Words rounded = hn::ShiftRight<kDrop>(hn::Add(hn::Add(aligned, half), even));
        return hn::Min(rounded, hn::Set(kU32, (1u << kWidth) - 1));
    } else {
        const Words eight = hn::ShiftRight<16>(significand);
        const Words rounded = hn::Shr(hn::Add(eight, hn::Shl(one, apart)), hn::Add(apart, one));
        return hn::ShiftRight<7 - kWidth>(hn::Min(rounded, hn::Set(kU32, 127u)));
    }
}

/// Squeezes 16 codes of one byte each to kBits each.
template <int kBits>
HWY_INLINE void store_packed(const std::uint8_t* codes, std::uint8_t* row) {
    std::uint64_t halves[2];
    std::memcpy(halves, codes, 16);
    for (std::size_t h = 0; h < 2; ++h) {
        std::uint64_t x = halves[h];
        if constexpr (kBits == 4) {
            x = (x | (x >> 4)) & 0x00ff00ff00ff00ff;
            x = (x | (x >> 8)) & 0x0000ffff0000ffff;
            const auto packed = static_cast<std::uint32_t>(x | (x >> 16));
            std::memcpy(row + h * 4, &packed, 4);
        } else {
            x = (x | (x >> 6)) & 0x000f000f000f000f;
            x = (x | (x >> 12)) & 0x000000ff000000ff;
            const auto packed = static_cast<std::uint16_t>(x | (x >> 24));
            std::memcpy(row + h * 2, &packed, 2);
        }
    }
}

template <DType kType, Packer kPacker>
HWY_INLINE void encode_block_row(const float* in, std::uint8_t* tile, std::size_t index) {
    constexpr int kBits = static_cast<int>(Format<kType>::kRowBytes) / 2;
    const hn::Rebind<std::uint8_t, F32> bytes;
    Words bits[kParts];
    Words most = hn::Zero(kU32);
    for (std::size_t p = 0; p < kParts; ++p) {
        bits[p] = early<kPacker>(hn::BitCast(kU32, hn::LoadU(kF32, in + p * kLanes)));
        most = hn::Max(most, exponents(bits[p]));
    }
    const Words shared = hn::MaxOfLanes(kU32, most);
    tile[index] = static_cast<std::uint8_t>(hn::GetLane(shared));
    alignas(16) std::uint8_t codes[16];
    for (std::size_t p = 0; p < kParts; ++p) {
        const Words magnitude = magnitudes<kPacker, kBits - 1>(bits[p], exponents(bits[p]), shared);
        const Words sign =
            hn::And(hn::ShiftRight<32 - kBits>(bits[p]), hn::Set(kU32, 1u << (kBits - 1)));
        const auto zero = hn::Eq(magnitude, hn::Zero(kU32));
        const Words code = hn::Or(magnitude, hn::IfThenZeroElse(zero, sign));
        hn::StoreU(hn::DemoteTo(bytes, hn::BitCast(kI32, code)), bytes, codes + p * kLanes);
    }
    std::uint8_t* row = tile + Format<kType>::kHeader + index * Format<kType>::kRowBytes;
    if constexpr (kBits == 8) {
        std::memcpy(row, codes, 16);
    } else {
        store_packed<kBits>(codes, row);
    }
}

template <DType kType, Packer kPacker>
HWY_INLINE void encode_face_row(const float* in, std::uint8_t* tile, std::size_t index) {
    if constexpr (kType == DType::Float32) {
        std::memcpy(tile + index * 64, in, 64);
    } else if constexpr (kType == DType::BFloat16) {
        encode_bf16_row<kPacker>(in, tile + index * 32);
    } else {
        encode_block_row<kType, kPacker>(in, tile, index);
    }
}

template <DType kType, Packer kPacker>
void encode_tiles(const float* in, std::size_t first, std::size_t cols, std::uint8_t* tiles) {
    for (std::size_t col = 0; col < (cols + 31) / 32 * 32; col += 16) {
        std::uint8_t* tile = tiles + col / 32 * Format<kType>::kTileBytes;
        const std::size_t index = first + col % 32;
        if (HWY_LIKELY(cols >= col + 16)) {
            encode_face_row<kType, kPacker>(in + col, tile, index);
        } else {
            float values[16] = {};
            if (col < cols) std::memcpy(values, in + col, (cols - col) * sizeof(float));
            encode_face_row<kType, kPacker>(values, tile, index);
        }
    }
}

template <DType kType>
void encode_as(Packer packer, const float* in, std::size_t first, std::size_t cols,
               std::uint8_t* tiles) {
    switch (packer) {
        case Packer::Host:
            return encode_tiles<kType, Packer::Host>(in, first, cols, tiles);
        case Packer::Device:
            return encode_tiles<kType, Packer::Device>(in, first, cols, tiles);
        case Packer::DevicePrecise:
            return encode_tiles<kType, Packer::DevicePrecise>(in, first, cols, tiles);
    }
}

/// Only the formats of the five kernels come here; the caller has asked.
void decode(DType dtype, const std::uint8_t* tiles, std::size_t first, std::size_t cols,
            float* out) {
    switch (dtype) {
        case DType::BFloat16:
            return decode_tiles<DType::BFloat16>(tiles, first, cols, out);
        case DType::BFloat8_b:
            return decode_tiles<DType::BFloat8_b>(tiles, first, cols, out);
        case DType::BFloat4_b:
            return decode_tiles<DType::BFloat4_b>(tiles, first, cols, out);
        case DType::BFloat2_b:
            return decode_tiles<DType::BFloat2_b>(tiles, first, cols, out);
        default:
            return decode_tiles<DType::Float32>(tiles, first, cols, out);
    }
}

void encode(DType dtype, Packer packer, const float* in, std::size_t first, std::size_t cols,
            std::uint8_t* tiles) {
    switch (dtype) {
        case DType::BFloat16:
            return encode_as<DType::BFloat16>(packer, in, first, cols, tiles);
        case DType::BFloat8_b:
            return encode_as<DType::BFloat8_b>(packer, in, first, cols, tiles);
        case DType::BFloat4_b:
            return encode_as<DType::BFloat4_b>(packer, in, first, cols, tiles);
        case DType::BFloat2_b:
            return encode_as<DType::BFloat2_b>(packer, in, first, cols, tiles);
        default:
            return encode_as<DType::Float32>(packer, in, first, cols, tiles);
    }
}

void decode_halves(const std::uint8_t* in, std::size_t count, float* out) {
    const Format<DType::BFloat16> format;
    std::size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        for (std::size_t p = 0; p < kParts; ++p) {
            hn::StoreU(format.load(in + 2 * i, p), kF32, out + i + p * kLanes);
        }
    }
    for (; i < count; ++i) {
        std::uint16_t bits;
        std::memcpy(&bits, in + 2 * i, sizeof(bits));
        out[i] = bf16_to_float(bits);
    }
}

template <Packer kPacker>
void encode_halves_as(const float* in, std::size_t count, std::uint8_t* out) {
    std::size_t i = 0;
    for (; i + 16 <= count; i += 16) encode_bf16_row<kPacker>(in + i, out + 2 * i);
    for (; i < count; ++i) {
        const std::uint16_t bits =
            kPacker == Packer::Host ? bf16_round_host(in[i]) : bf16_round_device(in[i]);
        std::memcpy(out + 2 * i, &bits, sizeof(bits));
    }
}

void encode_halves(Packer packer, const float* in, std::size_t count, std::uint8_t* out) {
    if (packer == Packer::Host) {
        encode_halves_as<Packer::Host>(in, count, out);
    } else {
        encode_halves_as<Packer::Device>(in, count, out);
    }
}

}  // namespace HWY_NAMESPACE
}  // namespace tensor::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <array>
#include <cstring>

#include "core/error.h"
#include "tensor/kernels/vector.h"

namespace tensor::kernels {

HWY_EXPORT(decode);
HWY_EXPORT(encode);
HWY_EXPORT(decode_halves);
HWY_EXPORT(encode_halves);

namespace {

/// Face row of a tile's left half that holds `row`; the right half's is 16 further.
std::size_t first_face_row(std::int64_t row) {
    core::require(row >= 0 && row < kTileSide, "a line lies within its tiles");
    return static_cast<std::size_t>(row / kFaceSide * kTileSide + row % kFaceSide);
}

void require_kernel(DType dtype) {
    core::require(dtype != DType::Int32 && dtype != DType::UInt32,
                  "line kernels are for floating-point formats");
}

const std::uint8_t* bytes_of(const std::byte* data) {
    return reinterpret_cast<const std::uint8_t*>(data);
}
std::uint8_t* bytes_of(std::byte* data) { return reinterpret_cast<std::uint8_t*>(data); }

}  // namespace

void decode_line(DType dtype, const std::byte* tiles, std::int64_t row, std::int64_t cols,
                 float* out) {
    require_kernel(dtype);
    HWY_DYNAMIC_DISPATCH(decode)
    (dtype, bytes_of(tiles), first_face_row(row), static_cast<std::size_t>(cols), out);
}

void encode_line(DType dtype, Packer packer, const float* in, std::int64_t row, std::int64_t cols,
                 std::byte* tiles) {
    require_kernel(dtype);
    HWY_DYNAMIC_DISPATCH(encode)
    (dtype, packer, in, first_face_row(row), static_cast<std::size_t>(cols), bytes_of(tiles));
}

void add_tile(DType dtype, Packer packer, const std::byte* a, const std::byte* b, std::byte* sum) {
    std::array<float, kTileElements> left;
    std::array<float, kTileElements> right;
    if (dtype == DType::Float32) {
        std::memcpy(left.data(), a, sizeof left);
        std::memcpy(right.data(), b, sizeof right);
        add(left.data(), right.data(), left.data(), kTileElements);
        std::memcpy(sum, left.data(), sizeof left);
    } else if (dtype == DType::BFloat16) {
        // The order of the values within a tile does not matter to their sums.
        decode_bf16(a, kTileElements, left.data());
        decode_bf16(b, kTileElements, right.data());
        add(left.data(), right.data(), left.data(), kTileElements);
        encode_bf16(packer, left.data(), kTileElements, sum);
    } else {
        for (std::int64_t row = 0; row < kTileSide; ++row) {
            float* line = left.data();
            decode_line(dtype, a, row, kTileSide, line);
            decode_line(dtype, b, row, kTileSide, right.data());
            add(line, right.data(), line, kTileSide);
            encode_line(dtype, packer, line, row, kTileSide, sum);
        }
    }
}

void decode_bf16(const std::byte* in, std::int64_t count, float* out) {
    HWY_DYNAMIC_DISPATCH(decode_halves)(bytes_of(in), static_cast<std::size_t>(count), out);
}

void encode_bf16(Packer packer, const float* in, std::int64_t count, std::byte* out) {
    HWY_DYNAMIC_DISPATCH(encode_halves)
    (packer, in, static_cast<std::size_t>(count), bytes_of(out));
}

}  // namespace tensor::kernels
#endif  // HWY_ONCE

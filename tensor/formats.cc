// The rounding rules one value and one row at a time, written as the sources state them. This is
// the reference: the vector kernels must give the same bits (tests/tensor/formats_test.cc).
// A block-float value is (-1)^s * mag / 2^(bits-1) * 2^(E-127); there is no implicit leading 1.
// Source: tenstorrent/tt-metal bfp_simd.hpp @1382820, blockfloat_common.cpp @6f2b15d, bfloat8.cpp
// @04b3405, bfloat16.cpp @0266e6f; tenstorrent/ttsim src/tensix.cpp PACR @56694c8.
#include "tensor/formats.h"

#include <algorithm>
#include <bit>

#include "core/error.h"

namespace tensor {
namespace {

constexpr std::uint32_t kInfinity = 0x7f800000;
constexpr std::uint32_t kSign = 0x80000000;

constexpr bool is_nan(std::uint32_t bits) { return (bits & ~kSign) > kInfinity; }
constexpr std::uint32_t exponent_of(std::uint32_t bits) { return (bits >> 23) & 0xff; }

/// 24 bits with the hidden 1; 0 for zeros and denormals.
constexpr std::uint32_t significand_of(std::uint32_t bits) {
    return exponent_of(bits) == 0 ? 0 : (bits & 0x7fffff) | 0x800000;
}

std::uint32_t magnitude_host(std::uint32_t bits, std::uint32_t shared, std::uint32_t width) {
    // The aligning shift drops bits for good: a tie is decided on what is left.
    const std::uint32_t aligned =
        significand_of(bits) >> std::min(shared - exponent_of(bits), std::uint32_t{31});
    const std::uint32_t drop = 24 - width;
    const std::uint32_t even = (aligned >> drop) & 1;
    const std::uint32_t rounded = (aligned + (1u << (drop - 1)) - 1 + even) >> drop;
    return std::min(rounded, (1u << width) - 1);
}

std::uint32_t magnitude_device(std::uint32_t bits, std::uint32_t shared, std::uint32_t width) {
    const std::uint32_t shift = shared - exponent_of(bits);
    if (shift >= 8) return 0;
    const std::uint32_t rounded = ((significand_of(bits) >> 16) + (1u << shift)) >> (shift + 1);
    // bfp4 and bfp2 are made from the bfp8 magnitude by truncation.
    return std::min(rounded, std::uint32_t{127}) >> (7 - width);
}

/// The packer's conversion before the shared exponent is known.
std::uint32_t early(Packer packer, std::uint32_t bits) {
    if (packer == Packer::Host) return bits;
    if (is_nan(bits)) return (bits & kSign) | kInfinity;
    if (packer == Packer::DevicePrecise) return bits & 0xffff0000;
    return (bits + 0x10000) & 0xfffe0000;  // 7 significant bits, ties away
}

struct Parts {
    std::uint32_t sign, magnitude, leading_zeros, fraction;  // fraction: 23 bits
};

Parts split_code(DType dtype, std::uint8_t code) {
    const auto width = static_cast<std::uint32_t>(code_bits(dtype)) - 1;
    const std::uint32_t magnitude = code & ((1u << width) - 1);
    const std::uint32_t zeros = width - static_cast<std::uint32_t>(std::bit_width(magnitude));
    const std::uint32_t fraction = (magnitude << (zeros + 24 - width)) & 0x7fffff;
    return {static_cast<std::uint32_t>(code) >> width, magnitude, zeros, fraction};
}

}  // namespace

std::uint16_t bf16_round_host(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    if (is_nan(bits)) return 0x7fc0;
    return static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

std::uint16_t bf16_round_device(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    if (is_nan(bits)) return (bits & kSign) != 0 ? 0xff80 : 0x7f80;
    const std::uint32_t rounded = bits + 0x8000;  // before the flush: 0x007fffff gives 0x0080
    return exponent_of(rounded) == 0 ? 0 : static_cast<std::uint16_t>(rounded >> 16);
}

std::uint16_t bf16_truncate(float value) {
    return static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16);
}

int code_bits(DType dtype) {
    switch (dtype) {
        case DType::BFloat8_b:
            return 8;
        case DType::BFloat4_b:
            return 4;
        case DType::BFloat2_b:
            return 2;
        default:
            core::require(false, "only block floats have codes");
            return 0;
    }
}

BlockRow pack_row(DType dtype, Packer packer, std::span<const float, 16> values) {
    const auto width = static_cast<std::uint32_t>(code_bits(dtype)) - 1;
    std::uint32_t bits[16];
    std::uint32_t shared = 0;
    for (std::size_t i = 0; i < 16; ++i) {
        bits[i] = early(packer, std::bit_cast<std::uint32_t>(values[i]));
        shared = std::max(shared, exponent_of(bits[i]));
    }
    BlockRow row;
    row.exponent = static_cast<std::uint8_t>(shared);
    for (std::size_t i = 0; i < 16; ++i) {
        const std::uint32_t magnitude = packer == Packer::Host
                                            ? magnitude_host(bits[i], shared, width)
                                            : magnitude_device(bits[i], shared, width);
        const std::uint32_t sign = magnitude == 0 ? 0 : bits[i] >> 31;
        row.codes[i] = static_cast<std::uint8_t>((sign << width) | magnitude);
    }
    return row;
}

void unpack_row_host(DType dtype, const BlockRow& row, std::span<float, 16> values) {
    for (std::size_t i = 0; i < 16; ++i) {
        const Parts parts = split_code(dtype, row.codes[i]);
        std::uint32_t bits = 0;
        if (parts.magnitude == 0) {
            bits = parts.sign << 31;
        } else if (parts.leading_zeros <= row.exponent) {
            bits =
                (parts.sign << 31) | ((row.exponent - parts.leading_zeros) << 23) | parts.fraction;
        }
        values[i] = std::bit_cast<float>(bits);
    }
}

std::uint16_t unpack_code_device(DType dtype, std::uint8_t exponent, std::uint8_t code) {
    const Parts parts = split_code(dtype, code);
    if (parts.magnitude == 0) return parts.sign != 0 ? 0xff80 : 0;
    const std::uint32_t wrapped = (exponent - parts.leading_zeros) & 0xff;
    return static_cast<std::uint16_t>((parts.sign << 15) | (wrapped << 7) | (parts.fraction >> 16));
}

void store_codes(DType dtype, const BlockRow& row, std::byte* bytes) {
    const int bits = code_bits(dtype);
    const int per_byte = 8 / bits;
    for (int i = 0; i < 16; i += per_byte) {
        int packed = 0;
        for (int j = 0; j < per_byte; ++j) packed |= row.codes[i + j] << (j * bits);
        bytes[i / per_byte] = static_cast<std::byte>(packed);
    }
}

BlockRow load_codes(DType dtype, std::uint8_t exponent, const std::byte* bytes) {
    const int bits = code_bits(dtype);
    const int per_byte = 8 / bits;
    BlockRow row;
    row.exponent = exponent;
    for (int i = 0; i < 16; ++i) {
        const int packed = std::to_integer<int>(bytes[i / per_byte]);
        row.codes[i] =
            static_cast<std::uint8_t>((packed >> (i % per_byte * bits)) & ((1 << bits) - 1));
    }
    return row;
}

}  // namespace tensor

// Packing and unpacking of storage formats, bit for bit as the host packer and the device packer
// of Wormhole/Blackhole do it. Rows here are runs of 16 values that share an exponent.
// Host: round to nearest even (weights, ttnn.from_torch). Device: ties away from zero; block
// floats round twice by default, once with `precise` (activations, KV cache, collectives).
// Source: tenstorrent/tt-metal blockfloat_common.cpp @6f2b15d, bfp_simd.hpp @1382820;
// tenstorrent/ttsim src/tensix.cpp PACR @56694c8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tensor/dtype.h"
#include "tensor/spec.h"

namespace tensor {

enum class Packer { Host, Device, DevicePrecise };

// One value.
std::uint16_t bf16_round_host(float value);
std::uint16_t bf16_round_device(float value);
std::uint16_t bf16_truncate(float value);
inline float bf16_to_float(std::uint16_t bits);

// One row of 16 values: the shared exponent byte and 16 codes (sign and magnitude).
struct BlockRow {
    std::uint8_t exponent = 0;
    std::uint8_t codes[16] = {};
};
/// Requires: dtype is a block float. `values` has 16 entries.
BlockRow pack_row(DType dtype, Packer packer, std::span<const float, 16> values);
/// Host rule: fp32 values (zero magnitude keeps its sign, underflow flushes to +0).
void unpack_row_host(DType dtype, const BlockRow& row, std::span<float, 16> values);
/// Device rule: bf16 bit pattern of one code (zero magnitude with sign is -inf, exponent wraps).
std::uint16_t unpack_code_device(DType dtype, std::uint8_t exponent, std::uint8_t code);

/// Bits of one code, sign included: 8, 4 or 2. Requires: dtype is a block float.
int code_bits(DType dtype);
/// The codes of a row as they lie in a tile, datum 0 in the least significant bits: 16, 8 or 4
/// bytes. The exponent byte lies elsewhere.
void store_codes(DType dtype, const BlockRow& row, std::byte* bytes);
BlockRow load_codes(DType dtype, std::uint8_t exponent, const std::byte* bytes);

// Whole tensors. `data` holds spec.bytes() bytes: pages in order, tiles as the device lays them
// out.
/// Rows [row, row + count) of the matrix view (rows() x cols()), values to `out` [count, cols].
/// Requires: rows within the tensor. Block floats unpack by the host rule.
void read_rows(const Spec& spec, const std::byte* data, std::int64_t row, std::int64_t count,
               float* out);
/// Writes rows [row, row + count) from `in` [count, cols]; other rows keep their values. Columns of
/// padding in the written rows become zero. Integers round to nearest and saturate.
void write_rows(const Spec& spec, std::byte* data, std::int64_t row, std::int64_t count,
                const float* in, Packer packer);

inline float bf16_to_float(std::uint16_t bits) {
    const std::uint32_t wide = static_cast<std::uint32_t>(bits) << 16;
    return __builtin_bit_cast(float, wide);
}

}  // namespace tensor

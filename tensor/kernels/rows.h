// Lines of a tiled matrix to floats and back: one matrix row across consecutive tiles.
// A line touches two face rows of every tile: for block floats two exponent bytes and their codes.
// Same bits as pack_row / unpack_row_host (tensor/formats.h), many values at a time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/formats.h"

namespace tensor::kernels {

/// Row `row` (0..31) of the tiles at `tiles`, first `cols` values to `out`.
/// Requires: fp32, bf16 or a block float.
void decode_line(DType dtype, const std::byte* tiles, std::int64_t row, std::int64_t cols,
                 float* out);
/// Stores `cols` values as row `row` (0..31); the rest of the last tile's row becomes zero.
/// Requires: fp32, bf16 or a block float.
void encode_line(DType dtype, Packer packer, const float* in, std::int64_t row, std::int64_t cols,
                 std::byte* tiles);

/// sum = a + b of whole 32x32 tiles in one storage format: f32 sum, rounded by `packer`.
/// `sum` may be `a` or `b`. Requires: fp32, bf16 or a block float.
void add_tile(DType dtype, Packer packer, const std::byte* a, const std::byte* b, std::byte* sum);

/// Contiguous bf16 values.
void decode_bf16(const std::byte* in, std::int64_t count, float* out);
void encode_bf16(Packer packer, const float* in, std::int64_t count, std::byte* out);

}  // namespace tensor::kernels

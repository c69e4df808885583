// The storage formats of TT-Metalium tensors and their sizes.
// A tile is 32x32 values in four 16x16 faces; block floats keep one exponent byte per 16-value
// face row. Sizes: tenstorrent/tt-metal tt_metal/impl/data_format/tile.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/units.h"

namespace tensor {

enum class DType { Float32, BFloat16, BFloat8_b, BFloat4_b, BFloat2_b, UInt32, Int32 };

inline constexpr std::int64_t kTileSide = 32;
inline constexpr std::int64_t kFaceSide = 16;
inline constexpr std::int64_t kTileElements = kTileSide * kTileSide;

/// Bytes of one 32x32 tile: fp32 4096, bf16 2048, bfp8_b 1088, bfp4_b 576, bfp2_b 320.
core::Bytes tile_bytes(DType dtype);
/// Bytes of one row-major element. Requires: not a block float.
core::Bytes element_bytes(DType dtype);
bool is_block_float(DType dtype);
/// "bf16", "bfp8", ... as the precision options spell them.
std::string_view name(DType dtype);
/// "BFLOAT16", "BFLOAT8_B", ... as profiler reports spell them.
std::string_view ttnn_name(DType dtype);
std::optional<DType> parse_dtype(std::string_view text);

}  // namespace tensor

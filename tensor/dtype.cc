// Sizes and spellings of the storage formats: one table, one row per format.
// Sizes: tenstorrent/tt-metal tt_metal/impl/data_format/tile.cpp @0043cc9; a 32x32 block-float tile
// is 64 exponent bytes plus 8, 4 or 2 bits per value.
#include "tensor/dtype.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

#include "core/error.h"

namespace tensor {
namespace {

struct Row {
    DType dtype;
    std::int64_t tile_bytes;
    std::int64_t element_bytes;  // 0: block float, elements have no address of their own
    std::string_view name;
    std::string_view ttnn_name;
    std::array<std::string_view, 2> aliases;
};

constexpr std::array<Row, 7> kRows = {{
    {DType::Float32, 4096, 4, "fp32", "FLOAT32", {"f32", "float"}},
    {DType::BFloat16, 2048, 2, "bf16", "BFLOAT16", {"bf16", "bf16"}},
    {DType::BFloat8_b, 1088, 0, "bfp8", "BFLOAT8_B", {"bfp8_b", "bf8"}},
    {DType::BFloat4_b, 576, 0, "bfp4", "BFLOAT4_B", {"bfp4_b", "bf4"}},
    {DType::BFloat2_b, 320, 0, "bfp2", "BFLOAT2_B", {"bfp2_b", "bf2"}},
    {DType::UInt32, 4096, 4, "uint32", "UINT32", {"u32", "uint32"}},
    {DType::Int32, 4096, 4, "int32", "INT32", {"i32", "int32"}},
}};

const Row& row_of(DType dtype) {
    const auto index = static_cast<std::size_t>(dtype);
    core::require(index < kRows.size() && kRows[index].dtype == dtype, "dtype is one of DType");
    return kRows[index];
}

std::string lower(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return result;
}

}  // namespace

core::Bytes tile_bytes(DType dtype) { return {row_of(dtype).tile_bytes}; }

core::Bytes element_bytes(DType dtype) {
    const Row& row = row_of(dtype);
    core::require(row.element_bytes > 0, "a block float has no bytes per element");
    return {row.element_bytes};
}

bool is_block_float(DType dtype) { return row_of(dtype).element_bytes == 0; }

std::string_view name(DType dtype) { return row_of(dtype).name; }

std::string_view ttnn_name(DType dtype) { return row_of(dtype).ttnn_name; }

std::optional<DType> parse_dtype(std::string_view text) {
    const std::string wanted = lower(text);
    for (const Row& row : kRows) {
        if (wanted == row.name || wanted == lower(row.ttnn_name) || wanted == row.aliases[0] ||
            wanted == row.aliases[1]) {
            return row.dtype;
        }
    }
    return std::nullopt;
}

}  // namespace tensor

// Whole tensors by rows of the matrix view: which tiles a row lies in, then the line kernels.
// Row r belongs to outer index r / shape[-2]; every outer matrix is padded to tiles on its own.
// Row-major tensors have no padding, so any run of rows is one run of elements.
#include <cmath>
#include <cstring>
#include <limits>

#include "core/error.h"
#include "tensor/formats.h"
#include "tensor/kernels/rows.h"

namespace tensor {
namespace {

void check(const Spec& spec, std::int64_t row, std::int64_t count) {
    core::require(row >= 0 && count >= 0 && row + count <= spec.shape.rows(),
                  "rows lie within the tensor");
    core::require(spec.layout == Layout::Tile || !is_block_float(spec.dtype),
                  "block floats are tiled");
}

bool is_integer(DType dtype) { return dtype == DType::Int32 || dtype == DType::UInt32; }

struct Line {
    std::int64_t first_tile = 0;
    std::int64_t row_in_tile = 0;
};

Line line_of(const Spec& spec, std::int64_t row) {
    const std::int64_t height = spec.shape.rank() < 2 ? 1 : spec.shape[-2];
    const std::int64_t inner = row % height;
    const std::int64_t tile_row = row / height * spec.tile_rows() + inner / kTileSide;
    return {tile_row * spec.tile_cols(), inner % kTileSide};
}

/// Element of a tile: tenstorrent/tt-metal blockfloat_common.cpp @6f2b15d.
std::int64_t offset_in_tile(std::int64_t row, std::int64_t col) {
    const std::int64_t face = row / kFaceSide * 2 + col / kFaceSide;
    return face * kFaceSide * kFaceSide + row % kFaceSide * kFaceSide + col % kFaceSide;
}

/// Element offset of column `col` of the line, in elements from the start of the line's tiles.
std::int64_t offset_in_line(const Line& line, std::int64_t col) {
    return col / kTileSide * kTileElements + offset_in_tile(line.row_in_tile, col % kTileSide);
}

template <class Integer>
float load_as(const std::byte* at) {
    Integer value;
    std::memcpy(&value, at, sizeof(value));
    return static_cast<float>(value);
}

template <class Integer>
void store_as(float value, std::byte* at) {
    using Limits = std::numeric_limits<Integer>;
    const double rounded = std::nearbyint(static_cast<double>(value));
    Integer result = 0;  // NaN
    if (rounded >= static_cast<double>(Limits::max())) {
        result = Limits::max();
    } else if (rounded <= static_cast<double>(Limits::min())) {
        result = Limits::min();
    } else if (!std::isnan(rounded)) {
        result = static_cast<Integer>(rounded);
    }
    std::memcpy(at, &result, sizeof(result));
}

float load_integer(DType dtype, const std::byte* at) {
    return dtype == DType::Int32 ? load_as<std::int32_t>(at) : load_as<std::uint32_t>(at);
}

void store_integer(DType dtype, float value, std::byte* at) {
    if (dtype == DType::Int32) {
        store_as<std::int32_t>(value, at);
    } else {
        store_as<std::uint32_t>(value, at);
    }
}

void read_elements(DType dtype, const std::byte* data, std::int64_t count, float* out) {
    if (dtype == DType::BFloat16) return kernels::decode_bf16(data, count, out);
    if (dtype == DType::Float32) {
        if (count > 0) std::memcpy(out, data, static_cast<std::size_t>(count) * sizeof(float));
        return;
    }
    for (std::int64_t i = 0; i < count; ++i) out[i] = load_integer(dtype, data + 4 * i);
}

void write_elements(DType dtype, Packer packer, const float* in, std::int64_t count,
                    std::byte* data) {
    if (dtype == DType::BFloat16) return kernels::encode_bf16(packer, in, count, data);
    if (dtype == DType::Float32) {
        if (count > 0) std::memcpy(data, in, static_cast<std::size_t>(count) * sizeof(float));
        return;
    }
    for (std::int64_t i = 0; i < count; ++i) store_integer(dtype, in[i], data + 4 * i);
}

void read_line(const Spec& spec, const std::byte* data, const Line& line, float* out) {
    const std::byte* tiles = data + line.first_tile * tile_bytes(spec.dtype).value;
    const std::int64_t cols = spec.shape.cols();
    if (!is_integer(spec.dtype)) {
        return kernels::decode_line(spec.dtype, tiles, line.row_in_tile, cols, out);
    }
    for (std::int64_t col = 0; col < cols; ++col) {
        out[col] = load_integer(spec.dtype, tiles + 4 * offset_in_line(line, col));
    }
}

void write_line(const Spec& spec, std::byte* data, const Line& line, const float* in,
                Packer packer) {
    std::byte* tiles = data + line.first_tile * tile_bytes(spec.dtype).value;
    const std::int64_t cols = spec.shape.cols();
    if (!is_integer(spec.dtype)) {
        return kernels::encode_line(spec.dtype, packer, in, line.row_in_tile, cols, tiles);
    }
    for (std::int64_t col = 0; col < core::round_up(cols, kTileSide); ++col) {
        store_integer(spec.dtype, col < cols ? in[col] : 0.0f,
                      tiles + 4 * offset_in_line(line, col));
    }
}

}  // namespace

void read_rows(const Spec& spec, const std::byte* data, std::int64_t row, std::int64_t count,
               float* out) {
    check(spec, row, count);
    const std::int64_t cols = spec.shape.cols();
    if (spec.layout == Layout::RowMajor) {
        const std::int64_t skipped = row * cols * element_bytes(spec.dtype).value;
        return read_elements(spec.dtype, data + skipped, count * cols, out);
    }
    for (std::int64_t i = 0; i < count; ++i) {
        read_line(spec, data, line_of(spec, row + i), out + i * cols);
    }
}

void write_rows(const Spec& spec, std::byte* data, std::int64_t row, std::int64_t count,
                const float* in, Packer packer) {
    check(spec, row, count);
    const std::int64_t cols = spec.shape.cols();
    if (spec.layout == Layout::RowMajor) {
        const std::int64_t skipped = row * cols * element_bytes(spec.dtype).value;
        return write_elements(spec.dtype, packer, in, count * cols, data + skipped);
    }
    for (std::int64_t i = 0; i < count; ++i) {
        write_line(spec, data, line_of(spec, row + i), in + i * cols, packer);
    }
}

}  // namespace tensor

// What a tensor is before it has bytes: shape, storage format, layout.
// In tile layout the last two axes are padded to 32; outer axes are outermost. Row-major tensors
// have no padding; one row is one page.
#pragma once

#include "core/units.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace tensor {

enum class Layout { Tile, RowMajor };

struct Spec {
    Shape shape;
    DType dtype = DType::BFloat16;
    Layout layout = Layout::Tile;

    /// Tiles along the second-to-last axis (1 for rank 1) and along the last axis.
    std::int64_t tile_rows() const;
    std::int64_t tile_cols() const;
    /// Tile layout: number of 32x32 tiles over all outer axes.
    std::int64_t tiles() const;
    /// Tile layout: one tile; row-major: one row.
    core::Bytes page_bytes() const;
    std::int64_t pages() const;
    /// Bytes of all pages, without any bank's alignment or padding.
    core::Bytes bytes() const;

    bool operator==(const Spec&) const = default;
};

}  // namespace tensor

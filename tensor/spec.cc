// How many pages a tensor has and how large they are; nothing here knows of banks.
// Tile order and padding: tenstorrent/tt-llk tests tilize_untilize.py @36b092e.
#include "tensor/spec.h"

#include "core/error.h"

namespace tensor {

std::int64_t Spec::tile_rows() const {
    return shape.rank() < 2 ? 1 : core::ceil_div(shape[-2], kTileSide);
}

std::int64_t Spec::tile_cols() const { return core::ceil_div(shape.cols(), kTileSide); }

std::int64_t Spec::tiles() const {
    core::require(layout == Layout::Tile, "only a tensor in tile layout has tiles");
    return shape.outer() * tile_rows() * tile_cols();
}

core::Bytes Spec::page_bytes() const {
    if (layout == Layout::Tile) return tile_bytes(dtype);
    return element_bytes(dtype) * shape.cols();
}

std::int64_t Spec::pages() const { return layout == Layout::Tile ? tiles() : shape.rows(); }

core::Bytes Spec::bytes() const { return page_bytes() * pages(); }

}  // namespace tensor

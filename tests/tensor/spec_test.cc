// Pages and bytes of tensors before any bank sees them.
#include "tensor/spec.h"

#include <gtest/gtest.h>

using core::Bytes;
using tensor::DType;
using tensor::Layout;
using tensor::Shape;
using tensor::Spec;

TEST(Spec, pads_each_outer_matrix_to_tiles_on_its_own) {
    // Folding the outer axes into rows first would lose tiles: 3 x 5 rows are three tile rows.
    const Spec spec{{3, 5, 40}, DType::BFloat16};
    EXPECT_EQ(spec.tile_rows(), 1);
    EXPECT_EQ(spec.tile_cols(), 2);
    EXPECT_EQ(spec.tiles(), 6);
    EXPECT_EQ(spec.bytes(), Bytes{6 * 2048});
}

TEST(Spec, a_row_major_page_is_one_row) {
    // Embedding tables and token ids are read row by row.
    const Spec spec{{128256, 8192}, DType::BFloat16, Layout::RowMajor};
    EXPECT_EQ(spec.page_bytes(), Bytes{16384});
    EXPECT_EQ(spec.pages(), 128256);
    EXPECT_EQ(spec.bytes(), Bytes{2'101'346'304});
}

TEST(Spec, a_vector_in_tile_layout_takes_one_row_of_tiles) {
    // A norm weight of 4096 occupies 128 tiles although one row of each is used.
    const Spec spec{{4096}, DType::BFloat16};
    EXPECT_EQ(spec.tiles(), 128);
    EXPECT_EQ(spec.pages(), 128);
}

TEST(Spec, an_embedding_in_fp32_does_not_overflow) {
    // 128256 x 8192 floats are 4.2 GB, more than an int holds.
    const Spec spec{{128256, 8192}, DType::Float32};
    EXPECT_EQ(spec.bytes(), Bytes{4'202'692'608});
}

TEST(Spec, an_empty_axis_has_no_pages) {
    // A shard may be empty; it must not cost a tile.
    EXPECT_EQ((Spec{{0, 64}, DType::BFloat8_b}).bytes(), Bytes{0});
    EXPECT_EQ((Spec{{64, 0}, DType::BFloat8_b}).bytes(), Bytes{0});
}

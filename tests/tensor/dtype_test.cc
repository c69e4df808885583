// Sizes and names of the storage formats, against the published tile sizes.
#include "tensor/dtype.h"

#include <gtest/gtest.h>

#include <stdexcept>

using core::Bytes;
using tensor::DType;

TEST(DType, a_tile_has_the_published_size) {
    // Every memory figure is a multiple of these six numbers.
    EXPECT_EQ(tensor::tile_bytes(DType::Float32), Bytes{4096});
    EXPECT_EQ(tensor::tile_bytes(DType::BFloat16), Bytes{2048});
    EXPECT_EQ(tensor::tile_bytes(DType::BFloat8_b), Bytes{64 + 1024});
    EXPECT_EQ(tensor::tile_bytes(DType::BFloat4_b), Bytes{64 + 512});
    EXPECT_EQ(tensor::tile_bytes(DType::BFloat2_b), Bytes{64 + 256});
    EXPECT_EQ(tensor::tile_bytes(DType::UInt32), Bytes{4096});
}

TEST(DType, only_formats_without_shared_exponents_have_element_bytes) {
    // A row-major block float does not exist on the device; asking for one is our own mistake.
    EXPECT_EQ(tensor::element_bytes(DType::Float32), Bytes{4});
    EXPECT_EQ(tensor::element_bytes(DType::BFloat16), Bytes{2});
    EXPECT_EQ(tensor::element_bytes(DType::Int32), Bytes{4});
    EXPECT_THROW(tensor::element_bytes(DType::BFloat8_b), std::logic_error);
}

TEST(DType, every_spelling_parses_back_to_its_format) {
    // Options, reports and precision files spell formats differently and must agree.
    for (const DType dtype : {DType::Float32, DType::BFloat16, DType::BFloat8_b, DType::BFloat4_b,
                              DType::BFloat2_b, DType::UInt32, DType::Int32}) {
        EXPECT_EQ(tensor::parse_dtype(tensor::name(dtype)), dtype);
        EXPECT_EQ(tensor::parse_dtype(tensor::ttnn_name(dtype)), dtype);
    }
    EXPECT_EQ(tensor::parse_dtype("bfp8_b"), DType::BFloat8_b);
    EXPECT_EQ(tensor::parse_dtype("BFP4"), DType::BFloat4_b);
    EXPECT_EQ(tensor::name(DType::BFloat16), "bf16");
    EXPECT_EQ(tensor::ttnn_name(DType::BFloat4_b), "BFLOAT4_B");
}

TEST(DType, an_unknown_spelling_is_no_format) {
    // fp16 looks like bf16; guessing would change every number silently.
    EXPECT_EQ(tensor::parse_dtype("fp16"), std::nullopt);
    EXPECT_EQ(tensor::parse_dtype(""), std::nullopt);
    EXPECT_EQ(tensor::parse_dtype("bfp8 "), std::nullopt);
}

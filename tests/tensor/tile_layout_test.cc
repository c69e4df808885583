// Where a value lies in the bytes of a tiled tensor, against tile_layout.json.
// The expected offsets come from the published layout, not from the code under test.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "tensor/formats.h"
#include "tests/tensor/golden.h"

using core::Bytes;
using tensor::DType;
using tensor::Packer;
using tensor::Spec;

namespace {

/// Element offset of the one non-zero value after writing 1.0 at (r, c) of zeros.
std::vector<std::size_t> offsets_of_one(const Spec& spec, std::int64_t r, std::int64_t c) {
    std::vector<std::byte> bytes(static_cast<std::size_t>(spec.bytes().value));
    std::vector<float> row(static_cast<std::size_t>(spec.shape.cols()));
    row[static_cast<std::size_t>(c)] = 1.0f;
    tensor::write_rows(spec, bytes.data(), r, 1, row.data(), Packer::Host);
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < bytes.size() / 4; ++i) {
        float value;
        std::memcpy(&value, bytes.data() + 4 * i, sizeof(value));
        if (value == 1.0f) found.push_back(i);
    }
    return found;
}

std::size_t index(const nlohmann::json& number) { return number.get<std::size_t>(); }

}  // namespace

TEST(TileLayout, elements_of_one_tile_lie_face_by_face) {
    // A wrong face order moves a quarter of every matrix.
    const auto cases = golden::load("tile_layout.json").at("single_tile");
    ASSERT_EQ(cases.size(), 13u);
    for (const auto& c : cases) {
        EXPECT_EQ(offsets_of_one({{32, 32}, DType::Float32}, c.at("r"), c.at("c")),
                  std::vector<std::size_t>{index(c.at("offset"))})
            << c;
    }
}

TEST(TileLayout, tiles_are_row_major_over_the_padded_matrix) {
    // Pages are interleaved over banks in this order.
    const auto cases = golden::load("tile_layout.json").at("multi_tile");
    ASSERT_EQ(cases.size(), 7u);
    for (const auto& c : cases) {
        const auto extents = c.at("shape").get<std::vector<std::int64_t>>();
        const Spec spec{tensor::Shape(extents), DType::Float32};
        const std::vector<std::size_t> found = offsets_of_one(spec, c.at("r"), c.at("c"));
        EXPECT_EQ(found, std::vector<std::size_t>{index(c.at("element_offset"))}) << c;
        EXPECT_EQ(found.at(0) / 1024, index(c.at("tile"))) << c;
    }
}

TEST(TileLayout, a_block_float_touches_one_exponent_byte_and_one_code) {
    // 1.0 alone in its row: exponent 127 at exp_byte, leading magnitude bit at its code.
    const auto cases = golden::load("tile_layout.json").at("bfp_in_tile");
    ASSERT_EQ(cases.size(), 7u);
    for (const auto& c : cases) {
        for (const DType dtype : golden::kBlockFloats) {
            const Spec spec{{32, 32}, dtype};
            std::vector<std::byte> bytes(static_cast<std::size_t>(spec.bytes().value));
            float row[32] = {};
            row[index(c.at("c"))] = 1.0f;
            tensor::write_rows(spec, bytes.data(), c.at("r"), 1, row, Packer::Host);

            std::vector<std::byte> expected(bytes.size());
            const int bits = tensor::code_bits(dtype);
            const std::string name(tensor::name(dtype));
            const int shift = bits == 8 ? 0 : c.at(name + "_shift").get<int>();
            expected[index(c.at("exp_byte"))] = std::byte{127};
            expected[index(c.at(name + "_byte"))] = static_cast<std::byte>(1 << (bits - 2 + shift));
            EXPECT_EQ(bytes, expected) << name << " " << c;
        }
    }
}

TEST(TileLayout, a_whole_tile_has_the_listed_bytes) {
    // Other tile shapes of the file exist on the host only; 32x32 is the one we store.
    const auto sizes = golden::load("tile_layout.json").at("tile_bytes");
    int seen = 0;
    for (const auto& c : sizes) {
        if (c.at("tile") != nlohmann::json({32, 32})) continue;
        ++seen;
        for (const char* name : {"bfp8_b", "bfp4_b", "bfp2_b", "bf16", "fp32"}) {
            EXPECT_EQ(tensor::tile_bytes(golden::block_float(name)),
                      Bytes{c.at(name).get<std::int64_t>()});
        }
    }
    EXPECT_EQ(seen, 1);
}

TEST(TileLayout, padding_counts_as_bytes) {
    // [35, 47] takes the space of [64, 64]; a memory plan that forgets this is wrong by 2.5x.
    const auto cases = golden::load("tile_layout.json").at("padding");
    ASSERT_EQ(cases.size(), 6u);
    for (const auto& c : cases) {
        const auto extents = c.at("logical").get<std::vector<std::int64_t>>();
        const tensor::Shape shape{std::span<const std::int64_t>(extents)};
        EXPECT_EQ((Spec{shape, DType::BFloat16}).tiles(), c.at("tiles").get<std::int64_t>());
        for (const char* name : {"bf16", "bfp8_b", "bfp4_b"}) {
            EXPECT_EQ((Spec{shape, golden::block_float(name)}).bytes(),
                      Bytes{c.at(name).get<std::int64_t>()})
                << c;
        }
    }
}

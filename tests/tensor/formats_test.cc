// Rounding rules against golden vectors, and the laws of the formats.
// Vectors: bf16_rounding, bfp_host_pack, bfp_hw_pack, bfp_unpack (tests/data/numerics), made from
// tenstorrent/tt-metal, tenstorrent/ttsim and the ISA documents; each file names its sources.
#include "tensor/formats.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>
#include <stdexcept>
#include <vector>

#include "tests/tensor/golden.h"

using tensor::BlockRow;
using tensor::DType;
using tensor::Packer;

namespace {

using Row = std::array<float, 16>;

std::uint32_t bits_of(float value) { return std::bit_cast<std::uint32_t>(value); }

std::vector<int> codes_of(const BlockRow& row) {
    return std::vector<int>(std::begin(row.codes), std::end(row.codes));
}

Row unpacked(DType dtype, const BlockRow& row) {
    Row values;
    tensor::unpack_row_host(dtype, row, values);
    return values;
}

std::string hex(DType dtype, const BlockRow& row) {
    std::byte bytes[16];
    tensor::store_codes(dtype, row, bytes);
    std::string text;
    for (int i = 0; i < 2 * tensor::code_bits(dtype); ++i) {
        constexpr char kDigits[] = "0123456789abcdef";
        text += kDigits[std::to_integer<int>(bytes[i]) >> 4];
        text += kDigits[std::to_integer<int>(bytes[i]) & 15];
    }
    return text;
}

/// Relative error of the stored copy of `rows` x 16 values of 0.02 N(0, 1), as weights are. Where a
/// power of two falls within the distribution moves this by some percent, so the 0.02 matters.
double relative_error(DType dtype, int rows) {
    std::mt19937 random(5);
    std::normal_distribution<float> normal(0.0f, 0.02f);
    double error = 0, total = 0;
    for (int r = 0; r < rows; ++r) {
        Row values;
        for (float& v : values) v = normal(random);
        const Row back = unpacked(dtype, tensor::pack_row(dtype, Packer::Host, values));
        for (std::size_t i = 0; i < 16; ++i) {
            error += std::pow(double{values[i]} - double{back[i]}, 2);
            total += std::pow(double{values[i]}, 2);
        }
    }
    return std::sqrt(error / total);
}

}  // namespace

TEST(BFloat16, rounds_like_host_packer_and_truncation) {
    // Ties, NaN, denormals and overflow differ between the three converters.
    const auto cases = golden::load("bf16_rounding.json").at("cases");
    ASSERT_EQ(cases.size(), 24u);
    for (const auto& c : cases) {
        const float value = golden::fp32(c.at("fp32"));
        EXPECT_EQ(tensor::bf16_round_host(value), golden::word(c.at("host_rne"))) << c;
        EXPECT_EQ(tensor::bf16_round_device(value), golden::word(c.at("packer_round"))) << c;
        EXPECT_EQ(tensor::bf16_truncate(value), golden::word(c.at("truncate"))) << c;
    }
}

TEST(BlockRow, packs_on_the_host_as_the_golden_rows) {
    // Weights go through this rule; exponent, codes, bytes and the values read back must agree.
    const auto cases = golden::load("bfp_host_pack.json").at("cases");
    ASSERT_EQ(cases.size(), 21u);
    for (const auto& c : cases) {
        Row values;
        for (std::size_t i = 0; i < 16; ++i) values[i] = golden::fp32(c.at("fp32").at(i));
        for (const DType dtype : golden::kBlockFloats) {
            const auto& expected = c.at(golden::key(dtype));
            const BlockRow row = tensor::pack_row(dtype, Packer::Host, values);
            EXPECT_EQ(row.exponent, expected.at("exp").get<int>()) << c.at("name");
            EXPECT_EQ(codes_of(row), expected.at("codes").get<std::vector<int>>()) << c.at("name");
            EXPECT_EQ(hex(dtype, row), expected.at("bytes").get<std::string>()) << c.at("name");
            const Row back = unpacked(dtype, row);
            for (std::size_t i = 0; i < 16; ++i) {
                EXPECT_EQ(bits_of(back[i]), golden::word(expected.at("unpacked_fp32").at(i)))
                    << c.at("name") << " " << i;
            }
        }
    }
}

TEST(BlockRow, packs_on_the_device_as_the_golden_rows) {
    // Activations and the KV cache go through this rule, twice rounded unless precise.
    const auto cases = golden::load("bfp_hw_pack.json").at("cases");
    ASSERT_EQ(cases.size(), 21u);
    for (const auto& c : cases) {
        Row values;
        for (std::size_t i = 0; i < 16; ++i) {
            values[i] =
                tensor::bf16_to_float(static_cast<std::uint16_t>(golden::word(c.at("bf16").at(i))));
        }
        for (const DType dtype : golden::kBlockFloats) {
            for (const Packer packer : {Packer::Device, Packer::DevicePrecise}) {
                const std::string rule = packer == Packer::Device ? "_default" : "_precise";
                const auto& expected = c.at(golden::key(dtype) + rule);
                const BlockRow row = tensor::pack_row(dtype, packer, values);
                EXPECT_EQ(row.exponent, expected.at("exp").get<int>()) << c.at("name") << rule;
                EXPECT_EQ(codes_of(row), expected.at("codes").get<std::vector<int>>())
                    << c.at("name") << " " << golden::key(dtype) << rule;
            }
        }
    }
}

TEST(BlockRow, unpacks_every_golden_code_on_host_and_device) {
    // Underflow, the negative-zero code and exponent 255 are where the two sides part.
    const auto cases = golden::load("bfp_unpack.json").at("cases");
    ASSERT_EQ(cases.size(), 370u);
    for (const auto& c : cases) {
        const DType dtype = golden::block_float(c.at("fmt"));
        BlockRow row;
        row.exponent = c.at("exp").get<std::uint8_t>();
        row.codes[5] = c.at("code").get<std::uint8_t>();
        EXPECT_EQ(bits_of(unpacked(dtype, row)[5]), golden::word(c.at("host_fp32"))) << c;
        EXPECT_EQ(tensor::unpack_code_device(dtype, row.exponent, row.codes[5]),
                  golden::word(c.at("hw_bf16")))
            << c;
    }
}

TEST(BlockRow, codes_survive_their_bytes) {
    // The first datum is in the least significant bits, for every width.
    for (const DType dtype : golden::kBlockFloats) {
        BlockRow row;
        row.exponent = 99;
        for (int i = 0; i < 16; ++i) {
            row.codes[i] =
                static_cast<std::uint8_t>((i * 37 + 11) & ((1 << tensor::code_bits(dtype)) - 1));
        }
        std::byte bytes[16];
        tensor::store_codes(dtype, row, bytes);
        const BlockRow back = tensor::load_codes(dtype, 99, bytes);
        EXPECT_EQ(codes_of(back), codes_of(row));
        EXPECT_EQ(back.exponent, 99);
    }
    EXPECT_THROW(tensor::code_bits(DType::BFloat16), std::logic_error);
}

TEST(BlockRow, packing_what_was_unpacked_changes_nothing) {
    // A value that crossed the format once must stay put, however often it is read and written.
    std::mt19937 random(11);
    std::normal_distribution<float> normal(0.0f, 3.0f);
    for (int trial = 0; trial < 2000; ++trial) {
        Row values;
        for (float& v : values) v = normal(random) * std::exp(normal(random));
        for (const DType dtype : golden::kBlockFloats) {
            for (const Packer packer : {Packer::Host, Packer::Device, Packer::DevicePrecise}) {
                const Row once = unpacked(dtype, tensor::pack_row(dtype, packer, values));
                const Row twice = unpacked(dtype, tensor::pack_row(dtype, packer, once));
                ASSERT_EQ(once, twice) << tensor::name(dtype);
            }
        }
    }
}

TEST(BlockRow, the_error_is_half_a_step_and_a_step_where_saturated) {
    // Half a step is 2^(E-127-7) for bfp8 and 2^(E-127-3) for bfp4; only the largest code clips.
    std::mt19937 random(13);
    std::normal_distribution<float> normal;
    for (const DType dtype : {DType::BFloat8_b, DType::BFloat4_b}) {
        const int width = tensor::code_bits(dtype) - 1;
        int saturated = 0;
        for (int trial = 0; trial < 4000; ++trial) {
            Row values;
            for (float& v : values) v = normal(random);
            const BlockRow row = tensor::pack_row(dtype, Packer::Host, values);
            const Row back = unpacked(dtype, row);
            const double half = std::ldexp(1.0, row.exponent - 127 - width);
            for (std::size_t i = 0; i < 16; ++i) {
                const double error = std::abs(double{values[i]} - double{back[i]});
                const bool clipped = (row.codes[i] & ((1 << width) - 1)) == (1 << width) - 1;
                if (clipped && error > half) {
                    ++saturated;
                    EXPECT_LT(error, 2 * half);
                } else {
                    // Bits dropped by the aligning shift may add one unit of the 24-bit
                    // significand.
                    EXPECT_LE(error, half * (1 + std::ldexp(1.0, width - 22)));
                }
            }
        }
        EXPECT_GT(saturated, 0);
    }
}

TEST(BlockRow, gaussian_values_lose_the_measured_amount) {
    // 6.9e-3 and 0.112, each +-5 %: the storage error that all accuracy figures rest on.
    EXPECT_NEAR(relative_error(DType::BFloat8_b, 20000), 6.9e-3, 0.05 * 6.9e-3);
    EXPECT_NEAR(relative_error(DType::BFloat4_b, 20000), 0.112, 0.05 * 0.112);
}

TEST(BlockRow, the_device_rounds_ties_away_and_the_host_to_even) {
    // 64.5 steps: host keeps 64, device stores 65. This is why weights and activations differ.
    Row values = {};
    values[0] = 1.0f;
    values[1] = 1.0f + 1.0f / 128;
    EXPECT_EQ(tensor::pack_row(DType::BFloat8_b, Packer::Host, values).codes[1], 64);
    EXPECT_EQ(tensor::pack_row(DType::BFloat8_b, Packer::Device, values).codes[1], 65);
    EXPECT_EQ(tensor::pack_row(DType::BFloat8_b, Packer::DevicePrecise, values).codes[1], 65);
}

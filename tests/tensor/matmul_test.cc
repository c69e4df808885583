// The matrix product: values against double precision, and the law that its bits depend on nothing
// but the row of x, the column of W and the order of k.
#include "tensor/kernels/matmul.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>
#include <vector>

#include "tensor/formats.h"
#include "tensor/kernels/targets.h"

using tensor::DType;
using tensor::Packer;
using tensor::Spec;
using tensor::kernels::matmul;

namespace {

constexpr DType kWeights[] = {DType::Float32, DType::BFloat16, DType::BFloat8_b, DType::BFloat4_b,
                              DType::BFloat2_b};

std::vector<float> normal(std::int64_t count, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> next;
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& v : values) v = next(random);
    return values;
}

/// Garbage in the padding: NaN patterns that must never reach a result.
std::vector<std::byte> stored(const Spec& spec, const std::vector<float>& values) {
    std::vector<std::byte> bytes(static_cast<std::size_t>(spec.bytes().value), std::byte{0xff});
    tensor::write_rows(spec, bytes.data(), 0, spec.shape.rows(), values.data(), Packer::Host);
    return bytes;
}

std::vector<float> product(const std::vector<float>& x, std::int64_t rows, const Spec& w,
                           const std::vector<std::byte>& bytes, std::int64_t n0, std::int64_t n1) {
    std::vector<float> out(static_cast<std::size_t>(rows * (n1 - n0)));
    matmul(x.data(), w.shape[0], rows, w, bytes.data(), n0, n1, out.data(), n1 - n0);
    return out;
}

/// The definition, one fused multiply-add after the other over the stored values.
std::vector<float> in_order(const std::vector<float>& x, std::int64_t rows, const Spec& w,
                            const std::vector<std::byte>& bytes) {
    const std::int64_t depth = w.shape[0], cols = w.shape[1];
    std::vector<float> weights(static_cast<std::size_t>(depth * cols));
    tensor::read_rows(w, bytes.data(), 0, depth, weights.data());
    std::vector<float> out(static_cast<std::size_t>(rows * cols));
    for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t k = 0; k < depth; ++k) {
            for (std::int64_t n = 0; n < cols; ++n) {
                float& sum = out[static_cast<std::size_t>(r * cols + n)];
                sum = std::fma(x[static_cast<std::size_t>(r * depth + k)],
                               weights[static_cast<std::size_t>(k * cols + n)], sum);
            }
        }
    }
    return out;
}

template <class Check>
void on_every_fused_target(const Check& check) {
    for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
        // Plain C++ has no fused multiply-add; its law is looked at on its own.
        if ((target & (HWY_SCALAR | HWY_EMU128)) != 0) continue;
        SCOPED_TRACE(hwy::TargetName(target));
        hwy::SetSupportedTargetsForTest(target);
        check();
    }
    hwy::SetSupportedTargetsForTest(0);
}

}  // namespace

TEST(Matmul, is_the_fused_sum_over_k_in_order_bit_for_bit) {
    // 300 x 75: no size is a multiple of a tile, a strip or a register. 1 and 2 rows stream the
    // tiles, more decode strips; 7 leaves a rest of one row, 11 of five.
    for (const DType dtype : kWeights) {
        const Spec w{{300, 75}, dtype};
        const std::vector<std::byte> bytes = stored(w, normal(300 * 75, 21));
        const std::vector<float> x = normal(11 * 300, 22);
        const std::vector<float> expected = in_order(x, 11, w, bytes);
        on_every_fused_target([&] {
            for (const std::int64_t rows : {1, 2, 3, 4, 7, 11}) {
                const std::vector<float> got = product(x, rows, w, bytes, 0, 75);
                const std::vector<float> want(expected.begin(), expected.begin() + rows * 75);
                ASSERT_EQ(got, want) << tensor::name(dtype) << " rows " << rows;
            }
        });
    }
}

TEST(Matmul, agrees_with_double_precision) {
    // The order above could be right and the values wrong: an independent sum, 1e-5 of the norm.
    const Spec w{{512, 64}, DType::BFloat8_b};
    const std::vector<std::byte> bytes = stored(w, normal(512 * 64, 23));
    const std::vector<float> x = normal(512, 24);
    std::vector<float> weights(512 * 64);
    tensor::read_rows(w, bytes.data(), 0, 512, weights.data());
    const std::vector<float> got = product(x, 1, w, bytes, 0, 64);
    for (std::size_t n = 0; n < 64; ++n) {
        double sum = 0, size = 0;
        for (std::size_t k = 0; k < 512; ++k) {
            const double term = double{x[k]} * double{weights[k * 64 + n]};
            sum += term;
            size += std::abs(term);
        }
        EXPECT_NEAR(got[n], sum, 1e-6 * size);
    }
}

TEST(Matmul, any_split_of_columns_gives_the_same_bits) {
    // Chips and threads split N; a sharded model must equal the single chip.
    for (const DType dtype : kWeights) {
        const Spec w{{160, 333}, dtype};
        const std::vector<std::byte> bytes = stored(w, normal(160 * 333, 25));
        for (const std::int64_t rows : {1, 5}) {
            const std::vector<float> x = normal(rows * 160, 26);
            const std::vector<float> whole = product(x, rows, w, bytes, 0, 333);
            std::vector<float> parts(whole.size(), -1.0f);
            const std::int64_t cuts[] = {0, 1, 32, 63, 160, 161, 320, 333};
            for (std::size_t c = 0; c + 1 < std::size(cuts); ++c) {
                matmul(x.data(), 160, rows, w, bytes.data(), cuts[c], cuts[c + 1],
                       parts.data() + cuts[c], 333);
            }
            EXPECT_EQ(parts, whole) << tensor::name(dtype);
        }
    }
}

TEST(Matmul, one_row_alone_equals_the_same_row_among_many) {
    // A user's tokens may not depend on who else is in the batch. Also on plain C++.
    for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
        hwy::SetSupportedTargetsForTest(target);
        for (const DType dtype : kWeights) {
            const Spec w{{200, 96}, dtype};
            const std::vector<std::byte> bytes = stored(w, normal(200 * 96, 27));
            const std::vector<float> x = normal(32 * 200, 28);
            const std::vector<float> all = product(x, 32, w, bytes, 0, 96);
            for (const std::ptrdiff_t r : {0, 5, 17, 31}) {
                const std::vector<float> alone(x.begin() + r * 200, x.begin() + (r + 1) * 200);
                EXPECT_EQ(product(alone, 1, w, bytes, 0, 96),
                          std::vector<float>(all.begin() + r * 96, all.begin() + (r + 1) * 96))
                    << tensor::name(dtype) << " " << hwy::TargetName(target);
            }
        }
    }
    hwy::SetSupportedTargetsForTest(0);
}

TEST(Matmul, more_rows_than_a_chunk_and_more_depth_than_a_strip_are_whole) {
    // 300 rows cross the chunk of 256, 257 deep crosses two strips of 128.
    const Spec w{{257, 33}, DType::BFloat4_b};
    const std::vector<std::byte> bytes = stored(w, normal(257 * 33, 29));
    const std::vector<float> x = normal(300 * 257, 30);
    const std::vector<float> expected = in_order(x, 300, w, bytes);
    on_every_fused_target([&] { EXPECT_EQ(product(x, 300, w, bytes, 0, 33), expected); });
}

TEST(Matmul, extreme_exponents_and_activations_take_the_exact_way) {
    // Folding 2^(E-133) into x must not under- or overflow where the true product does not.
    for (const DType dtype : {DType::BFloat8_b, DType::BFloat4_b, DType::BFloat2_b}) {
        const Spec w{{32, 32}, dtype};
        std::vector<float> weights(32 * 32, 0.0f);
        std::vector<float> x(32, 0.0f);
        for (std::size_t n = 0; n < 16; ++n) {
            weights[0 * 32 + n] = 1e-36f;  // exponent byte 7
            weights[1 * 32 + n] = 1e-20f;
            weights[2 * 32 + n] = 1e38f;
            weights[3 * 32 + n] = -1.0f;
        }
        x[0] = 1e30f;
        x[1] = 1e-30f;
        x[2] = 1e-38f;
        x[3] = 1e-44f;  // denormal
        const std::vector<std::byte> bytes = stored(w, weights);
        std::vector<float> many;
        for (int r = 0; r < 5; ++r) many.insert(many.end(), x.begin(), x.end());
        const std::vector<float> expected = in_order(x, 1, w, bytes);
        on_every_fused_target([&] {
            EXPECT_EQ(product(x, 1, w, bytes, 0, 32), expected) << tensor::name(dtype);
            const std::vector<float> five = product(many, 5, w, bytes, 0, 32);
            EXPECT_EQ(std::vector<float>(five.begin(), five.begin() + 32), expected);
        });
        EXPECT_NEAR(expected[0], 1.0f, 0.3f);
        EXPECT_EQ(expected[16], 0.0f);
    }
}

TEST(Matmul, a_nan_activation_stays_visible_in_its_row_only) {
    // A broken value must not be swallowed, nor spread to other users.
    const Spec w{{64, 32}, DType::BFloat8_b};
    const std::vector<std::byte> bytes = stored(w, normal(64 * 32, 31));
    std::vector<float> x = normal(4 * 64, 32);
    x[64 + 7] = std::numeric_limits<float>::quiet_NaN();
    const std::vector<float> out = product(x, 4, w, bytes, 0, 32);
    EXPECT_TRUE(std::isnan(out[32]));
    EXPECT_FALSE(std::isnan(out[0]));
    EXPECT_FALSE(std::isnan(out[64]));
    const std::vector<float> alone(x.begin() + 64, x.begin() + 128);
    EXPECT_TRUE(std::isnan(product(alone, 1, w, bytes, 0, 32)[5]));
}

TEST(Matmul, strides_of_x_and_out_are_kept) {
    // Heads and shards are columns of wider rows; what lies between must not be touched.
    const Spec w{{64, 32}, DType::BFloat16};
    const std::vector<std::byte> bytes = stored(w, normal(64 * 32, 33));
    const std::vector<float> x = normal(5 * 70, 34);
    std::vector<float> packed;
    for (std::ptrdiff_t r = 0; r < 5; ++r) {
        packed.insert(packed.end(), x.begin() + r * 70, x.begin() + r * 70 + 64);
    }
    std::vector<float> wide(5 * 40, 9.0f);
    matmul(x.data(), 70, 5, w, bytes.data(), 0, 32, wide.data(), 40);
    const std::vector<float> expected = product(packed, 5, w, bytes, 0, 32);
    for (std::size_t r = 0; r < 5; ++r) {
        for (std::size_t n = 0; n < 40; ++n) {
            EXPECT_EQ(wide[r * 40 + n], n < 32 ? expected[r * 32 + n] : 9.0f);
        }
    }
}

TEST(Matmul, refuses_what_is_no_tiled_matrix) {
    // A wrong spec here would read past the weight.
    const Spec row_major{{32, 32}, DType::BFloat16, tensor::Layout::RowMajor};
    const Spec integers{{32, 32}, DType::UInt32};
    const Spec good{{32, 32}, DType::BFloat16};
    std::vector<std::byte> bytes(4096);
    std::vector<float> x(32), out(64);
    const auto call = [&](const Spec& w, std::int64_t n1) {
        matmul(x.data(), 32, 1, w, bytes.data(), 0, n1, out.data(), 64);
    };
    EXPECT_THROW(call(row_major, 32), std::logic_error);
    EXPECT_THROW(call(integers, 32), std::logic_error);
    EXPECT_THROW(call(good, 33), std::logic_error);
}

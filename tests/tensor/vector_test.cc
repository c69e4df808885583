// Row arithmetic: accuracy against double precision, special values, the same bits everywhere.
#include "tensor/kernels/vector.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "tensor/kernels/targets.h"

namespace kernels = tensor::kernels;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<float> normal(std::int64_t count, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> next(0.0f, 3.0f);
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& v : values) v = next(random);
    return values;
}

std::int64_t size_of(const std::vector<float>& v) { return static_cast<std::int64_t>(v.size()); }

}  // namespace

TEST(Dot, equals_the_double_precision_sum) {
    // Every length around the step of 32, so each tail is seen.
    for (std::int64_t n = 0; n <= 130; ++n) {
        const std::vector<float> a = normal(n, 1), b = normal(n, 2);
        double sum = 0, size = 0;
        for (std::size_t i = 0; i < a.size(); ++i) {
            sum += double{a[i]} * double{b[i]};
            size += std::abs(double{a[i]} * double{b[i]});
        }
        EXPECT_NEAR(kernels::dot(a.data(), b.data(), n), sum, 1e-6 * size + 1e-30) << n;
        EXPECT_EQ(kernels::sum_of_squares(a.data(), n), kernels::dot(a.data(), a.data(), n));
    }
}

TEST(Dot, has_the_same_bits_on_avx2_and_avx512) {
    // The same input gives the same bytes out on either kind of machine.
    const std::vector<float> a = normal(1000, 3), b = normal(1000, 4);
    std::vector<float> results;
    for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
        if ((target & (HWY_SCALAR | HWY_EMU128)) != 0) continue;
        hwy::SetSupportedTargetsForTest(target);
        results.push_back(kernels::dot(a.data(), b.data(), 1000));
    }
    hwy::SetSupportedTargetsForTest(0);
    for (const float result : results) EXPECT_EQ(result, results.front());
}

TEST(Elementwise, adds_multiplies_scales_and_accumulates) {
    // 37 values: one full register and a tail on every instruction set; out may be an input.
    const std::vector<float> a = normal(37, 5), b = normal(37, 6);
    std::vector<float> sum(37), times(37), scaled(37), y = b;
    kernels::add(a.data(), b.data(), sum.data(), 37);
    kernels::multiply(a.data(), b.data(), times.data(), 37);
    kernels::scale(0.25f, a.data(), scaled.data(), 37);
    kernels::axpy(1.5f, a.data(), y.data(), 37);
    for (std::size_t i = 0; i < 37; ++i) {
        EXPECT_EQ(sum[i], a[i] + b[i]);
        EXPECT_EQ(times[i], a[i] * b[i]);
        EXPECT_EQ(scaled[i], a[i] * 0.25f);
        EXPECT_NEAR(y[i], std::fma(1.5f, a[i], b[i]), 1e-6f * (std::abs(a[i]) + std::abs(b[i])));
    }
    std::vector<float> in_place = a;
    kernels::add(in_place.data(), b.data(), in_place.data(), 37);
    EXPECT_EQ(in_place, sum);
}

TEST(Exp, is_within_a_millionth_of_the_true_value) {
    // Softmax probabilities inherit this error.
    std::vector<float> x;
    for (float v = -87.0f; v < 88.5f; v += 0.0137f) x.push_back(v);
    std::vector<float> y(x.size());
    kernels::exp(x.data(), y.data(), size_of(x));
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double exact = std::exp(double{x[i]});
        ASSERT_NEAR(y[i], exact, 1e-6 * exact) << x[i];
    }
}

TEST(Exp, ends_at_zero_infinity_and_nan) {
    // Masked scores are -infinity; a NaN must not turn into a number.
    const std::vector<float> x = {-kInfinity,
                                  -200.0f,
                                  0.0f,
                                  90.0f,
                                  1000.0f,
                                  kInfinity,
                                  std::numeric_limits<float>::quiet_NaN()};
    std::vector<float> y(x.size());
    kernels::exp(x.data(), y.data(), size_of(x));
    EXPECT_EQ(y[0], 0.0f);
    EXPECT_EQ(y[1], 0.0f);
    EXPECT_EQ(y[2], 1.0f);
    EXPECT_EQ(y[3], kInfinity);
    EXPECT_EQ(y[4], kInfinity);
    EXPECT_EQ(y[5], kInfinity);
    EXPECT_TRUE(std::isnan(y[6]));
}

TEST(Silu, follows_its_definition_and_its_limits) {
    // Far left it must go to zero, not to NaN (infinity over infinity).
    std::vector<float> x = normal(1000, 7);
    x.insert(x.end(), {-30.0f, -80.0f, 30.0f, 0.0f, -1000.0f, 1000.0f});
    std::vector<float> y(x.size());
    kernels::silu(x.data(), y.data(), size_of(x));
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double exact = double{x[i]} / (1.0 + std::exp(-double{x[i]}));
        EXPECT_NEAR(y[i], exact, 1e-6 * std::abs(exact) + 1e-37) << x[i];
    }
}

TEST(Softmax, sums_to_one_and_matches_double_precision) {
    // Large scores would overflow without subtracting the maximum.
    for (const std::int64_t n : {1, 2, 31, 33, 1000}) {
        std::vector<float> x = normal(n, 8);
        for (float& v : x) v += 500.0f;
        std::vector<float> y(x.size());
        kernels::softmax(x.data(), y.data(), n);
        double most = -1e30, total = 0, sum = 0;
        for (const float v : x) most = std::max(most, double{v});
        for (const float v : x) total += std::exp(double{v} - most);
        for (std::size_t i = 0; i < x.size(); ++i) {
            const double exact = std::exp(double{x[i]} - most) / total;
            EXPECT_NEAR(y[i], exact, 1e-6 * exact + 1e-30) << n;
            sum += y[i];
        }
        EXPECT_NEAR(sum, 1.0, 1e-6);
    }
}

TEST(Softmax, masked_scores_get_nothing) {
    // Positions after the token are -infinity; a row of nothing else has nothing to attend to.
    std::vector<float> x = {1.0f, -kInfinity, 1.0f, -kInfinity};
    kernels::softmax(x.data(), x.data(), 4);
    EXPECT_EQ(x, (std::vector<float>{0.5f, 0.0f, 0.5f, 0.0f}));
    std::vector<float> empty(5, -kInfinity);
    kernels::softmax(empty.data(), empty.data(), 5);
    EXPECT_EQ(empty, std::vector<float>(5, 0.0f));
}

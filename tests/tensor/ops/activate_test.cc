#include "tensor/ops/activate.h"

#include "tests/tensor/ops/op_case.h"

namespace tensor::testing {
namespace {

double expected(Activation activation, double x) {
    switch (activation) {
        case Activation::Silu:
            return x / (1.0 + std::exp(-x));
        case Activation::Gelu:
            return 0.5 * x * (1.0 + std::erf(x / std::sqrt(2.0)));
        case Activation::GeluTanh:
            return 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x)));
        case Activation::Relu:
            return std::max(x, 0.0);
    }
    return kAny;
}

constexpr Activation kAll[] = {Activation::Silu, Activation::Gelu, Activation::GeluTanh,
                               Activation::Relu};

// Values from -8 to 8: where the functions bend, and where they are straight.
Held wide(const Shape& shape) {
    std::vector<float> values = noise(shape, 5);
    for (float& value : values) value *= 8.0F;
    return hold(tiled(shape), values);
}

TEST(Activate, follows_the_formula_of_each_activation) {
    // 33 rows of 65: tails of every register and of the second tile.
    for (const Activation activation : kAll) {
        for (const DType dtype : {DType::Float32, DType::BFloat16, DType::BFloat8_b}) {
            check_numbers(Activate{activation, dtype}, {wide({33, 65})}, {}, [&](const auto& in) {
                Doubles y = in[0];
                for (double& value : y) value = expected(activation, value);
                return std::vector<Doubles>{y};
            });
        }
    }
}

TEST(Activate, the_two_gelus_differ_and_so_must_the_results) {
    // Taking one for the other is off by up to 5e-4: more than a float32 run allows.
    const std::vector<Held> in{wide({1, 64})};
    const std::vector<float> exact =
        run_counted(Activate{Activation::Gelu, DType::Float32}, in, {}).front().values();
    const std::vector<float> by_tanh =
        run_counted(Activate{Activation::GeluTanh, DType::Float32}, in, {}).front().values();
    float most = 0;
    for (std::size_t i = 0; i < exact.size(); ++i) {
        most = std::max(most, std::abs(exact[i] - by_tanh[i]));
    }
    EXPECT_GT(most, 1e-4F);
    EXPECT_LT(most, 1e-3F);
}

TEST(Activate, summands_must_be_summed_before_it) {
    // gelu(a + b) is not gelu(a) + gelu(b).
    const std::vector<Spec> specs{tiled({3, 96})};
    expect_split(Activate{}, specs, {kPart}, {kWhole}, {kWhole});
    check_sharded(Activate{.out = DType::Float32}, {random_held(specs[0], 1)}, {},
                  {{along(1)}, {along(1)}});
    EXPECT_EQ(work(Activate{}, specs, {}).eltwise_tiles, 3);
}

}  // namespace
}  // namespace tensor::testing

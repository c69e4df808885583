#include "tensor/ops/gated_mul.h"

#include "tests/tensor/ops/op_case.h"

namespace tensor::testing {
namespace {

TEST(GatedMul, multiplies_the_gate_by_silu_in_every_format) {
    // The product is stored in the MLP's activation format, not in that of its inputs.
    for (const DType dtype :
         {DType::Float32, DType::BFloat16, DType::BFloat8_b, DType::BFloat4_b}) {
        check_numbers(GatedMul{.out = dtype},
                      {random_held(tiled({33, 65}, DType::BFloat16), 1),
                       random_held(tiled({33, 65}, DType::BFloat8_b), 2)},
                      {}, [](const auto& in) {
                          Doubles y = in[0];
                          for (std::size_t i = 0; i < y.size(); ++i) {
                              y[i] = y[i] / (1.0 + std::exp(-y[i])) * in[1][i];
                          }
                          return std::vector<Doubles>{y};
                      });
    }
}

TEST(GatedMul, takes_the_activation_it_is_given) {
    // Gemma's gate is a gelu; a silu there is plausible nonsense.
    check_numbers(GatedMul{Activation::GeluTanh, DType::Float32},
                  {random_held(tiled({33, 65}), 1), random_held(tiled({33, 65}), 2)}, {},
                  [](const auto& in) {
                      Doubles y = in[0];
                      for (std::size_t i = 0; i < y.size(); ++i) {
                          const double cubic = y[i] + 0.044715 * y[i] * y[i] * y[i];
                          const double tanh = std::tanh(std::sqrt(2.0 / M_PI) * cubic);
                          y[i] = 0.5 * y[i] * (1.0 + tanh) * in[1][i];
                      }
                      return std::vector<Doubles>{y};
                  });
}

TEST(GatedMul, summands_must_be_summed_before_the_gate) {
    // silu(a + b) is not silu(a) + silu(b).
    const std::vector<Spec> specs{tiled({1, 96}), tiled({1, 96})};
    expect_split(GatedMul{}, specs, {kPart, kPart}, {kWhole, kWhole}, {kWhole});
    expect_split(GatedMul{}, specs, {along(1), kPart}, {along(1), along(1)}, {along(1)});
    expect_split(GatedMul{}, specs, {along(1), kWhole}, {kWhole, kWhole}, {kWhole});
    check_sharded(GatedMul{}, {random_held(specs[0], 1), random_held(specs[1], 2)}, {},
                  {{along(1), along(1)}, {along(1)}});
}

TEST(GatedMul, unequal_shapes_are_named) {
    // w1 and w3 of different widths are a broken checkpoint.
    EXPECT_EQ(infer_error(GatedMul{}, {tiled({1, 96}), tiled({1, 64})}),
              "GatedMul: b: expected [1, 96], got [1, 64]");
}

}  // namespace
}  // namespace tensor::testing

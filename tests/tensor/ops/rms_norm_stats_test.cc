#include "tensor/ops/rms_norm_stats.h"

#include "tests/tensor/ops/op_case.h"

namespace tensor::testing {
namespace {

TEST(RmsNormStats, puts_the_sum_of_squares_in_the_first_of_32_columns) {
    // One tile column per chip is what the distributed norm gathers.
    for (const DType dtype : {DType::Float32, DType::BFloat16}) {
        check_numbers(RmsNormStats{dtype}, {random_held(tiled({33, 33}), 1)}, {},
                      [](const auto& in) {
                          Doubles y(33 * 32, 0.0);
                          for (std::size_t i = 0; i < in[0].size(); ++i) {
                              y[i / 33 * 32] += in[0][i] * in[0][i];
                          }
                          return std::vector<Doubles>{y};
                      });
    }
}

TEST(RmsNormStats, parts_of_the_columns_give_statistics_side_by_side) {
    // The gathered statistics are [rows, 32 n], not a sum.
    const std::vector<Spec> specs{tiled({5, 96})};
    expect_split(RmsNormStats{}, specs, {along(1)}, {along(1)}, {along(1)});
    expect_split(RmsNormStats{}, specs, {kPart}, {kWhole}, {kWhole});
    const Held x = random_held(specs[0], 1);
    check_sharded(RmsNormStats{}, {x}, {}, {{kWhole}, {kWhole}});
}

TEST(RmsNormStats, wants_a_matrix) {
    // Heads have their own norm.
    EXPECT_EQ(infer_error(RmsNormStats{}, {tiled({2, 5, 96})}),
              "RmsNormStats: x: expected 2 axes, got [2, 5, 96]");
}

}  // namespace
}  // namespace tensor::testing

#include "tensor/ops/sum_parts.h"

#include "tests/tensor/ops/op_case.h"

namespace tensor::testing {
namespace {

TEST(SumParts, sums_gathered_summands_in_order) {
    // The local half of an all-reduce on a 2-D mesh.
    for (const DType dtype : {DType::Float32, DType::BFloat16, DType::BFloat8_b}) {
        check_numbers(SumParts{dtype}, {random_held(tiled({3, 33, 40}, DType::BFloat8_b), 1)}, {},
                      [](const auto& in) {
                          Doubles y(33 * 40, 0.0);
                          for (std::size_t i = 0; i < in[0].size(); ++i)
                              y[i % y.size()] += in[0][i];
                          return std::vector<Doubles>{y};
                      });
    }
}

TEST(SumParts, columns_sum_by_themselves) {
    // The parts axis is gone afterwards: axis 2 becomes axis 1.
    const Held x = random_held(tiled({4, 5, 96}), 1);
    check_sharded(SumParts{DType::BFloat16}, {x}, {}, {{along(2)}, {along(1)}});
    expect_split(SumParts{}, {x.spec}, {along(0)}, {kWhole}, {kWhole});
    EXPECT_EQ(infer_error(SumParts{}, {tiled({5, 96})}),
              "SumParts: x: expected 3 axes, got [5, 96]");
}

}  // namespace
}  // namespace tensor::testing

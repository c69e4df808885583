#include "tensor/ops/add_bias.h"

#include "tests/tensor/ops/op_case.h"

namespace tensor::testing {
namespace {

Spec vector_of(std::int64_t n) { return {{n}, DType::Float32, Layout::RowMajor}; }

TEST(AddBias, adds_the_same_row_to_every_row) {
    // 33 columns: the bias ends inside a tile.
    const Held x = random_held(tiled({5, 33}, DType::BFloat16), 1);
    const Held bias = random_held(vector_of(33), 2);
    check_numbers(AddBias{}, {x, bias}, {}, [](const auto& in) {
        auto sum = in;
        sum.resize(1);
        for (std::size_t i = 0; i < sum[0].size(); ++i) sum[0][i] += in[1][i % 33];
        return sum;
    });
    const std::vector<Spec> specs{x.spec, bias.spec};
    EXPECT_EQ(work(AddBias{}, specs, {}).eltwise_tiles, 2);
}

TEST(AddBias, columns_and_rows_are_sharded_with_the_bias_or_without) {
    // Columns of the bias go with columns of x; users keep the whole bias.
    const Held x = random_held(tiled({6, 96}), 1);
    const Held bias = random_held(vector_of(96), 2);
    check_sharded(AddBias{}, {x, bias}, {}, {{along(1), along(0)}, {along(1)}});
    check_sharded(AddBias{}, {x, bias}, {}, {{along(0), Placement::replicated()}, {along(0)}});
    EXPECT_NE(infer_error(AddBias{}, {tiled({6, 96}), vector_of(95)}), "");
}

}  // namespace
}  // namespace tensor::testing

#include "tensor/ops/concat.h"

#include "tests/tensor/ops/op_case.h"

namespace tensor::testing {
namespace {

TEST(Concat, puts_columns_side_by_side) {
    // The splits of an LM head: widths need not be whole tiles.
    const Held a = random_held(tiled({3, 64}, DType::BFloat16), 1);
    const Held b = random_held(tiled({3, 33}, DType::BFloat16), 2);
    const std::vector<Spec> specs{a.spec, b.spec};
    EXPECT_EQ(infer(Concat{}, specs)[0].shape, (Shape{3, 97}));
    const auto out = check_numbers(Concat{}, {a, b}, {}, [](const auto& in) {
        auto joined = in;
        joined.resize(1);
        joined[0].clear();
        for (std::size_t row = 0; row < 3; ++row) {
            const auto left = in[0].begin() + static_cast<std::ptrdiff_t>(row * 64);
            const auto right = in[1].begin() + static_cast<std::ptrdiff_t>(row * 33);
            joined[0].insert(joined[0].end(), left, left + 64);
            joined[0].insert(joined[0].end(), right, right + 33);
        }
        return joined;
    });
    EXPECT_EQ(out[0].spec.shape, (Shape{3, 97}));
    EXPECT_EQ(work(Concat{}, specs, {}).eltwise_tiles, 2 + 2);
}

TEST(Concat, parts_with_other_rows_or_too_many_parts_are_refused) {
    // Rows are users or positions: all parts have the same.
    EXPECT_EQ(infer_error(Concat{}, {tiled({4, 32}), tiled({5, 32})}).substr(0, 6), "Concat");
    EXPECT_NE(infer_error(Concat{}, std::vector<Spec>(65, tiled({4, 32}))), "");
}

}  // namespace
}  // namespace tensor::testing

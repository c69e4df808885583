#include "tensor/ops/merge_rows.h"

#include "tests/tensor/ops/op_case.h"

namespace tensor::testing {
namespace {

TEST(MergeRows, drops_the_padding_between_gathered_parts) {
    // 4 parts of 8 users are 4 tile rows; merged they are one.
    const Held x = random_held(tiled({4, 8, 40}, DType::BFloat16), 1);
    const auto out = check_numbers(MergeRows{}, {x}, {}, [](const auto& in) { return in; });
    EXPECT_EQ(out[0].spec.shape, (Shape{32, 40}));
    const std::vector<Spec> specs{x.spec};
    // [32, 128] x [128, 40]: one tile row times four times two tiles.
    EXPECT_EQ(work(MergeRows{}, specs, {}).tile_products, 8);
}

TEST(MergeRows, columns_merge_by_themselves) {
    // Axis 2 becomes axis 1.
    const Held x = random_held(tiled({4, 5, 96}), 1);
    check_sharded(MergeRows{}, {x}, {}, {{along(2)}, {along(1)}});
    EXPECT_EQ(infer_error(MergeRows{}, {tiled({5, 96})}),
              "MergeRows: x: expected 3 axes, got [5, 96]");
}

}  // namespace
}  // namespace tensor::testing

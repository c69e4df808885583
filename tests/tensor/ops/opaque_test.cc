#include "tensor/ops/opaque.h"

#include "tests/tensor/ops/op_case.h"

namespace tensor::testing {
namespace {

TEST(Opaque, has_the_rows_of_its_first_input_and_a_fraction_of_its_columns) {
    // 5 rows of 96 columns by 2/3; the second input is not looked at.
    const Opaque op{"delta rule", 2, 3};
    const std::vector<Spec> in{tiled({5, 96}, DType::BFloat16), tiled({7, 7})};
    EXPECT_EQ(infer(op, in), (Specs{tiled({5, 64}, DType::BFloat16)}));
    const std::vector<Spec> heads{tiled({5, 3, 96})};
    EXPECT_EQ(infer(op, heads), (Specs{tiled({5, 3, 64})}));
    const std::string error = infer_error(op, {tiled({5, 95})});
    EXPECT_NE(error.find("delta rule"), error.npos) << error;
    EXPECT_NE(infer_error(op, {}), "");
}

TEST(Opaque, shards_have_the_same_fraction_of_their_columns) {
    // The attributes hold on one device and on each chip's part alike.
    const Opaque op{"delta rule", 2, 3};
    const Spec whole = infer(op, std::vector<Spec>{tiled({5, 96})}).front();
    const Spec part = infer(op, std::vector<Spec>{tiled({5, 48})}).front();
    EXPECT_EQ(part.shape[1] * 2, whole.shape[1]);
}

TEST(Opaque, passes_on_where_its_first_input_is_and_sums_what_is_partial) {
    // Weights and caches among the others are never asked to move.
    const Opaque op{"delta rule", 1, 1};
    const std::vector<Spec> in{tiled({5, 96}), tiled({96})};
    const auto placed = [&](Placement x, Placement other) {
        const std::vector<Placement> both{x, other};
        return split(op, in, both);
    };
    const Split sharded = placed(along(1), along(0));
    EXPECT_EQ(sharded.inputs, (std::vector<Placement>{along(1), along(0)}));
    EXPECT_EQ(sharded.outputs, (std::vector<Placement>{along(1)}));
    const Split summed = placed(kPart, kWhole);
    EXPECT_EQ(summed.inputs, (std::vector<Placement>{kWhole, kWhole}));
    EXPECT_EQ(summed.outputs, (std::vector<Placement>{kWhole}));
}

TEST(Opaque, counts_nothing_and_cannot_be_run) {
    // Plausible numbers would be worse than none.
    const Opaque op{"delta rule", 1, 1};
    Held x = random_held(tiled({5, 32}), 1);
    Held y = garbage(x.spec);
    const std::vector<Spec> specs{x.spec};
    const Work counted = work(op, specs, {});
    EXPECT_EQ(counted.multiply_adds + counted.tile_products + counted.eltwise_tiles, 0);
    EXPECT_EQ(counted.bytes_read().value + counted.bytes_written().value, 0);
    const std::vector<View> in{x.view()};
    const std::vector<View> out{y.view()};
    Counters counters;
    try {
        run(op, in, out, {}, counters);
        FAIL() << "an opaque op ran";
    } catch (const core::Error& error) {
        EXPECT_NE(std::string(error.what()).find("delta rule"), std::string::npos);
    }
}

}  // namespace
}  // namespace tensor::testing

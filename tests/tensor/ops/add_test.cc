#include "tensor/ops/add.h"

#include "tests/tensor/ops/op_case.h"

namespace tensor::testing {
namespace {

TEST(Add, sums_in_the_dtype_of_a) {
    // The residual stream keeps its format whatever the block's output was stored in.
    for (const DType dtype : {DType::Float32, DType::BFloat16, DType::BFloat8_b}) {
        const Spec a = tiled({33, 33}, dtype);
        const auto out = check_numbers(Add{}, {random_held(a, 1), random_held(tiled({33, 33}), 2)},
                                       {}, [](const auto& in) {
                                           Doubles y = in[0];
                                           for (std::size_t i = 0; i < y.size(); ++i)
                                               y[i] += in[1][i];
                                           return std::vector<Doubles>{y};
                                       });
        EXPECT_EQ(out[0].spec, a);
    }
}

TEST(Add, shards_and_summands_add_where_they_are) {
    // Nothing moves when both sides are cut alike, or when both are summands.
    const std::vector<Held> in{random_held(tiled({5, 96}), 1), random_held(tiled({5, 96}), 2)};
    check_sharded(Add{}, in, {}, {{along(1), along(1)}, {along(1)}});
    check_sharded(Add{}, in, {}, {{kPart, kPart}, {kPart}});
    check_sharded(Add{}, in, {}, {{kWhole, kWhole}, {kWhole}});
}

TEST(Add, a_summand_is_scattered_to_its_sharded_partner) {
    // This is where a reduce-scatter instead of an all-reduce comes from.
    const std::vector<Spec> specs{tiled({5, 96}), tiled({5, 96})};
    expect_split(Add{}, specs, {along(1), kPart}, {along(1), along(1)}, {along(1)});
    expect_split(Add{}, specs, {kPart, along(1)}, {along(1), along(1)}, {along(1)});
    expect_split(Add{}, specs, {kPart, kWhole}, {kWhole, kWhole}, {kWhole});
    expect_split(Add{}, specs, {kWhole, along(1)}, {kWhole, kWhole}, {kWhole});
    expect_split(Add{}, specs, {along(0), along(1)}, {kWhole, kWhole}, {kWhole});
}

TEST(Add, unequal_shapes_are_named) {
    // A wrong graph must say which op and which shapes.
    EXPECT_EQ(infer_error(Add{}, {tiled({5, 33}), tiled({5, 32})}),
              "Add: b: expected [5, 33], got [5, 32]");
    EXPECT_EQ(infer_error(Add{}, {tiled({5, 33})}), "Add: inputs: expected 2, got 1");
}

TEST(Add, padding_rows_are_left_alone_and_padding_tiles_are_counted) {
    // Work is in whole tiles: 33 rows of 33 columns touch four.
    Bindings bindings;
    bindings.valid_rows = 2;
    std::vector<Held> out = run_counted(
        Add{}, {random_held(tiled({33, 33}), 1), random_held(tiled({33, 33}), 2)}, bindings);
    EXPECT_EQ(out[0].values()[2 * 33], garbage(tiled({33, 33})).values()[2 * 33]);
    const std::vector<Spec> specs{tiled({33, 33}), tiled({33, 33})};
    const Work counted = work(Add{}, specs, bindings);
    EXPECT_EQ(counted.eltwise_tiles, 4);
    EXPECT_EQ(counted.bytes_read().value, 2 * 4 * 4096);
    EXPECT_EQ(counted.bytes_written().value, 4 * 4096);
}

}  // namespace
}  // namespace tensor::testing

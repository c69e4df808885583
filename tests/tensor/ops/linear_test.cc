#include "tensor/ops/linear.h"

#include "tests/tensor/ops/op_case.h"

namespace tensor::testing {
namespace {

std::vector<Doubles> product(const std::vector<Doubles>& in, std::size_t rows, std::size_t depth,
                             std::size_t cols) {
    Doubles y(rows * cols, 0.0);
    for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t c = 0; c < cols; ++c) {
            for (std::size_t k = 0; k < depth; ++k) {
                y[r * cols + c] += in[0][r * depth + k] * in[1][k * cols + c];
            }
            if (in.size() == 3) y[r * cols + c] += in[2][c];
        }
    }
    return {y};
}

TEST(Linear, multiplies_in_every_weight_format) {
    // One user, a prompt that spills into a second tile, odd depths and widths.
    for (const DType dtype :
         {DType::Float32, DType::BFloat16, DType::BFloat8_b, DType::BFloat4_b, DType::BFloat2_b}) {
        for (const std::int64_t rows : {1, 5, 33, 130}) {
            check_numbers(Linear{DType::BFloat16},
                          {random_held(tiled({rows, 65}, DType::BFloat16), 1),
                           random_held(tiled({65, 33}, dtype), 2)},
                          {}, [&](const auto& in) {
                              return product(in, static_cast<std::size_t>(rows), 65, 33);
                          });
        }
    }
}

TEST(Linear, adds_the_bias_and_stores_block_floats) {
    // Qwen2's QKV bias; lm_head and w2 outputs in bfp8.
    for (const DType out : {DType::Float32, DType::BFloat8_b}) {
        check_numbers(Linear{out},
                      {random_held(tiled({3, 40}), 1), random_held(tiled({40, 70}), 2),
                       random_held(tiled({70}, DType::BFloat16), 3)},
                      {}, [](const auto& in) { return product(in, 3, 40, 70); });
    }
}

TEST(Linear, counts_useful_products_and_whole_tiles) {
    // Five tokens of a padded prompt of 64 rows: the device multiplies all 64.
    Bindings bindings;
    bindings.valid_rows = 5;
    const std::vector<Spec> specs{tiled({64, 65}, DType::BFloat16),
                                  tiled({65, 33}, DType::BFloat8_b)};
    run_counted(Linear{}, {random_held(specs[0], 1), random_held(specs[1], 2)}, bindings);
    const Work counted = work(Linear{}, specs, bindings);
    EXPECT_EQ(counted.multiply_adds, 5 * 65 * 33);
    EXPECT_EQ(counted.tile_products, 2 * 3 * 2);
    EXPECT_EQ(counted.reads[0].value, 2 * 3 * 2048);
    EXPECT_EQ(counted.reads[1].value, 3 * 2 * 1088);
    EXPECT_EQ(counted.writes[0].value, 2 * 2 * 2048);
}

TEST(Linear, shards_by_columns_depth_and_rows) {
    // Column-parallel is exact; row-parallel leaves summands.
    const std::vector<Held> in{random_held(tiled({6, 96}), 1), random_held(tiled({96, 99}), 2)};
    check_sharded(Linear{DType::Float32}, in, {}, {{kWhole, along(1)}, {along(1)}});
    check_sharded(Linear{DType::Float32}, in, {}, {{along(1), along(0)}, {kPart}});
    check_sharded(Linear{DType::Float32}, in, {}, {{along(0), kWhole}, {along(0)}});
    std::vector<Held> with_bias = in;
    with_bias.push_back(random_held(tiled({99}), 3));
    check_sharded(Linear{DType::Float32}, with_bias, {},
                  {{kWhole, along(1), along(0)}, {along(1)}});
    check_sharded(Linear{DType::Float32}, with_bias, {}, {{along(1), along(0), kPart}, {kPart}});
}

TEST(Linear, large_products_have_the_same_bits_as_their_parts) {
    // Big enough for several threads: columns are dealt out, no sum is cut.
    const std::vector<Held> in{random_held(tiled({32, 513}), 1),
                               random_held(tiled({513, 384}, DType::BFloat8_b), 2)};
    check_sharded(Linear{DType::Float32}, in, {}, {{kWhole, along(1)}, {along(1)}, 6});
    check_sharded(Linear{DType::Float32}, in, {}, {{along(0), kWhole}, {along(0)}, 32});
}

TEST(Linear, the_weight_says_what_x_must_be) {
    // Weights never move.
    const std::vector<Spec> specs{tiled({6, 96}), tiled({96, 99}), tiled({99})};
    const std::span<const Spec> two(specs.data(), 2);
    const std::vector<Spec> no_bias(two.begin(), two.end());
    expect_split(Linear{}, no_bias, {kPart, kWhole}, {kWhole, kWhole}, {kWhole});
    expect_split(Linear{}, no_bias, {along(1), along(1)}, {kWhole, along(1)}, {along(1)});
    expect_split(Linear{}, no_bias, {kWhole, along(0)}, {along(1), along(0)}, {kPart});
    EXPECT_NE(split_error(Linear{}, no_bias, {kWhole, kPart}), "");
    // A whole bias on every chip would be added once per chip.
    EXPECT_EQ(split_error(Linear{}, specs, {along(1), along(0), kWhole}),
              "Linear: placements: expected a combination it can run on, got Sharded(1), "
              "Sharded(0), Replicated");
}

TEST(Linear, shapes_that_do_not_fit_are_named) {
    // Depth, bias length, layout.
    EXPECT_EQ(infer_error(Linear{}, {tiled({6, 96}), tiled({95, 99})}),
              "Linear: weight: expected [96, 99], got [95, 99]");
    EXPECT_EQ(infer_error(Linear{}, {tiled({6, 96}), tiled({96, 99}), tiled({98})}),
              "Linear: bias: expected [99], got [98]");
    EXPECT_EQ(
        infer_error(Linear{}, {tiled({6, 96}), {{96, 99}, DType::BFloat16, Layout::RowMajor}}),
        "Linear: weight: expected tile layout, got row-major");
}

}  // namespace
}  // namespace tensor::testing

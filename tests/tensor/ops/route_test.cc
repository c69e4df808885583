#include "tensor/ops/route.h"

#include <numeric>

#include "tests/tensor/ops/op_case.h"

namespace tensor::testing {
namespace {

using Scores = Route::Scores;

// The published formulas, row by row in double precision: scores of all, the best top_k by
// score plus correction, and what becomes of their scores.
Doubles weights(const Route& op, Doubles row, const Doubles& correction) {
    const auto softmax = [](Doubles values) {
        const double most = *std::max_element(values.begin(), values.end());
        double sum = 0;
        for (double& value : values) sum += value = std::exp(value - most);
        for (double& value : values) value /= sum;
        return values;
    };
    if (op.scores == Scores::SoftmaxThenTopK) row = softmax(row);
    if (op.scores == Scores::SigmoidThenTopK) {
        for (double& value : row) value = 1 / (1 + std::exp(-value));
    }
    std::vector<std::size_t> order(row.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return row[a] + correction[a] > row[b] + correction[b];
    });
    order.resize(static_cast<std::size_t>(op.top_k));
    Doubles chosen;
    for (const std::size_t expert : order) chosen.push_back(row[expert]);
    if (op.scores == Scores::TopKThenSoftmax) {
        chosen = softmax(chosen);
    } else if (op.normalize == Route::Normalize::Yes) {
        const double sum = std::accumulate(chosen.begin(), chosen.end(), 0.0);
        for (double& value : chosen) value /= sum;
    }
    Doubles result(row.size(), 0.0);
    for (std::size_t i = 0; i < order.size(); ++i) {
        result[order[i]] = chosen[i] * static_cast<double>(op.scale);
    }
    return result;
}

Reference reference_of(const Route& op, std::size_t experts) {
    return [op, experts](const std::vector<Doubles>& in) {
        const Doubles correction = in.size() == 2 ? in[1] : Doubles(experts, 0.0);
        Doubles all;
        for (std::size_t at = 0; at < in[0].size(); at += experts) {
            const auto from = in[0].begin() + static_cast<std::ptrdiff_t>(at);
            const Doubles row(from, from + static_cast<std::ptrdiff_t>(experts));
            const Doubles one = weights(op, row, correction);
            all.insert(all.end(), one.begin(), one.end());
        }
        return std::vector<Doubles>{all};
    };
}

Held logits(std::int64_t rows, std::int64_t experts, std::uint32_t seed = 1) {
    std::vector<float> values = noise({rows, experts}, seed);
    for (float& value : values) value *= 5.0F;
    return hold(tiled({rows, experts}), values);
}

std::int64_t chosen_of(const std::vector<float>& values) {
    return std::count_if(values.begin(), values.end(), [](float w) { return w != 0.0F; });
}

TEST(Route, weighs_as_each_published_router_does) {
    // Six experts, top 3; three, top 1; 40 experts spill into a second tile.
    for (const Scores scores :
         {Scores::SoftmaxThenTopK, Scores::TopKThenSoftmax, Scores::SigmoidThenTopK}) {
        for (const auto normalize : {Route::Normalize::No, Route::Normalize::Yes}) {
            for (const auto& [experts, top_k] : {std::pair{6, 3}, {3, 1}, {40, 8}, {1, 1}}) {
                const Route op{top_k, scores, normalize, 2.5F, DType::Float32};
                for (const std::int64_t rows : {1, 33}) {
                    check_numbers(op, {logits(rows, experts)}, {},
                                  reference_of(op, static_cast<std::size_t>(experts)));
                }
            }
        }
    }
}

TEST(Route, a_correction_changes_the_choice_and_not_the_weights) {
    // DeepSeek-V3 balances its experts by what it adds to their scores.
    Route op{2, Scores::SigmoidThenTopK, Route::Normalize::Yes, 1.0F, DType::Float32};
    const std::vector<Held> in{logits(5, 6),
                               hold({{6}, DType::Float32, Layout::RowMajor}, {0, 0, 3, 0, 2, 0})};
    const std::vector<float> got = check_numbers(op, in, {}, reference_of(op, 6)).front().values();
    for (std::size_t row = 0; row < 5; ++row) {
        EXPECT_GT(got[row * 6 + 2], 0.0F);
        EXPECT_GT(got[row * 6 + 4], 0.0F);
    }
}

TEST(Route, exactly_top_k_weights_are_not_zero) {
    // Work is counted from top_k: ties, weights that vanish, infinities and NaN must not change
    // how many experts a token has.
    constexpr float kNone = -std::numeric_limits<float>::infinity();
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const Held in = hold(tiled({4, 4}), {1, 1, 1, 1, 0, 500, 0, 0, kNone, kNone, kNone, kNone,  //
                                         nan, 2, nan, nan});
    for (const Scores scores :
         {Scores::SoftmaxThenTopK, Scores::TopKThenSoftmax, Scores::SigmoidThenTopK}) {
        for (const auto normalize : {Route::Normalize::No, Route::Normalize::Yes}) {
            const Route op{2, scores, normalize, 1.0F, DType::BFloat16};
            const std::vector<float> got = run_counted(op, {in}, {}).front().values();
            for (std::size_t row = 0; row < 4; ++row) {
                const auto from = got.begin() + static_cast<std::ptrdiff_t>(4 * row);
                EXPECT_EQ(chosen_of({from, from + 4}), 2) << row;
            }
            EXPECT_EQ(chosen_of({got[0], got[1]}), 2);  // the lower ones of equals
        }
    }
}

TEST(Route, rows_of_padding_are_left_alone) {
    // Five tokens of a padded prompt.
    Bindings bindings;
    bindings.valid_rows = 5;
    const Route op{2, Scores::SoftmaxThenTopK, Route::Normalize::Yes, 1.0F, DType::Float32};
    const std::vector<float> got = run_counted(op, {logits(33, 6)}, bindings).front().values();
    const std::vector<float> all = run_counted(op, {logits(33, 6)}, {}).front().values();
    EXPECT_TRUE(std::equal(got.begin(), got.begin() + 30, all.begin()));
    EXPECT_NE(got, all);
}

TEST(Route, a_row_is_chosen_from_as_a_whole) {
    // Rows may be dealt out, experts may not.
    const Route op{2, Scores::SoftmaxThenTopK, Route::Normalize::Yes, 1.0F, DType::Float32};
    const std::vector<Spec> specs{tiled({6, 9})};
    expect_split(op, specs, {along(1)}, {kWhole}, {kWhole});
    expect_split(op, specs, {kPart}, {kWhole}, {kWhole});
    check_sharded(op, {logits(6, 9)}, {}, {{along(0)}, {along(0)}});
}

TEST(Route, what_it_cannot_do_is_named) {
    // More chosen than there are; formats whose shared exponents lose small weights.
    EXPECT_EQ(infer_error(Route{.top_k = 4}, {tiled({1, 3})}),
              "Route: top_k: expected 1 to 3 experts, got 4");
    EXPECT_EQ(infer_error(Route{.top_k = 1, .out = DType::BFloat8_b}, {tiled({1, 3})}),
              "Route: out: expected fp32 or bf16, got bfp8");
    EXPECT_EQ(infer_error(Route{.top_k = 1}, {tiled({1, 3}), tiled({4})}),
              "Route: correction: expected [3], got [4]");
}

}  // namespace
}  // namespace tensor::testing

#include "tensor/ops/experts.h"

#include "tests/tensor/ops/op_case.h"

namespace tensor::testing {
namespace {

struct Sizes {
    std::int64_t rows = 1;
    std::int64_t experts = 6;
    std::int64_t top_k = 3;
    std::int64_t dim = 65;
    std::int64_t width = 33;
};
enum class Biases { No, Yes };

// Row r goes to the top_k experts from (5 r + r / 3) on: uneven, no expert twice.
Held routing(const Sizes& sizes) {
    std::vector<float> values(static_cast<std::size_t>(sizes.rows * sizes.experts), 0.0F);
    for (std::int64_t row = 0; row < sizes.rows; ++row) {
        for (std::int64_t i = 0; i < sizes.top_k; ++i) {
            const std::int64_t expert = (5 * row + row / 3 + i) % sizes.experts;
            values[static_cast<std::size_t>(row * sizes.experts + expert)] =
                0.25F + 0.125F * static_cast<float>((row + i) % 5);
        }
    }
    return hold(tiled({sizes.rows, sizes.experts}), values);
}

std::vector<Held> inputs(const Sizes& s, DType dtype, Biases biases = Biases::No) {
    std::vector<Held> in{random_held(tiled({s.rows, s.dim}, DType::BFloat16), 1), routing(s),
                         random_held(tiled({s.experts, s.dim, s.width}, dtype), 2),
                         random_held(tiled({s.experts, s.dim, s.width}, dtype), 3),
                         random_held(tiled({s.experts, s.width, s.dim}, dtype), 4)};
    if (biases == Biases::No) return in;
    in.push_back(random_held(tiled({s.experts, s.width}), 5));
    in.push_back(random_held(tiled({s.experts, s.width}), 6));
    in.push_back(random_held(tiled({s.experts, s.dim}), 7));
    return in;
}

Experts op_of(const Sizes& sizes, Experts::Rows rows = Experts::Rows::Chosen) {
    return {Activation::Silu, rows, sizes.experts, sizes.top_k, DType::Float32, DType::Float32};
}

// Every expert on every row, then the weights: what an expert does must not depend on the others.
Reference dense(const Sizes& s) {
    return [s](const std::vector<Doubles>& in) {
        const auto at = [](std::int64_t i) { return static_cast<std::size_t>(i); };
        const bool biased = in.size() > 5;
        Doubles y(at(s.rows * s.dim), 0.0);
        for (std::int64_t row = 0; row < s.rows; ++row) {
            for (std::int64_t e = 0; e < s.experts; ++e) {
                Doubles hidden(at(s.width));
                for (std::int64_t f = 0; f < s.width; ++f) {
                    double gate = biased ? in[5][at(e * s.width + f)] : 0.0;
                    double up = biased ? in[6][at(e * s.width + f)] : 0.0;
                    for (std::int64_t k = 0; k < s.dim; ++k) {
                        const double x = in[0][at(row * s.dim + k)];
                        gate += x * in[2][at((e * s.dim + k) * s.width + f)];
                        up += x * in[3][at((e * s.dim + k) * s.width + f)];
                    }
                    hidden[at(f)] = gate / (1.0 + std::exp(-gate)) * up;
                }
                const double weight = in[1][at(row * s.experts + e)];
                for (std::int64_t k = 0; k < s.dim; ++k) {
                    double out = biased ? in[7][at(e * s.dim + k)] : 0.0;
                    for (std::int64_t f = 0; f < s.width; ++f) {
                        out += hidden[at(f)] * in[4][at((e * s.width + f) * s.dim + k)];
                    }
                    y[at(row * s.dim + k)] += weight * out;
                }
            }
        }
        return std::vector<Doubles>{y};
    };
}

TEST(Experts, give_what_all_experts_on_all_rows_would) {
    // Six experts top 3, three top 1, one; a single token and a second tile of them.
    for (const Sizes& sizes : {Sizes{1, 6, 3}, Sizes{33, 6, 3}, Sizes{33, 3, 1}, Sizes{1, 1, 1},
                               Sizes{150, 2, 2, 32, 32}}) {
        SCOPED_TRACE(std::to_string(sizes.rows) + " of " + std::to_string(sizes.experts));
        for (const Experts::Rows rows : {Experts::Rows::Chosen, Experts::Rows::All}) {
            check_numbers(op_of(sizes, rows), inputs(sizes, DType::Float32), {}, dense(sizes));
        }
        check_numbers(op_of(sizes), inputs(sizes, DType::Float32, Biases::Yes), {}, dense(sizes));
    }
}

TEST(Experts, take_weights_in_every_format) {
    // As Linear: the stored values, float32 sums.
    const Sizes sizes{5, 3, 2};
    for (const DType dtype : {DType::BFloat16, DType::BFloat8_b, DType::BFloat4_b}) {
        check_numbers(op_of(sizes), inputs(sizes, dtype), {}, dense(sizes));
    }
}

TEST(Experts, store_the_product_between_the_matrices) {
    // A hidden format that rounds shows in the result; within its rounding, summed over the width.
    const Sizes sizes{33, 3, 2};
    Experts op = op_of(sizes);
    const std::vector<Held> in = inputs(sizes, DType::Float32);
    const std::vector<float> exact = run_counted(op, in, {}).front().values();
    op.hidden = DType::BFloat8_b;
    const std::vector<float> rounded = run_counted(op, in, {}).front().values();
    EXPECT_NE(exact, rounded);
    expect_close(hold(tiled({33, 65}), rounded), Doubles(exact.begin(), exact.end()),
                 2 * rounding(DType::BFloat8_b));
}

TEST(Experts, shards_of_the_width_are_summands) {
    // Tensor parallel: every chip has a third of every expert; odd counts of experts do not matter.
    const Sizes sizes{33, 5, 2, 64, 96};
    const Experts op = op_of(sizes);
    check_sharded(op, inputs(sizes, DType::Float32), {},
                  {{kWhole, kWhole, along(2), along(2), along(1)}, {kPart}});
    check_sharded(
        op, inputs(sizes, DType::Float32, Biases::Yes), {},
        {{kWhole, kWhole, along(2), along(2), along(1), along(1), along(1), kPart}, {kPart}});
}

TEST(Experts, shards_of_the_experts_are_summands) {
    // Expert parallel. How many rows a chip gets is known only to its bindings.
    const Sizes sizes{33, 6, 3};
    const Experts op = op_of(sizes);
    const std::vector<float> weights = routing(sizes).values();
    ShardedCase by_experts{{kWhole, along(1), along(0), along(0), along(0)}, {kPart}, 3, {}, {}};
    Bindings whole;
    whole.expert_rows.assign(6, 0);
    for (std::size_t i = 0; i < weights.size(); ++i) {
        whole.expert_rows[i % 6] += weights[i] != 0.0F ? 1 : 0;
    }
    EXPECT_NE(whole.expert_rows, std::vector<std::int64_t>(6, 99 / 6));  // not balanced
    by_experts.bindings_of = [&](std::int64_t chip) {
        Bindings own;
        own.expert_rows.assign(whole.expert_rows.begin() + 2 * chip,
                               whole.expert_rows.begin() + 2 * chip + 2);
        return own;
    };
    check_sharded(op, inputs(sizes, DType::Float32), whole, by_experts);
    by_experts.inputs.insert(by_experts.inputs.end(), 3, along(0));
    check_sharded(op, inputs(sizes, DType::Float32, Biases::Yes), whole, by_experts);
}

TEST(Experts, rows_may_be_dealt_out_where_the_weights_are_whole) {
    // Data parallel: each chip does its rows.
    const Sizes sizes{6, 3, 1};
    check_sharded(op_of(sizes), inputs(sizes, DType::Float32), {},
                  {{along(0), along(0), kWhole, kWhole, kWhole}, {along(0)}});
    const std::vector<Spec> specs = specs_of(inputs(sizes, DType::Float32));
    expect_split(op_of(sizes), specs, {along(1), kPart, kWhole, kWhole, kWhole},
                 {kWhole, kWhole, kWhole, kWhole, kWhole}, {kWhole});
    expect_split(op_of(sizes), specs, {along(1), kWhole, along(0), along(0), along(0)},
                 {kWhole, along(1), along(0), along(0), along(0)}, {kPart});
    EXPECT_NE(split_error(op_of(sizes), specs, {kWhole, kWhole, along(2), along(2), along(2)}), "");
    EXPECT_NE(split_error(op_of(sizes), specs, {kWhole, kWhole, along(1), along(1), along(1)}), "");
}

TEST(Experts, count_the_experts_that_are_reached) {
    // Mixtral's shape in small: one user reads two experts of eight, 32 users read all.
    Experts op{.experts = 8, .top_k = 2};
    const auto specs = [](std::int64_t rows, std::int64_t experts) {
        return std::vector<Spec>{
            tiled({rows, 64}), tiled({rows, experts}), tiled({experts, 64, 96}, DType::BFloat4_b),
            tiled({experts, 64, 96}, DType::BFloat4_b), tiled({experts, 96, 64}, DType::BFloat8_b)};
    };
    const Work one = work(op, specs(1, 8), {});
    EXPECT_EQ(one.multiply_adds, 2 * 3 * 64 * 96);
    EXPECT_EQ(one.tile_products, 2 * 3 * 2 * 3);
    EXPECT_EQ(one.reads[2].value, 2 * 6 * 576);
    EXPECT_EQ(one.reads[4].value, 2 * 6 * 1088);
    const Work many = work(op, specs(32, 8), {});
    EXPECT_EQ(many.multiply_adds, 32 * one.multiply_adds);
    EXPECT_EQ(many.tile_products, 4 * one.tile_products);  // 8 rows each: one tile row
    EXPECT_EQ(many.reads[2].value, 8 * 6 * 576);
    // Two experts of eight on this chip: one of them is reached by a single user.
    const Work part = work(op, specs(1, 2), {});
    EXPECT_EQ(part.reads[2].value, 1 * 6 * 576);
    EXPECT_EQ(part.multiply_adds * 4, one.multiply_adds);
    op.rows = Experts::Rows::All;
    EXPECT_EQ(work(op, specs(1, 2), {}).reads[2].value, 2 * 6 * 576);
    EXPECT_EQ(work(op, specs(1, 8), {}).multiply_adds, 4 * one.multiply_adds);
}

TEST(Experts, count_what_the_step_knows) {
    // 40 rows to one expert, none to the next: two tile rows of one expert's weights.
    const Experts op{.experts = 4, .top_k = 1};
    const std::vector<Spec> specs{tiled({64, 32}), tiled({64, 2}), tiled({2, 32, 32}),
                                  tiled({2, 32, 32}), tiled({2, 32, 32})};
    Bindings bindings;
    bindings.expert_rows = {40, 0};
    const Work counted = work(op, specs, bindings);
    EXPECT_EQ(counted.multiply_adds, 40 * 3 * 32 * 32);
    EXPECT_EQ(counted.tile_products, 2 * 3);
    EXPECT_EQ(counted.reads[2].value, 4096);
}

TEST(Experts, need_memory_for_the_rows_of_one_expert) {
    // At worst all rows go to one: gathered in x's format, gate and up in the hidden one.
    const Experts op{.experts = 2, .top_k = 1, .hidden = DType::BFloat8_b};
    const std::vector<Spec> specs{tiled({33, 64}, DType::BFloat16), tiled({33, 2}),
                                  tiled({2, 64, 96}), tiled({2, 64, 96}), tiled({2, 96, 64})};
    EXPECT_EQ(scratch(op, specs, {}).value, 2 * 2 * 2048 + 2 * (2 * 3 * 1088));
}

TEST(Experts, valid_rows_alone_are_computed) {
    // Five tokens of a padded prompt of 33; the device multiplies the padding too.
    const Sizes sizes{33, 6, 3};
    Bindings bindings;
    bindings.valid_rows = 5;
    const std::vector<Held> in = inputs(sizes, DType::Float32);
    const std::vector<float> some = run_counted(op_of(sizes), in, bindings).front().values();
    const std::vector<float> all = run_counted(op_of(sizes), in, {}).front().values();
    EXPECT_TRUE(std::equal(some.begin(), some.begin() + 5 * 65, all.begin()));
    EXPECT_EQ(work(op_of(sizes), specs_of(in), bindings).tile_products,
              work(op_of(sizes), specs_of(in), {}).tile_products);
}

TEST(Experts, shapes_that_do_not_fit_are_named) {
    // A router of another width, a w2 that is not w1's partner, a layer smaller than its part.
    const Sizes sizes{2, 3, 1, 64, 96};
    std::vector<Spec> specs = specs_of(inputs(sizes, DType::Float32));
    specs[1] = tiled({2, 4});
    EXPECT_EQ(infer_error(op_of(sizes), specs), "Experts: routing: expected [2, 3], got [2, 4]");
    specs[1] = tiled({2, 3});
    specs[4] = tiled({3, 64, 96});
    EXPECT_EQ(infer_error(op_of(sizes), specs),
              "Experts: w2: expected [3, 96, 64], got [3, 64, 96]");
    specs = specs_of(inputs(sizes, DType::Float32));
    EXPECT_EQ(infer_error(Experts{.experts = 2, .top_k = 1}, specs),
              "Experts: experts: expected at least the 3 of a chip and the 1 of a token, got 2");
    specs.pop_back();
    EXPECT_EQ(infer_error(op_of(sizes), specs), "Experts: inputs: expected 8, got 4");
}

}  // namespace
}  // namespace tensor::testing

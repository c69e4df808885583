#include "tensor/ops/sdpa.h"

#include <limits>

#include "tensor/ops/attention.h"
#include "tests/tensor/ops/cache_case.h"
#include "tests/tensor/ops/op_case.h"
namespace tensor::testing {
namespace {

// 6 query heads, 3 KV heads.
std::vector<Held> operands(std::int64_t rows, DType dtype, std::int64_t dim = 16) {
    return {random_held(tiled({6, rows, dim}, dtype), 1),
            random_held(tiled({3, rows, dim}, dtype), 2),
            random_held(tiled({3, rows, dim}, dtype), 3)};
}

// Rows [0, valid) the slow way; row r sees positions [max(0, r + 1 - window), r].
std::vector<Doubles> reference(const std::vector<Doubles>& in, std::int64_t rows,
                               std::int64_t valid, double scale, std::int64_t window) {
    Doubles y(in[0].size(), kAny);
    for (std::int64_t i = 0; i < 6 * rows; ++i) {
        const std::int64_t r = i % rows;
        if (r >= valid) continue;
        const std::int64_t seen = window > 0 ? std::min(window, r + 1) : r + 1;
        const std::int64_t first = i / rows / 2 * rows + r + 1 - seen;
        const auto at = [&](std::size_t operand) {
            return [&in, operand, first](std::int64_t p) {
                return &in[operand][static_cast<std::size_t>((first + p) * 16)];
            };
        };
        const Doubles one =
            attention_row(&in[0][static_cast<std::size_t>(i * 16)], 16, seen, scale, at(1), at(2));
        std::copy(one.begin(), one.end(), y.begin() + i * 16);
    }
    return {y};
}

TEST(Sdpa, is_causal) {
    // Row r sees rows 0 to r of its KV head, rows behind the last token are left alone.
    for (const auto& [rows, valid] :
         {std::pair<std::int64_t, std::int64_t>{1, 1}, {33, 33}, {200, 170}}) {
        for (const DType dtype : {DType::Float32, DType::BFloat16}) {
            Bindings bindings;
            bindings.valid_rows = valid;
            check_numbers(Sdpa{0.7F}, operands(rows, dtype), bindings, [&](const auto& in) {
                return reference(in, rows, valid, static_cast<double>(0.7F), 0);
            });
        }
    }
}

TEST(Sdpa, sees_a_window_and_nothing_before) {
    // Windows of one, within a tile, of a tile and over its edge; prompts of one tile and several
    // segments; every format a model may keep k and v in.
    for (const std::int64_t window : {1, 17, 32, 33}) {
        for (const auto& [rows, valid] :
             {std::pair<std::int64_t, std::int64_t>{1, 1}, {33, 33}, {200, 170}}) {
            for (const DType dtype :
                 {DType::Float32, DType::BFloat16, DType::BFloat8_b, DType::BFloat4_b}) {
                std::vector<Held> in = operands(rows, dtype);
                in[0] = random_held(tiled({6, rows, 16}), 1);  // keep the tolerance tight
                Bindings bindings;
                bindings.valid_rows = valid;
                check_numbers(Sdpa{0.7F, window}, in, bindings, [&](const auto& stored) {
                    return reference(stored, rows, valid, static_cast<double>(0.7F), window);
                });
            }
        }
    }
}

TEST(Sdpa, a_window_of_one_gives_the_values_themselves) {
    // Softmax over one position is 1, whatever its score.
    const std::vector<Held> in = operands(70, DType::Float32);
    const std::vector<float> got = run_counted(Sdpa{90.0F, 1}, in, {})[0].values();
    const std::vector<float> v = in[2].values();
    for (std::size_t i = 0; i < got.size(); ++i) {
        const std::size_t head = i / (70 * 16);
        ASSERT_EQ(got[i], v[head / 2 * 70 * 16 + i % (70 * 16)]) << i;
    }
}

TEST(Sdpa, a_window_no_row_fills_is_none) {
    // Bit for bit, and for every counter.
    const std::vector<Held> in = operands(150, DType::BFloat16);
    const auto specs = specs_of(in);
    const Held all = run_counted(Sdpa{0.7F}, in, {})[0];
    for (const std::int64_t window :
         {std::int64_t{150}, std::int64_t{151}, std::numeric_limits<std::int64_t>::max()}) {
        EXPECT_EQ(run_counted(Sdpa{0.7F, window}, in, {})[0].bytes, all.bytes);
        EXPECT_EQ(work(Sdpa{0.7F, window}, specs, {}).multiply_adds,
                  work(Sdpa{0.7F}, specs, {}).multiply_adds);
        EXPECT_EQ(work(Sdpa{0.7F, window}, specs, {}).tile_products,
                  work(Sdpa{0.7F}, specs, {}).tile_products);
    }
    EXPECT_NE(run_counted(Sdpa{0.7F, 149}, in, {})[0].bytes, all.bytes);
}

TEST(Sdpa, a_position_reaches_the_rows_whose_window_holds_it) {
    // A NaN at position 50 spoils rows 50 to 50 + window - 1 and changes no bit elsewhere.
    const std::vector<Held> in = operands(200, DType::Float32);
    std::vector<float> k = in[1].values();
    for (std::size_t head = 0; head < 3; ++head) k[(head * 200 + 50) * 16 + 3] = std::nanf("");
    const std::vector<Held> spoilt{in[0], hold(in[1].spec, k), in[2]};
    for (const std::int64_t window : {1, 17, 32, 33, 140}) {
        const std::vector<float> clean = run_counted(Sdpa{0.7F, window}, in, {})[0].values();
        const std::vector<float> got = run_counted(Sdpa{0.7F, window}, spoilt, {})[0].values();
        for (std::size_t i = 0; i < got.size(); ++i) {
            const auto row = static_cast<std::int64_t>(i / 16 % 200);
            if (row >= 50 && row < 50 + window) {
                ASSERT_TRUE(std::isnan(got[i])) << window << " row " << row;
            } else {
                ASSERT_EQ(got[i], clean[i]) << window << " row " << row;
            }
        }
    }
}

TEST(Sdpa, odd_head_sizes_give_the_same_as_padded_ones) {
    // Columns of zeros change no score: head_dim 20 must do what 32 does.
    const auto pad = [](const Held& from) {
        const Shape& shape = from.spec.shape;
        const std::vector<float> x = from.values();
        std::vector<float> y;
        for (std::int64_t r = 0; r < shape.rows(); ++r) {
            y.insert(y.end(), x.begin() + r * 20, x.begin() + (r + 1) * 20);
            y.insert(y.end(), 12, 0.0F);
        }
        return hold(tiled({shape[0], shape[1], 32}), y);
    };
    const std::vector<Held> in = operands(35, DType::Float32, 20);
    const Held out = run_counted(Sdpa{0.4F}, in, {})[0];
    const Held padded = run_counted(Sdpa{0.4F}, {pad(in[0]), pad(in[1]), pad(in[2])}, {})[0];
    const std::vector<float> want = padded.values();
    expect_close(pad(out), Doubles(want.begin(), want.end()), 1e-5);
}

TEST(Sdpa, heads_are_independent) {
    // Also with enough rows for several threads.
    for (const std::int64_t rows : {33, 260}) {
        check_sharded(Sdpa{0.5F}, operands(rows, DType::BFloat16, 64), {},
                      {std::vector<Placement>(3, along(0)), {along(0)}});
        check_sharded(Sdpa{0.5F, 33}, operands(rows, DType::BFloat16, 64), {},
                      {std::vector<Placement>(3, along(0)), {along(0)}});
    }
    const auto specs = specs_of(operands(5, DType::BFloat16));
    expect_split(Sdpa{}, specs, {along(0), kWhole, along(0)}, {kWhole, kWhole, kWhole}, {kWhole});
    expect_split(Sdpa{}, specs, {kPart, kPart, kPart}, {kWhole, kWhole, kWhole}, {kWhole});
}

TEST(Sdpa, counts_the_triangle) {
    // 33 rows are two tiles: three pairs of tiles per head, two products each.
    const auto specs = specs_of(operands(33, DType::BFloat16));
    Bindings bindings;
    bindings.valid_rows = 5;
    const Work counted = work(Sdpa{}, specs, bindings);
    EXPECT_EQ(counted.multiply_adds, 6 * 16 * 2 * 15);
    EXPECT_EQ(counted.tile_products, 6 * 3 * 2);
    EXPECT_EQ(counted.reads[1].value, 3 * 2 * 2048);
}

TEST(Sdpa, counts_the_band_of_a_window) {
    // 100 rows are four tiles. What the first row of a tile sees decides: with a window of 1 only
    // its own tile, with 2 to 33 the tile before as well, with 34 the one before that.
    const auto specs = specs_of(operands(100, DType::BFloat16));
    const auto counted = [&](std::int64_t window) { return work(Sdpa{1.0F, window}, specs, {}); };
    EXPECT_EQ(counted(33).multiply_adds, 6 * 16 * 2 * (33 * 34 / 2 + 67 * 33));
    EXPECT_EQ(counted(1).multiply_adds, 6 * 16 * 2 * 100);
    EXPECT_EQ(counted(1).tile_products, 2 * 6 * 4);
    EXPECT_EQ(counted(2).tile_products, 2 * 6 * (1 + 2 + 2 + 2));
    EXPECT_EQ(counted(33).tile_products, 2 * 6 * (1 + 2 + 2 + 2));
    EXPECT_EQ(counted(34).tile_products, 2 * 6 * (1 + 2 + 3 + 3));
    EXPECT_EQ(counted(34).eltwise_tiles, 6 * (1 + 2 + 3 + 3) + 6 * 4);
    EXPECT_EQ(counted(1).reads[1].value, 3 * 4 * 2048);  // every position is seen by itself
}

TEST(Sdpa, closed_forms_of_the_counts_are_the_sums_over_rows) {
    // The formulas have cases; row by row there is one. Also where a chunk starts within a tile.
    for (const std::int64_t rows : {1, 5, 32, 33, 100}) {
        for (const std::int64_t start : {0, 1, 31, 32, 33, 64, 90}) {
            for (std::int64_t window = 0; window < 240; ++window) {
                std::int64_t products = 0;
                for (std::int64_t r = 0; r < rows; ++r) {
                    const std::int64_t end = start + r + 1;
                    products += 2 * (end - detail::window_begin(end, window));
                }
                std::int64_t tiles = 0;
                for (std::int64_t r = 0; r < rows; r += 32) {
                    const std::int64_t begin = detail::window_begin(start + r + 1, window);
                    tiles += (start + r + 32 + 31) / 32 - begin / 32;
                }
                const detail::CausalRows causal{rows, start, window};
                ASSERT_EQ(detail::causal_products(causal), products)
                    << rows << " from " << start << " window " << window;
                ASSERT_EQ(detail::causal_tiles(causal), tiles)
                    << rows << " from " << start << " window " << window;
            }
        }
    }
}

TEST(Sdpa, what_does_not_fit_is_named) {
    // k of another length, heads that do not group, a window that looks ahead.
    EXPECT_EQ(infer_error(Sdpa{1.0F, -1}, specs_of(operands(5, DType::BFloat16))),
              "Sdpa: window: expected 1 position or more, or 0 for all, got -1");
    EXPECT_EQ(infer_error(Sdpa{}, {tiled({6, 5, 16}), tiled({3, 4, 16}), tiled({3, 4, 16})}),
              "Sdpa: k: expected [3, 5, 16], got [3, 4, 16]");
    EXPECT_EQ(infer_error(Sdpa{}, {tiled({5, 5, 16}), tiled({3, 5, 16}), tiled({3, 5, 16})}),
              "Sdpa: q: expected heads in multiples of 3 KV heads, got 5");
}

}  // namespace
}  // namespace tensor::testing

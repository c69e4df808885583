#include "tensor/ops/sdpa.h"

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

TEST(Sdpa, is_causal) {
    // Row r sees rows 0 to r of its KV head, rows behind the last token are left alone.
    for (const auto& [rows, valid] :
         {std::pair<std::int64_t, std::int64_t>{1, 1}, {33, 33}, {200, 170}}) {
        for (const DType dtype : {DType::Float32, DType::BFloat16}) {
            Bindings bindings;
            bindings.valid_rows = valid;
            check_numbers(Sdpa{0.7F}, operands(rows, dtype), bindings, [&](const auto& in) {
                Doubles y(in[0].size(), kAny);
                for (std::int64_t i = 0; i < 6 * rows; ++i) {
                    if (i % rows >= valid) continue;
                    const std::int64_t head = i / rows / 2;
                    const auto at = [&](std::size_t operand) {
                        return [&in, operand, head, n = rows](std::int64_t p) {
                            return &in[operand][static_cast<std::size_t>((head * n + p) * 16)];
                        };
                    };
                    const Doubles one =
                        attention_row(&in[0][static_cast<std::size_t>(i * 16)], 16, i % rows + 1,
                                      static_cast<double>(0.7F), at(1), at(2));
                    std::copy(one.begin(), one.end(), y.begin() + i * 16);
                }
                return std::vector<Doubles>{y};
            });
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

TEST(Sdpa, shapes_that_do_not_fit_are_named) {
    // k of another length, heads that do not group.
    EXPECT_EQ(infer_error(Sdpa{}, {tiled({6, 5, 16}), tiled({3, 4, 16}), tiled({3, 4, 16})}),
              "Sdpa: k: expected [3, 5, 16], got [3, 4, 16]");
    EXPECT_EQ(infer_error(Sdpa{}, {tiled({5, 5, 16}), tiled({3, 5, 16}), tiled({3, 5, 16})}),
              "Sdpa: q: expected heads in multiples of 3 KV heads, got 5");
}

}  // namespace
}  // namespace tensor::testing

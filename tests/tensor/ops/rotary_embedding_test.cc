#include "tensor/ops/rotary_embedding.h"

#include "tests/tensor/ops/op_case.h"

namespace tensor::testing {
namespace {

const Spec kTable = tiled({40, 16});

// Angle of pair i at position p; the same in both columns of the pair.
std::vector<float> table(float (*f)(float)) {
    std::vector<float> out;
    for (int p = 0; p < 40; ++p) {
        for (int c = 0; c < 16; ++c) {
            out.push_back(f(static_cast<float>(p) * std::pow(100.0F, -static_cast<float>(c / 2))));
        }
    }
    return out;
}
std::vector<Held> with_tables(Held x) {
    return {std::move(x), hold(kTable, table([](float a) { return std::cos(a); })),
            hold(kTable, table([](float a) { return std::sin(a); }))};
}

// Row r of x stands at position_of(r); a complex number per pair.
std::vector<Doubles> turn(const std::vector<Doubles>& in,
                          const std::function<std::size_t(std::size_t)>& position_of) {
    Doubles y = in[0];
    for (std::size_t i = 0; i < y.size(); i += 2) {
        const std::size_t at = position_of(i / 16) * 16 + i % 16;
        const double c = in[1][at], s = in[2][at];
        y[i] = in[0][i] * c - in[0][i + 1] * s;
        y[i + 1] = in[0][i + 1] * c + in[0][i] * s;
    }
    return {y};
}

// A row of the tables for each user of x.
std::vector<Held> with_rows(Held x) {
    const std::int64_t users = x.spec.shape[0];
    const Spec rows = tiled({users, 1, 16});
    std::vector<float> angles;
    for (std::int64_t i = 0; i < users * 16; ++i)
        angles.push_back(0.3F * static_cast<float>(i / 2));
    std::vector<float> cos, sin;
    for (const float angle : angles) cos.push_back(std::cos(angle));
    for (const float angle : angles) sin.push_back(std::sin(angle));
    return {std::move(x), hold(rows, cos), hold(rows, sin)};
}

TEST(RotaryEmbedding, turns_the_heads_of_each_user_by_its_row) {
    // Five heads each, all by the same angles.
    for (const DType dtype : {DType::Float32, DType::BFloat16}) {
        check_numbers(
            RotaryEmbedding{Phase::Decode}, with_rows(random_held(tiled({3, 5, 16}, dtype), 1)), {},
            [](const auto& in) { return turn(in, [](std::size_t row) { return row / 5; }); });
    }
}

TEST(RotaryEmbedding, turns_rows_of_a_chunk_from_its_start) {
    // The second chunk of a prompt does not start at position 0.
    Bindings bindings;
    bindings.chunk_start = 6;
    check_numbers(
        RotaryEmbedding{Phase::Prefill}, with_tables(random_held(tiled({5, 34, 16}), 1)), bindings,
        [](const auto& in) { return turn(in, [](std::size_t row) { return 6 + row % 34; }); });
}

TEST(RotaryEmbedding, turns_heads_and_users_where_they_are) {
    // Rows go with the users.
    const auto in = with_rows(random_held(tiled({3, 3, 16}), 1));
    check_sharded(RotaryEmbedding{}, in, {}, {{along(1), kWhole, kWhole}, {along(1)}});
    check_sharded(RotaryEmbedding{}, in, {}, {{along(0), along(0), along(0)}, {along(0)}, 3});
    expect_split(RotaryEmbedding{}, specs_of(in), {kPart, kWhole, kWhole}, {kWhole, kWhole, kWhole},
                 {kWhole});
    const std::vector<Spec> prompt{tiled({3, 34, 16}), kTable, kTable};
    EXPECT_NE(split_error(RotaryEmbedding{Phase::Prefill}, prompt, {kWhole, along(0), kWhole}), "");
}

TEST(RotaryEmbedding, tables_of_another_width_are_named) {
    // head_dim of the config and of the table; users of the step and of its rows.
    const RotaryEmbedding prefill{Phase::Prefill};
    EXPECT_EQ(infer_error(prefill, {tiled({3, 3, 16}), tiled({40, 32}), tiled({40, 32})}),
              "RotaryEmbedding: cos: expected [40, 16], got [40, 32]");
    EXPECT_EQ(infer_error(prefill, {tiled({3, 3, 15}), tiled({40, 15}), tiled({40, 15})}),
              "RotaryEmbedding: x: expected an even head_dim, got [3, 3, 15]");
    EXPECT_EQ(
        infer_error(RotaryEmbedding{}, {tiled({3, 3, 16}), tiled({2, 1, 16}), tiled({2, 1, 16})}),
        "RotaryEmbedding: cos: expected [3, 1, 16], got [2, 1, 16]");
}

TEST(RotaryEmbedding, decode_reads_a_tile_row_for_each_user) {
    // Three users, one tile each.
    const Spec rows = tiled({3, 1, 16});
    const Work counted =
        work(RotaryEmbedding{}, std::vector<Spec>{tiled({3, 5, 16}), rows, rows}, {});
    EXPECT_EQ(counted.reads[1].value, 3 * 4096);
    EXPECT_EQ(counted.tile_products, 3);
}

}  // namespace
}  // namespace tensor::testing

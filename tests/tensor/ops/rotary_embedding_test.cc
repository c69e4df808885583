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

TEST(RotaryEmbedding, turns_each_user_by_its_position) {
    // Idle users stand at 0, where nothing turns.
    Bindings bindings;
    bindings.positions = {39, -1, 7};
    const std::size_t expected[] = {39, 0, 7};
    for (const DType dtype : {DType::Float32, DType::BFloat16}) {
        check_numbers(RotaryEmbedding{Phase::Decode},
                      with_tables(random_held(tiled({3, 5, 16}, dtype), 1)), bindings,
                      [&](const auto& in) {
                          return turn(in, [&](std::size_t row) { return expected[row / 5]; });
                      });
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
    // Every head of a row turns alike.
    Bindings bindings;
    bindings.positions = {3, 4, 5};
    const auto in = with_tables(random_held(tiled({3, 3, 16}), 1));
    const auto own = [&](std::int64_t chip) {
        Bindings one;
        one.positions = {bindings.positions[static_cast<std::size_t>(chip)]};
        return one;
    };
    check_sharded(RotaryEmbedding{}, in, bindings, {{along(1), kWhole, kWhole}, {along(1)}});
    check_sharded(RotaryEmbedding{}, in, bindings,
                  {{along(0), kWhole, kWhole}, {along(0)}, 3, own});
    expect_split(RotaryEmbedding{}, specs_of(in), {kPart, kWhole, kWhole}, {kWhole, kWhole, kWhole},
                 {kWhole});
    EXPECT_NE(split_error(RotaryEmbedding{}, specs_of(in), {kWhole, along(0), kWhole}), "");
}

TEST(RotaryEmbedding, tables_of_another_width_are_named) {
    // head_dim of the config and of the table.
    EXPECT_EQ(infer_error(RotaryEmbedding{}, {tiled({3, 3, 16}), tiled({40, 32}), tiled({40, 32})}),
              "RotaryEmbedding: cos: expected [40, 16], got [40, 32]");
    EXPECT_EQ(infer_error(RotaryEmbedding{}, {tiled({3, 3, 15}), tiled({40, 15}), tiled({40, 15})}),
              "RotaryEmbedding: x: expected an even head_dim, got [3, 3, 15]");
}

TEST(RotaryEmbedding, decode_reads_one_row_of_tiles_per_user) {
    // Three users of a table of two tile rows.
    const std::vector<Spec> specs{tiled({3, 5, 16}), kTable, kTable};
    const Work counted = work(RotaryEmbedding{}, specs, {});
    EXPECT_EQ(counted.reads[1].value, 3 * 4096);
    EXPECT_EQ(counted.tile_products, 3);
}

}  // namespace
}  // namespace tensor::testing

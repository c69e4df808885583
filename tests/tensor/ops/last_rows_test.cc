#include "tensor/ops/last_rows.h"

#include "tests/tensor/ops/op_case.h"

namespace tensor::testing {
namespace {

TEST(LastRows, takes_the_tile_of_the_last_token_and_clears_what_follows) {
    // 40 of 96 rows hold tokens: rows 32..39 are tokens, the rest of their tile is padding.
    for (const std::int64_t valid : {1, 32, 33, 40, 96}) {
        Bindings bindings;
        bindings.valid_rows = valid;
        check_numbers(LastRows{}, {random_held(tiled({96, 33}, DType::BFloat16), 1)}, bindings,
                      [&](const auto& in) {
                          const std::int64_t first = (valid - 1) / 32 * 32;
                          Doubles y(32 * 33, 0.0);
                          std::copy(in[0].begin() + first * 33, in[0].begin() + valid * 33,
                                    y.begin());
                          return std::vector<Doubles>{y};
                      });
    }
}

TEST(LastRows, short_inputs_stay_short) {
    // Fewer than 32 rows: all of them.
    EXPECT_EQ(run_counted(LastRows{}, {random_held(tiled({5, 33}), 1)}, {})[0].spec.shape,
              (Shape{5, 33}));
    EXPECT_EQ(infer_error(LastRows{}, {tiled({2, 5, 33})}),
              "LastRows: x: expected 2 axes, got [2, 5, 33]");
}

TEST(LastRows, columns_may_be_anywhere_rows_may_not) {
    // The last row of a shard of rows is not the last row.
    const Held x = random_held(tiled({64, 96}), 1);
    check_sharded(LastRows{}, {x}, {}, {{along(1)}, {along(1)}});
    expect_split(LastRows{}, {x.spec}, {along(0)}, {kWhole}, {kWhole});
    expect_split(LastRows{}, {x.spec}, {kPart}, {kWhole}, {kWhole});
}

}  // namespace
}  // namespace tensor::testing

#include "tensor/ops/fill_cache.h"

#include "tests/tensor/ops/cache_case.h"
#include "tests/tensor/ops/op_case.h"
namespace tensor::testing {
namespace {

// 2 users, 3 blocks of 32 positions, 3 KV heads of 16; chunks of 40 rows.
const Spec kCache = tiled({6, 3, 32, 16}, DType::BFloat8_b);
const Spec kX = tiled({3, 40, 16}, DType::BFloat8_b);

Bindings chunk(std::int32_t user) {
    Bindings bindings;
    bindings.user = user;
    bindings.valid_rows = 37;
    bindings.chunk_start = 32;
    bindings.page_table = scattered(2, 3, 32);
    return bindings;
}

TEST(FillCache, writes_the_valid_rows_of_a_chunk_across_blocks) {
    // Rows that hold no token stay out of the cache.
    const Bindings bindings = chunk(1);
    check_numbers(
        FillCache{}, {random_held(kCache, 1), random_held(kX, 2)}, bindings, [&](const auto& in) {
            Doubles y = in[0];
            for (std::int64_t h = 0; h < 3; ++h) {
                for (std::int64_t r = 0; r < 37; ++r) {
                    const std::size_t at = cache_at(kCache, bindings.page_table, 1, 32 + r, h);
                    for (std::size_t c = 0; c < 16; ++c) {
                        y[at + c] = in[1][static_cast<std::size_t>(h * 40 + r) * 16 + c];
                    }
                }
            }
            return std::vector<Doubles>{y};
        });
}

TEST(FillCache, a_user_of_another_chip_costs_and_changes_nothing) {
    // Both ways to say so: no slot, and no blocks.
    Bindings no_blocks = chunk(1);
    for (std::int32_t& block : no_blocks.page_table.blocks) block = -1;
    for (const Bindings& bindings : {chunk(-1), no_blocks}) {
        const Held before = random_held(kCache, 1);
        EXPECT_EQ(run_counted(FillCache{}, {before, random_held(kX, 2)}, bindings)[0].bytes,
                  before.bytes);
        const std::vector<Spec> specs{kCache, kX};
        EXPECT_EQ(work(FillCache{}, specs, bindings).bytes_written().value, 0);
    }
}

TEST(FillCache, moves_whole_tiles_of_valid_rows) {
    // 37 rows are two tiles per head.
    const std::vector<Spec> specs{kCache, kX};
    EXPECT_EQ(work(FillCache{}, specs, chunk(1)).writes[0].value, 3 * 2 * 1088);
    EXPECT_EQ(work(FillCache{}, specs, chunk(1)).reads[0].value, 0);
}

TEST(FillCache, heads_and_users_of_a_sharded_cache) {
    // Sharded by users, only the chip that has the user writes.
    const std::vector<Held> in{random_held(kCache, 1), random_held(kX, 2)};
    check_sharded(FillCache{}, in, chunk(1), {{along(1), along(0)}, {along(1)}});
    Bindings whole = chunk(1);
    whole.page_table.blocks = {0, 1, 2, 3, 4, 5};
    const auto own = [&](std::int64_t chip) {
        Bindings one = whole;
        one.user = chip == 1 ? 0 : -1;
        one.page_table.blocks = {0, 1, 2};
        return one;
    };
    check_sharded(FillCache{}, in, whole, {{along(0), kWhole}, {along(0)}, 2, own});
    expect_split(FillCache{}, specs_of(in), {kWhole, along(0)}, {kWhole, kWhole}, {kWhole});
}

TEST(FillCache, other_head_sizes_are_named) {
    // x and cache must come of the same heads.
    EXPECT_EQ(infer_error(FillCache{}, {kCache, tiled({3, 40, 32})}),
              "FillCache: cache: expected [6, 3, 32, 32], got [6, 3, 32, 16]");
}

}  // namespace
}  // namespace tensor::testing

#include "tensor/ops/chunked_sdpa.h"

#include "tests/tensor/ops/cache_case.h"
#include "tests/tensor/ops/op_case.h"
namespace tensor::testing {
namespace {

// 2 users, 5 blocks of 32 positions, 3 KV heads, 6 query heads; chunks of 40 rows from 64.
const Spec kQ = tiled({6, 40, 16});
const Spec kCache = tiled({10, 3, 32, 16}, DType::BFloat8_b);

Bindings chunk(std::int32_t user) {
    Bindings bindings;
    bindings.user = user;
    bindings.valid_rows = 35;
    bindings.chunk_start = 64;
    bindings.page_table = scattered(2, 5, 32);
    return bindings;
}
std::vector<Held> operands() {
    return {random_held(kQ, 1), random_held(kCache, 2), random_held(kCache, 3)};
}

TEST(ChunkedSdpa, attends_over_earlier_chunks_and_its_own) {
    // Row r of the chunk sees positions 0 to 64 + r of its user.
    const Bindings bindings = chunk(1);
    check_numbers(ChunkedSdpa{0.9F}, operands(), bindings, [&](const auto& in) {
        Doubles y(in[0].size(), kAny);
        for (std::int64_t i = 0; i < 6 * 40; ++i) {
            if (i % 40 >= 35) continue;
            const auto at = [&](std::size_t operand) {
                return [&, operand](std::int64_t p) {
                    return &in[operand][cache_at(kCache, bindings.page_table, 1, p, i / 40 / 2)];
                };
            };
            const Doubles one =
                attention_row(&in[0][static_cast<std::size_t>(i * 16)], 16, 64 + i % 40 + 1,
                              static_cast<double>(0.9F), at(1), at(2));
            std::copy(one.begin(), one.end(), y.begin() + i * 16);
        }
        return std::vector<Doubles>{y};
    });
}

TEST(ChunkedSdpa, first_chunk_is_the_same_as_prompt_attention) {
    // Chunking is a way to run, not another model: the bits agree once k and v are in the cache.
    const Spec kv = tiled({3, 40, 16}, DType::BFloat8_b);
    const std::vector<Held> prompt{random_held(kQ, 1), random_held(kv, 2), random_held(kv, 3)};
    Bindings bindings = chunk(1);
    bindings.chunk_start = 0;
    const Held k = run_counted(FillCache{}, {random_held(kCache, 4), prompt[1]}, bindings)[0];
    const Held v = run_counted(FillCache{}, {random_held(kCache, 5), prompt[2]}, bindings)[0];
    EXPECT_EQ(run_counted(ChunkedSdpa{0.3F}, {prompt[0], k, v}, bindings)[0].bytes,
              run_counted(Sdpa{0.3F}, prompt, bindings)[0].bytes);
}

TEST(ChunkedSdpa, gives_zeros_where_the_user_is_not) {
    // So that the sum over the chips is the user's own.
    const auto out = run_counted(ChunkedSdpa{}, operands(), chunk(-1));
    EXPECT_EQ(out[0].values()[0], 0.0F);
    EXPECT_EQ(out[0].values()[34 * 16], 0.0F);
    const std::vector<Spec> specs{kQ, kCache, kCache};
    const Work counted = work(ChunkedSdpa{}, specs, chunk(-1));
    EXPECT_EQ(counted.multiply_adds, 0);
    EXPECT_EQ(counted.reads[1].value, 0);
}

TEST(ChunkedSdpa, heads_and_users_of_a_sharded_cache) {
    // By users: q is whole everywhere and the outputs are summands.
    check_sharded(ChunkedSdpa{}, operands(), chunk(0),
                  {{along(0), along(1), along(1)}, {along(0)}});
    Bindings whole = chunk(1);
    for (std::size_t i = 0; i < 10; ++i) whole.page_table.blocks[i] = static_cast<std::int32_t>(i);
    whole.valid_rows = 0;
    const auto own = [&](std::int64_t chip) {
        Bindings one = whole;
        one.user = chip == 1 ? 0 : -1;
        one.page_table.blocks = {0, 1, 2, 3, 4};
        return one;
    };
    check_sharded(ChunkedSdpa{}, operands(), whole,
                  {{kWhole, along(0), along(0)}, {kPart}, 2, own});
}

TEST(ChunkedSdpa, counts_what_its_rows_see) {
    // 35 rows from 64: 64 each, and a triangle; the device runs 2 tiles of rows.
    const std::vector<Spec> specs{kQ, kCache, kCache};
    const Work counted = work(ChunkedSdpa{}, specs, chunk(1));
    EXPECT_EQ(counted.multiply_adds, 6 * 16 * 2 * (35 * 64 + 35 * 36 / 2));
    EXPECT_EQ(counted.tile_products, 6 * 2 * (2 * 2 + 3));
    EXPECT_EQ(counted.reads[1].value, 3 * 4 * 1088);
}

TEST(ChunkedSdpa, shapes_that_do_not_fit_are_named) {
    // The cache has its own axes.
    EXPECT_EQ(infer_error(ChunkedSdpa{}, {kQ, tiled({3, 40, 16}), tiled({3, 40, 16})}),
              "ChunkedSdpa: k: expected 4 axes, got [3, 40, 16]");
}

}  // namespace
}  // namespace tensor::testing

#include "tensor/ops/chunked_sdpa.h"

#include <limits>

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

// The slow way: rows [0, 35) of user 1, who is at `start`.
std::vector<Doubles> reference(const std::vector<Doubles>& in, const Bindings& bindings,
                               double scale, std::int64_t window) {
    Doubles y(in[0].size(), kAny);
    for (std::int64_t i = 0; i < 6 * 40; ++i) {
        if (i % 40 >= 35) continue;
        const std::int64_t end = bindings.chunk_start + i % 40 + 1;
        const std::int64_t seen = window > 0 ? std::min(window, end) : end;
        const auto at = [&, i, end, seen](std::size_t operand) {
            return [&, i, end, seen, operand](std::int64_t p) {
                return &in[operand]
                          [cache_at(kCache, bindings.page_table, 1, end - seen + p, i / 40 / 2)];
            };
        };
        const Doubles one =
            attention_row(&in[0][static_cast<std::size_t>(i * 16)], 16, seen, scale, at(1), at(2));
        std::copy(one.begin(), one.end(), y.begin() + i * 16);
    }
    return {y};
}

// Rows [first, first + count) of every head of q [6, rows, 16].
Held rows_of(const Held& q, std::int64_t first, std::int64_t count) {
    const std::vector<float> from = q.values();
    std::vector<float> to;
    for (std::int64_t head = 0; head < 6; ++head) {
        const auto at = from.begin() + (head * q.spec.shape[1] + first) * 16;
        to.insert(to.end(), at, at + count * 16);
    }
    return hold(tiled({6, count, 16}), to);
}

// A decode step of user 1 with q [6, 1, 16] at `position`, user 0 idle -> [6, 16].
std::vector<float> decoded(const SdpaDecode& op, const Held& q, const Held& k, const Held& v,
                           std::int32_t position) {
    Bindings step = chunk(1);
    step.positions = {-1, position};
    std::vector<float> users(6 * 16, 1.0F);
    const std::vector<float> own = q.values();
    users.insert(users.end(), own.begin(), own.end());
    const std::vector<float> y =
        run_counted(op, {hold(tiled({2, 6, 16}), users), k, v}, step)[0].values();
    EXPECT_EQ(std::vector<float>(y.begin(), y.begin() + 6 * 16), std::vector<float>(6 * 16, 0.0F));
    return {y.begin() + 6 * 16, y.end()};
}

TEST(ChunkedSdpa, attends_over_earlier_chunks_and_its_own) {
    // Row r of the chunk sees positions 0 to 64 + r of its user.
    const Bindings bindings = chunk(1);
    check_numbers(ChunkedSdpa{0.9F}, operands(), bindings, [&](const auto& in) {
        return reference(in, bindings, static_cast<double>(0.9F), 0);
    });
}

TEST(ChunkedSdpa, sees_a_window_and_nothing_before) {
    // Windows inside the chunk, over its start and longer than all before; a first chunk and one
    // that starts within a tile.
    for (const std::int64_t window : {1, 17, 32, 33, 80}) {
        for (const std::int64_t start : {0, 45, 64}) {
            for (const DType dtype :
                 {DType::Float32, DType::BFloat16, DType::BFloat8_b, DType::BFloat4_b}) {
                Bindings bindings = chunk(1);
                bindings.chunk_start = start;
                const Spec cache = tiled(kCache.shape, dtype);
                check_numbers(ChunkedSdpa{0.9F, window},
                              {random_held(kQ, 1), random_held(cache, 2), random_held(cache, 3)},
                              bindings, [&](const auto& in) {
                                  return reference(in, bindings, static_cast<double>(0.9F), window);
                              });
            }
        }
    }
}

TEST(ChunkedSdpa, a_window_no_row_fills_is_none) {
    // Bit for bit, and for every counter; the last row sees 99 positions.
    const Held all = run_counted(ChunkedSdpa{0.9F}, operands(), chunk(1))[0];
    const std::vector<Spec> specs{kQ, kCache, kCache};
    const auto rows = [](const Held& held) { return rows_of(held, 0, 35).bytes; };
    for (const std::int64_t window :
         {std::int64_t{99}, std::int64_t{1000}, std::numeric_limits<std::int64_t>::max()}) {
        const ChunkedSdpa op{0.9F, window};
        EXPECT_EQ(rows(run_counted(op, operands(), chunk(1))[0]), rows(all));
        const Work counted = work(op, specs, chunk(1));
        const Work whole = work(ChunkedSdpa{0.9F}, specs, chunk(1));
        EXPECT_EQ(counted.multiply_adds, whole.multiply_adds);
        EXPECT_EQ(counted.tile_products, whole.tile_products);
        EXPECT_EQ(counted.reads, whole.reads);
    }
    EXPECT_NE(rows(run_counted(ChunkedSdpa{0.9F, 98}, operands(), chunk(1))[0]), rows(all));
}

TEST(ChunkedSdpa, what_is_before_a_window_is_not_read) {
    // Blocks that are gone from the page table would stop the run, NaNs would spread.
    const Spec cache = tiled(kCache.shape);
    const std::vector<Held> in{random_held(kQ, 1), random_held(cache, 2), random_held(cache, 3)};
    for (const std::int64_t window : {1, 17, 30}) {
        Bindings gone = chunk(1);
        gone.page_table.blocks[5 + 4] = -1;  // positions from 128: not yet
        std::vector<float> k = in[1].values();
        std::vector<float> v = in[2].values();
        for (std::int64_t p = 0; p < 64 + 1 - window; ++p) {
            for (std::int64_t i = 0; i < 3 * 16; ++i) {
                const std::size_t at = cache_at(cache, chunk(1).page_table, 1, p, i / 16);
                k[at + static_cast<std::size_t>(i % 16)] = std::nanf("");
                v[at + static_cast<std::size_t>(i % 16)] = std::nanf("");
            }
        }
        if (window == 1) gone.page_table.blocks[5 + 1] = -1;  // positions 32 to 63
        EXPECT_EQ(
            run_counted(ChunkedSdpa{0.9F, window}, {in[0], hold(cache, k), hold(cache, v)}, gone)[0]
                .bytes,
            run_counted(ChunkedSdpa{0.9F, window}, in, chunk(1))[0].bytes)
            << window;
    }
}

TEST(ChunkedSdpa, prompt_chunks_and_decode_steps_agree_to_the_bit) {
    // A model must not depend on how its prompt was cut, nor on which op saw a position.
    const Held q = random_held(tiled({6, 150, 16}), 1);
    for (const DType dtype : {DType::Float32, DType::BFloat8_b}) {
        const Spec kv = tiled({3, 150, 16}, dtype);
        const std::vector<Held> prompt{q, random_held(kv, 2), random_held(kv, 3)};
        Bindings bindings = chunk(1);
        bindings.valid_rows = 0;
        bindings.chunk_start = 0;
        const Held empty = random_held(tiled(kCache.shape, dtype), 4);
        const Held k = run_counted(FillCache{}, {empty, prompt[1]}, bindings)[0];
        const Held v = run_counted(FillCache{}, {empty, prompt[2]}, bindings)[0];
        for (const std::int64_t window : {0, 1, 17, 32, 33, 140}) {
            SCOPED_TRACE(window);
            const Held whole = run_counted(Sdpa{0.3F, window}, prompt, bindings)[0];
            for (const std::int64_t rows : {32, 40, 149}) {
                for (std::int64_t start = 0; start < 150; start += rows) {
                    const std::int64_t count = std::min(rows, 150 - start);
                    bindings.chunk_start = start;
                    const Held part = run_counted(ChunkedSdpa{0.3F, window},
                                                  {rows_of(q, start, count), k, v}, bindings)[0];
                    ASSERT_EQ(part.values(), rows_of(whole, start, count).values()) << start;
                }
            }
            for (const std::int32_t position : {0, 16, 17, 31, 32, 33, 64, 127, 128, 149}) {
                ASSERT_EQ(decoded({0.3F, window}, rows_of(q, position, 1), k, v, position),
                          rows_of(whole, position, 1).values())
                    << position;
            }
        }
    }
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
    EXPECT_EQ(run_counted(ChunkedSdpa{1.0F, 17}, operands(), chunk(-1))[0].bytes, out[0].bytes);
    EXPECT_EQ(work(ChunkedSdpa{1.0F, 17}, specs, chunk(-1)).reads[1].value, 0);
}

TEST(ChunkedSdpa, heads_and_users_of_a_sharded_cache) {
    // By users: q is whole everywhere and the outputs are summands.
    for (const std::int64_t window : {0, 17}) {
        check_sharded(ChunkedSdpa{1.0F, window}, operands(), chunk(0),
                      {{along(0), along(1), along(1)}, {along(0)}});
    }
    Bindings whole = chunk(1);
    for (std::size_t i = 0; i < 10; ++i) whole.page_table.blocks[i] = static_cast<std::int32_t>(i);
    whole.valid_rows = 0;
    const auto own = [&](std::int64_t chip) {
        Bindings one = whole;
        one.user = chip == 1 ? 0 : -1;
        one.page_table.blocks = {0, 1, 2, 3, 4};
        return one;
    };
    for (const std::int64_t window : {0, 17}) {
        check_sharded(ChunkedSdpa{1.0F, window}, operands(), whole,
                      {{kWhole, along(0), along(0)}, {kPart}, 2, own});
    }
}

TEST(ChunkedSdpa, counts_what_its_rows_see) {
    // 35 rows from 64: 64 each, and a triangle; the device runs 2 tiles of rows.
    const std::vector<Spec> specs{kQ, kCache, kCache};
    const Work counted = work(ChunkedSdpa{}, specs, chunk(1));
    EXPECT_EQ(counted.multiply_adds, 6 * 16 * 2 * (35 * 64 + 35 * 36 / 2));
    EXPECT_EQ(counted.tile_products, 6 * 2 * (2 * 2 + 3));
    EXPECT_EQ(counted.reads[1].value, 3 * 4 * 1088);
}

TEST(ChunkedSdpa, counts_what_a_window_shows) {
    // Rows from 64: a window of 33 begins at 32 for the first row, of 34 at 31; query tiles begin
    // at rows 64 and 96 and see key tiles 1 to 2 and 2 to 3, then one more each.
    const std::vector<Spec> specs{kQ, kCache, kCache};
    const auto counted = [&](std::int64_t window) {
        return work(ChunkedSdpa{1.0F, window}, specs, chunk(1));
    };
    EXPECT_EQ(counted(33).multiply_adds, 6 * 16 * 2 * 35 * 33);
    EXPECT_EQ(counted(33).tile_products, 6 * 2 * (2 + 2));
    EXPECT_EQ(counted(33).eltwise_tiles, 6 * (2 + 2) + 6 * 2);
    EXPECT_EQ(counted(33).reads[1].value, 3 * 3 * 1088);
    EXPECT_EQ(counted(34).tile_products, 6 * 2 * (3 + 3));
    EXPECT_EQ(counted(34).reads[2].value, 3 * 4 * 1088);
    EXPECT_EQ(counted(1).tile_products, 6 * 2 * (1 + 1));
    EXPECT_EQ(counted(1).reads[1].value, 3 * 2 * 1088);
    EXPECT_EQ(counted(80).multiply_adds, 6 * 16 * 2 * (16 * 64 + 16 * 17 / 2 + 19 * 80));
}

TEST(ChunkedSdpa, what_does_not_fit_is_named) {
    // The cache has its own axes; a window does not look ahead.
    EXPECT_EQ(infer_error(ChunkedSdpa{1.0F, -2}, {kQ, kCache, kCache}),
              "ChunkedSdpa: window: expected 1 position or more, or 0 for all, got -2");
    EXPECT_EQ(infer_error(ChunkedSdpa{}, {kQ, tiled({3, 40, 16}), tiled({3, 40, 16})}),
              "ChunkedSdpa: k: expected 4 axes, got [3, 40, 16]");
}

}  // namespace
}  // namespace tensor::testing

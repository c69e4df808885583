#include "tensor/ops/sdpa_decode.h"

#include <limits>

#include "tensor/ops/attention.h"
#include "tests/tensor/ops/cache_case.h"
#include "tests/tensor/ops/op_case.h"
namespace tensor::testing {
namespace {

// 3 users, 3 KV heads, 2 query heads each; 7 blocks of 40 positions per user.
Spec q_spec() { return tiled({3, 6, 16}, DType::Float32); }
Spec cache_spec(DType dtype) { return tiled({21, 3, 40, 16}, dtype); }

Bindings step(std::vector<std::int32_t> positions) {
    Bindings bindings;
    bindings.positions = std::move(positions);
    // Every block once, in another order; with 21 blocks, steps of 7 would hand out only three.
    bindings.page_table = {40, 7, {}};
    for (std::int32_t i = 0; i < 21; ++i) bindings.page_table.blocks.push_back((i * 8 + 3) % 21);
    return bindings;
}

std::vector<Held> operands(DType dtype) {
    return {random_held(q_spec(), 1), random_held(cache_spec(dtype), 2),
            random_held(cache_spec(dtype), 3)};
}

// The slow way; idle users give zeros.
std::vector<Doubles> reference(const std::vector<Doubles>& in, const Spec& cache,
                               const Bindings& bindings, double scale, std::int64_t window) {
    Doubles y(in[0].size(), 0.0);
    for (std::int64_t user = 0; user < 3; ++user) {
        const std::int64_t end = bindings.positions[static_cast<std::size_t>(user)] + 1;
        if (end == 0) continue;
        const std::int64_t seen = window > 0 ? std::min(window, end) : end;
        for (std::int64_t h = 0; h < 6; ++h) {
            const auto at = [&, user, h](std::size_t i) {
                return [&, user, h, i](std::int64_t p) {
                    return &in[i]
                              [cache_at(cache, bindings.page_table, user, end - seen + p, h / 2)];
                };
            };
            const std::size_t row = static_cast<std::size_t>(user * 6 + h) * 16;
            const Doubles one = attention_row(&in[0][row], 16, seen, scale, at(1), at(2));
            std::copy(one.begin(), one.end(), y.begin() + static_cast<std::ptrdiff_t>(row));
        }
    }
    return {y};
}

TEST(SdpaDecode, attends_over_the_pages_up_to_each_position) {
    // One position, several segments, an idle user (zeros).
    for (const DType dtype :
         {DType::Float32, DType::BFloat16, DType::BFloat8_b, DType::BFloat4_b}) {
        const Bindings bindings = step({0, -1, 278});
        const Spec cache = cache_spec(dtype);
        check_numbers(SdpaDecode{2.0F}, operands(dtype), bindings,
                      [&](const auto& in) { return reference(in, cache, bindings, 2.0, 0); });
    }
}

TEST(SdpaDecode, sees_a_window_and_nothing_before) {
    // Contexts shorter and longer than the window, windows that begin within a tile and a block.
    for (const std::int64_t window : {1, 17, 32, 33}) {
        for (const DType dtype :
             {DType::Float32, DType::BFloat16, DType::BFloat8_b, DType::BFloat4_b}) {
            for (const auto& positions : {std::vector<std::int32_t>{0, -1, 278}, {16, 32, 130}}) {
                const Bindings bindings = step(positions);
                check_numbers(SdpaDecode{2.0F, window}, operands(dtype), bindings,
                              [&](const auto& in) {
                                  return reference(in, cache_spec(dtype), bindings, 2.0, window);
                              });
            }
        }
    }
}

TEST(SdpaDecode, a_window_no_user_fills_is_none) {
    // Bit for bit, and for every counter.
    const std::vector<Held> in = operands(DType::BFloat8_b);
    const Bindings bindings = step({200, -1, 130});
    const Held all = run_counted(SdpaDecode{2.0F}, in, bindings)[0];
    for (const std::int64_t window :
         {std::int64_t{201}, std::int64_t{202}, std::numeric_limits<std::int64_t>::max()}) {
        const SdpaDecode op{2.0F, window};
        EXPECT_EQ(run_counted(op, in, bindings)[0].bytes, all.bytes);
        const Work counted = work(op, specs_of(in), bindings);
        const Work whole = work(SdpaDecode{2.0F}, specs_of(in), bindings);
        EXPECT_EQ(counted.multiply_adds, whole.multiply_adds);
        EXPECT_EQ(counted.tile_products, whole.tile_products);
        EXPECT_EQ(counted.reads, whole.reads);
    }
    EXPECT_NE(run_counted(SdpaDecode{2.0F, 200}, in, bindings)[0].bytes, all.bytes);
}

TEST(SdpaDecode, what_is_before_a_window_is_not_read) {
    // Blocks that are gone from the page table would stop the run, NaNs would spread.
    const std::vector<Held> in = operands(DType::Float32);
    const Bindings bindings = step({278, -1, 130});
    for (const std::int64_t window : {1, 17, 32, 33, 50}) {
        std::vector<float> k = in[1].values();
        std::vector<float> v = in[2].values();
        Bindings gone = bindings;
        for (const std::int64_t user : {0, 2}) {
            const std::int64_t position = bindings.positions[static_cast<std::size_t>(user)];
            const std::int64_t begin = position + 1 - window;
            for (std::int64_t p = 0; p < begin; ++p) {
                for (std::int64_t i = 0; i < 3 * 16; ++i) {
                    const std::size_t at =
                        cache_at(in[1].spec, bindings.page_table, user, p, i / 16);
                    k[at + static_cast<std::size_t>(i % 16)] = std::nanf("");
                    v[at + static_cast<std::size_t>(i % 16)] = std::nanf("");
                }
            }
            for (std::int64_t block = 1; block < begin / 40; ++block) {
                gone.page_table.blocks[static_cast<std::size_t>(user * 7 + block)] = -1;
            }
        }
        const std::vector<Held> spoilt{in[0], hold(in[1].spec, k), hold(in[2].spec, v)};
        EXPECT_EQ(run_counted(SdpaDecode{2.0F, window}, spoilt, gone)[0].values(),
                  run_counted(SdpaDecode{2.0F, window}, in, bindings)[0].values())
            << window;
    }
}

TEST(SdpaDecode, large_scores_do_not_overflow) {
    // exp(1000) is infinite; the maximum is taken out first.
    const auto out = run_counted(SdpaDecode{5000.0F}, operands(DType::Float32), step({9, 9, 9}));
    for (const float value : out[0].values()) EXPECT_LE(std::abs(value), 1.0F);
}

TEST(SdpaDecode, reads_whole_tiles_up_to_each_position) {
    // 40-position blocks are two tiles; position 84 is two whole blocks and one tile more.
    const std::vector<Spec> specs{q_spec(), cache_spec(DType::BFloat8_b),
                                  cache_spec(DType::BFloat8_b)};
    const Work counted = work(SdpaDecode{}, specs, step({0, -1, 84}));
    EXPECT_EQ(counted.multiply_adds, (1 + 85) * 6 * 16 * 2);
    EXPECT_EQ(counted.reads[1].value, 3 * (1 + 5) * 1088);
    EXPECT_EQ(counted.reads[2].value, 3 * (1 + 5) * 1088);
    EXPECT_EQ(counted.tile_products, 2 * 3 * (1 + 5));
    EXPECT_EQ(work(SdpaDecode{}, specs, step({-1, -1, -1})).reads[1].value, 0);
    // Nothing known: the whole pool.
    EXPECT_EQ(work(SdpaDecode{}, specs, {}).reads[1], specs[1].bytes());
}

TEST(SdpaDecode, reads_whole_tiles_that_a_window_touches) {
    // Tiles of user 2's sequence: positions 0-31, 32-39, 40-71, 72-79, 80-111. At position 84 a
    // window of 13 begins at 72, of 14 at 71, of 46 at 39. User 0 sees its one position.
    const std::vector<Spec> specs{q_spec(), cache_spec(DType::BFloat8_b),
                                  cache_spec(DType::BFloat8_b)};
    for (const auto& [window, tiles] : {std::pair<std::int64_t, std::int64_t>{1, 1},
                                        {5, 1},
                                        {6, 2},
                                        {13, 2},
                                        {14, 3},
                                        {33, 3},
                                        {45, 3},
                                        {46, 4},
                                        {53, 4},
                                        {54, 5},
                                        {85, 5}}) {
        const Work counted = work(SdpaDecode{1.0F, window}, specs, step({0, -1, 84}));
        EXPECT_EQ(counted.multiply_adds, (1 + window) * 6 * 16 * 2) << window;
        EXPECT_EQ(counted.reads[1].value, 3 * (1 + tiles) * 1088) << window;
        EXPECT_EQ(counted.reads[2].value, 3 * (1 + tiles) * 1088) << window;
        EXPECT_EQ(counted.tile_products, 2 * 3 * (1 + tiles)) << window;
        EXPECT_EQ(counted.eltwise_tiles, 3 * (1 + tiles) + 3) << window;
    }
    EXPECT_EQ(work(SdpaDecode{1.0F, 33}, specs, step({-1, -1, -1})).reads[1].value, 0);
    // Positions not known: the last 33 of each user's 280, blocks of 40 end with 8 rows in a tile.
    EXPECT_EQ(work(SdpaDecode{1.0F, 33}, specs, {}).reads[1].value, 3 * 3 * 2 * 1088);
}

TEST(SdpaDecode, tiles_of_a_range_are_those_that_hold_its_positions) {
    // Counted one position at a time.
    const Spec cache = cache_spec(DType::BFloat16);
    for (std::int64_t end = 1; end <= 130; ++end) {
        std::int64_t tiles = 0;
        std::int64_t last = -1;
        for (std::int64_t p = end - 1; p >= 0; --p) {
            const std::int64_t tile = p / 40 * 2 + p % 40 / 32;
            tiles += tile != last ? 1 : 0;
            last = tile;
            ASSERT_EQ(detail::cache_tiles(cache, p, end), tiles) << p << " to " << end;
        }
    }
}

TEST(SdpaDecode, heads_and_users_of_a_sharded_cache) {
    // A head's bits do not depend on how many heads its chip has.
    const std::vector<Held> in = operands(DType::BFloat8_b);
    const std::vector<Placement> heads(3, along(1)), users(3, along(0));
    check_sharded(SdpaDecode{}, in, step({200, -1, 130}), {heads, {along(1)}});
    check_sharded(SdpaDecode{1.0F, 33}, in, step({200, -1, 130}), {heads, {along(1)}});
    Bindings whole = step({200, 0, 130});
    for (std::size_t i = 0; i < 21; ++i) whole.page_table.blocks[i] = static_cast<std::int32_t>(i);
    const auto own = [&](std::int64_t chip) {
        Bindings one;
        one.positions = {whole.positions[static_cast<std::size_t>(chip)]};
        one.page_table = {40, 7, {0, 1, 2, 3, 4, 5, 6}};
        return one;
    };
    check_sharded(SdpaDecode{}, in, whole, {users, {along(0)}, 3, own});
    check_sharded(SdpaDecode{1.0F, 33}, in, whole, {users, {along(0)}, 3, own});
    expect_split(SdpaDecode{}, specs_of(in), {kPart, kWhole, kWhole}, {kWhole, kWhole, kWhole},
                 {kWhole});
    EXPECT_NE(split_error(SdpaDecode{}, specs_of(in), {kWhole, along(0), along(1)}), "");
    EXPECT_NE(split_error(SdpaDecode{}, specs_of(in), {kWhole, along(3), along(3)}), "");
}

TEST(SdpaDecode, long_contexts_on_threads_have_the_same_bits) {
    // Enough work for several threads; a user alone runs on one.
    const Spec q = tiled({4, 8, 128}, DType::BFloat16);
    const Spec cache = tiled({4, 2, 512, 128}, DType::BFloat8_b);
    const std::vector<Held> in{random_held(q, 1), random_held(cache, 2), random_held(cache, 3)};
    Bindings whole;
    whole.positions = {511, 300, 511, 7};
    whole.page_table = {512, 1, {0, 1, 2, 3}};
    const auto own = [&](std::int64_t chip) {
        Bindings one;
        one.positions = {whole.positions[static_cast<std::size_t>(chip)]};
        one.page_table = {512, 1, {0}};
        return one;
    };
    for (const std::int64_t window : {0, 450}) {
        check_sharded(SdpaDecode{0.1F, window}, in, whole,
                      {std::vector<Placement>(3, along(0)), {along(0)}, 4, own});
    }
}

TEST(SdpaDecode, what_does_not_fit_is_named) {
    // Query heads, cache axes, a window that looks ahead.
    EXPECT_EQ(infer_error(SdpaDecode{1.0F, -33}, specs_of(operands(DType::BFloat16))),
              "SdpaDecode: window: expected 1 position or more, or 0 for all, got -33");
    EXPECT_EQ(infer_error(SdpaDecode{}, {tiled({3, 5, 16}), cache_spec(DType::BFloat16),
                                         cache_spec(DType::BFloat16)}),
              "SdpaDecode: q: expected heads in multiples of 3 KV heads, got 5");
    EXPECT_EQ(infer_error(SdpaDecode{}, {q_spec(), tiled({3, 40, 16}), tiled({3, 40, 16})}),
              "SdpaDecode: k: expected 4 axes, got [3, 40, 16]");
}

}  // namespace
}  // namespace tensor::testing

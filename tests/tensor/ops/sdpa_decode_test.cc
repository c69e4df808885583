#include "tensor/ops/sdpa_decode.h"

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
    bindings.page_table = scattered(3, 7, 40);
    return bindings;
}

std::vector<Held> operands(DType dtype) {
    return {random_held(q_spec(), 1), random_held(cache_spec(dtype), 2),
            random_held(cache_spec(dtype), 3)};
}

TEST(SdpaDecode, attends_over_the_pages_up_to_each_position) {
    // One position, several segments, an idle user (zeros).
    for (const DType dtype :
         {DType::Float32, DType::BFloat16, DType::BFloat8_b, DType::BFloat4_b}) {
        const Bindings bindings = step({0, -1, 278});
        const Spec cache = cache_spec(dtype);
        check_numbers(SdpaDecode{2.0F}, operands(dtype), bindings, [&](const auto& in) {
            Doubles y(in[0].size(), 0.0);
            for (const std::int64_t user : {0, 2}) {
                for (std::int64_t h = 0; h < 6; ++h) {
                    const auto at = [&](std::size_t i) {
                        return [&, i](std::int64_t p) {
                            return &in[i][cache_at(cache, bindings.page_table, user, p, h / 2)];
                        };
                    };
                    const std::size_t row = static_cast<std::size_t>(user * 6 + h) * 16;
                    const Doubles one =
                        attention_row(&in[0][row], 16, user == 0 ? 1 : 279, 2.0, at(1), at(2));
                    std::copy(one.begin(), one.end(), y.begin() + static_cast<std::ptrdiff_t>(row));
                }
            }
            return std::vector<Doubles>{y};
        });
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

TEST(SdpaDecode, heads_and_users_of_a_sharded_cache) {
    // A head's bits do not depend on how many heads its chip has.
    const std::vector<Held> in = operands(DType::BFloat8_b);
    const std::vector<Placement> heads(3, along(1)), users(3, along(0));
    check_sharded(SdpaDecode{}, in, step({200, -1, 130}), {heads, {along(1)}});
    Bindings whole = step({200, 0, 130});
    for (std::size_t i = 0; i < 21; ++i) whole.page_table.blocks[i] = static_cast<std::int32_t>(i);
    const auto own = [&](std::int64_t chip) {
        Bindings one;
        one.positions = {whole.positions[static_cast<std::size_t>(chip)]};
        one.page_table = {40, 7, {0, 1, 2, 3, 4, 5, 6}};
        return one;
    };
    check_sharded(SdpaDecode{}, in, whole, {users, {along(0)}, 3, own});
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
    check_sharded(SdpaDecode{0.1F}, in, whole,
                  {std::vector<Placement>(3, along(0)), {along(0)}, 4, own});
}

TEST(SdpaDecode, shapes_that_do_not_fit_are_named) {
    // Query heads, cache axes.
    EXPECT_EQ(infer_error(SdpaDecode{}, {tiled({3, 5, 16}), cache_spec(DType::BFloat16),
                                         cache_spec(DType::BFloat16)}),
              "SdpaDecode: q: expected heads in multiples of 3 KV heads, got 5");
    EXPECT_EQ(infer_error(SdpaDecode{}, {q_spec(), tiled({3, 40, 16}), tiled({3, 40, 16})}),
              "SdpaDecode: k: expected 4 axes, got [3, 40, 16]");
}

}  // namespace
}  // namespace tensor::testing

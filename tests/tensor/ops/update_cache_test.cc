#include "tensor/ops/update_cache.h"

#include "tests/tensor/ops/cache_case.h"
#include "tests/tensor/ops/op_case.h"
namespace tensor::testing {
namespace {

// 3 users, 5 blocks of 8 positions each, 3 KV heads of 16.
Spec cache_spec(DType dtype) { return tiled({15, 3, 8, 16}, dtype); }
const Spec kX = tiled({3, 3, 16}, DType::BFloat16);

Bindings step(std::vector<std::int32_t> positions) {
    Bindings bindings;
    bindings.positions = std::move(positions);
    bindings.page_table = scattered(3, 5, 8);
    return bindings;
}

TEST(UpdateCache, writes_one_position_per_user_and_nothing_else) {
    // Idle users and blocks of other chips keep the cache as it was, to the bit.
    for (const DType dtype : {DType::BFloat16, DType::BFloat8_b}) {
        Bindings bindings = step({39, -1, 13});
        const Spec cache = cache_spec(dtype);
        const auto reference = [&](const std::vector<Doubles>& in) {
            Doubles y = in[0];
            for (const std::int64_t user : {0, 2}) {
                for (std::int64_t h = 0; h < 3; ++h) {
                    const std::size_t at =
                        cache_at(cache, bindings.page_table, user,
                                 bindings.positions[static_cast<std::size_t>(user)], h);
                    for (std::size_t c = 0; c < 16; ++c) {
                        y[at + c] = in[1][static_cast<std::size_t>(user * 3 + h) * 16 + c];
                    }
                }
            }
            return std::vector<Doubles>{y};
        };
        check_numbers(UpdateCache{}, {random_held(cache, 1), random_held(kX, 2)}, bindings,
                      reference);
        const Held before = random_held(cache, 1);
        bindings.positions = {-1, -1, -1};
        EXPECT_EQ(run_counted(UpdateCache{}, {before, random_held(kX, 2)}, bindings)[0].bytes,
                  before.bytes);
        bindings = step({0, 0, 0});
        for (std::int32_t& block : bindings.page_table.blocks) block = -1;
        EXPECT_EQ(run_counted(UpdateCache{}, {before, random_held(kX, 2)}, bindings)[0].bytes,
                  before.bytes);
    }
}

TEST(UpdateCache, costs_one_row_of_tiles_per_head_and_active_user) {
    // Idle users cost nothing.
    const std::vector<Spec> specs{cache_spec(DType::BFloat8_b), kX};
    EXPECT_EQ(work(UpdateCache{}, specs, step({39, -1, 13})).reads[0].value, 2 * 3 * 1088);
    EXPECT_EQ(work(UpdateCache{}, specs, step({39, -1, 13})).writes[0].value, 2 * 3 * 1088);
    EXPECT_EQ(work(UpdateCache{}, specs, step({-1, -1, -1})).writes[0].value, 0);
    EXPECT_EQ(work(UpdateCache{}, specs, {}).writes[0].value, 3 * 3 * 1088);
}

TEST(UpdateCache, heads_and_users_of_a_sharded_cache) {
    // By heads on 1-D meshes, by users along the columns of a Galaxy.
    const std::vector<Held> in{random_held(cache_spec(DType::BFloat8_b), 1), random_held(kX, 2)};
    check_sharded(UpdateCache{}, in, step({39, -1, 13}), {{along(1), along(1)}, {along(1)}});
    Bindings whole = step({39, 0, 13});
    for (std::size_t i = 0; i < 15; ++i) whole.page_table.blocks[i] = static_cast<std::int32_t>(i);
    const auto own = [&](std::int64_t chip) {
        Bindings one;
        one.positions = {whole.positions[static_cast<std::size_t>(chip)]};
        one.page_table = {8, 5, {0, 1, 2, 3, 4}};
        return one;
    };
    check_sharded(UpdateCache{}, in, whole, {{along(0), along(0)}, {along(0)}, 3, own});
    const auto specs = specs_of(in);
    expect_split(UpdateCache{}, specs, {kWhole, kPart}, {kWhole, kWhole}, {kWhole});
    expect_split(UpdateCache{}, specs, {along(1), kWhole}, {along(1), along(1)}, {along(1)});
    EXPECT_EQ(split_error(UpdateCache{}, specs, {along(2), kWhole}),
              "UpdateCache: placements: expected a combination it can run on, got Sharded(2), "
              "Replicated");
}

TEST(UpdateCache, other_heads_are_named_and_the_cache_keeps_its_format) {
    // The output is the cache itself.
    const std::vector<Spec> specs{cache_spec(DType::BFloat8_b), kX};
    EXPECT_EQ(infer(UpdateCache{}, specs), (Specs{specs[0]}));
    EXPECT_EQ(infer_error(UpdateCache{}, {specs[0], tiled({3, 2, 16})}),
              "UpdateCache: cache: expected [15, 2, 8, 16], got [15, 3, 8, 16]");
}

}  // namespace
}  // namespace tensor::testing

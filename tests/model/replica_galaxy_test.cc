// The laws of replica_test.cc that cost seconds on 32 chips.
#include "tests/model/replica_fixture.h"

namespace model::testing {
namespace {

TEST(ReplicaOnGalaxy, a_paged_cache_holds_the_same_values_as_a_contiguous_one) {
    // Each column has a pool of its own; where a position lies must not change a bit.
    Running contiguous("galaxy", "performance", demo_options(2));
    const std::vector<Logits> expected = a_short_run(contiguous);
    for (const std::int64_t block_size : {32, 64}) {
        SCOPED_TRACE(block_size);
        DeploymentOptions options = demo_options(2);
        options.block_size = block_size;
        Running paged("galaxy", "performance", options);
        EXPECT_TRUE(a_short_run(paged) == expected);
    }
}

TEST(ReplicaOnGalaxy, a_prompt_in_chunks_has_the_logits_of_one_chunk) {
    // 300 tokens as 128 + 128 + 44, tolerance as in replica_test.cc.
    DeploymentOptions options = demo_options(2, 512);
    Running whole("galaxy", "fp32", options);
    options.prefill_chunk = 128;
    Running chunked("galaxy", "fp32", options);
    const std::vector<std::int32_t> prompt = made_prompt(300);
    const Logits expected = whole.replica.prefill(1, prompt);
    EXPECT_LE(largest_difference(chunked.replica.prefill(1, prompt), expected), 6e-5);
    EXPECT_LE(largest_difference(chunked.decode({0, 77}, {-1, 300}).at(1),
                                 whole.decode({0, 77}, {-1, 300}).at(1)),
              6e-5);
}

TEST(ReplicaOnGalaxy, a_replayed_step_is_an_eager_step) {
    // 32 chips, the same bits.
    Running traced("galaxy", "performance", demo_options(2), Replica::Trace::On);
    Running eager("galaxy", "performance", demo_options(2), Replica::Trace::Off);
    EXPECT_TRUE(a_short_run(traced) == a_short_run(eager));
    EXPECT_LT(traced.replica.last_step(), eager.replica.last_step());
}

TEST(ReplicaOnGalaxy, users_with_the_same_prompt_get_the_same_logits) {
    // 5 users are 8 slots in 4 columns.
    Running run("galaxy", "performance", demo_options(5));
    const Logits first = run.replica.prefill(0, made_prompt(20));
    for (std::int64_t user = 1; user < 5; ++user) {
        EXPECT_TRUE(run.replica.prefill(user, made_prompt(20)) == first) << user;
    }
    const auto rows =
        run.decode(std::vector<std::int32_t>(5, 321), std::vector<std::int32_t>(5, 20));
    for (std::size_t user = 1; user < 5; ++user) EXPECT_TRUE(rows.at(user) == rows.at(0)) << user;
}

}  // namespace
}  // namespace model::testing

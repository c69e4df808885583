#include "model/replica.h"

#include "tests/model/replica_fixture.h"

namespace model::testing {
namespace {

TEST(Replica, logits_are_the_vocabularys_and_finite) {
    // Padded columns (131072 on a Galaxy) never reach a sampler.
    Running run("galaxy", "performance", demo_options(2));
    EXPECT_EQ(run.deployment->profile().padded_vocab, 131072);
    std::vector<Logits> rows{run.replica.prefill(0, made_prompt(5))};
    for (Logits& row : run.decode({1}, {5})) rows.push_back(std::move(row));
    EXPECT_EQ(rows.size(), 1u + 4u);  // four slots, one per column
    for (const Logits& row : rows) {
        ASSERT_EQ(row.size(), 2048u);
        EXPECT_TRUE(std::ranges::all_of(row, [](float value) { return std::isfinite(value); }));
    }
}

class ReplicaOn : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Meshes, ReplicaOn, ::testing::Values("t3k", "t3k:2x4"), mesh_text);

TEST_P(ReplicaOn, a_replayed_step_is_an_eager_step) {
    // The trace holds the same commands at the same addresses: bit for bit, and sooner.
    Running traced(GetParam(), "performance", demo_options(2), Replica::Trace::On);
    Running eager(GetParam(), "performance", demo_options(2), Replica::Trace::Off);
    EXPECT_TRUE(a_short_run(traced) == a_short_run(eager));
    EXPECT_LT(traced.replica.last_step(), eager.replica.last_step());
    EXPECT_GT(traced.replica.last_step().count(), 0);
}

TEST_P(ReplicaOn, a_paged_cache_holds_the_same_values_as_a_contiguous_one) {
    // Where a position lies must not change a bit of what is computed from it.
    Running contiguous(GetParam(), "performance", demo_options(2));
    const std::vector<Logits> expected = a_short_run(contiguous);
    for (const std::int64_t block_size : {32, 64}) {
        SCOPED_TRACE(block_size);
        DeploymentOptions options = demo_options(2);
        options.block_size = block_size;
        Running paged(GetParam(), "performance", options);
        EXPECT_EQ(paged.deployment->blocks_per_user(), 256 / block_size);
        EXPECT_TRUE(a_short_run(paged) == expected);
    }
}

TEST_P(ReplicaOn, a_prompt_in_chunks_has_the_logits_of_one_chunk) {
    // 300 tokens as 128 + 128 + 44: later chunks attend to the cache, in fp32 the same values.
    // Only sums are taken in another order: 64 x 2^-24 of logits up to 16 (agreement_test.cc).
    DeploymentOptions options = demo_options(2, 512);
    Running whole(GetParam(), "fp32", options);
    options.prefill_chunk = 128;
    Running chunked(GetParam(), "fp32", options);
    const std::vector<std::int32_t> prompt = made_prompt(300);
    const Logits expected = whole.replica.prefill(1, prompt);
    EXPECT_LE(largest_difference(chunked.replica.prefill(1, prompt), expected), 6e-5);
    // The next token sees all three chunks.
    EXPECT_LE(largest_difference(chunked.decode({0, 77}, {-1, 300}).at(1),
                                 whole.decode({0, 77}, {-1, 300}).at(1)),
              6e-5);
    // A prompt without its first token is told apart.
    std::vector<std::int32_t> other = prompt;
    other[0] = 5;
    EXPECT_GT(largest_difference(chunked.replica.prefill(0, other), expected), 0.01);
}

TEST_P(ReplicaOn, idle_slots_change_nothing) {
    // User 0's tokens must not depend on whether user 1 still runs, nor may user 1's cache change.
    Running both(GetParam(), "performance", demo_options(2));
    Running alone(GetParam(), "performance", demo_options(2));
    both.replica.prefill(0, made_prompt(40));
    alone.replica.prefill(0, made_prompt(40));
    both.replica.prefill(1, made_prompt(50, 1));
    alone.replica.prefill(1, made_prompt(50, 1));
    for (std::int32_t step = 0; step < 3; ++step) {
        const auto together = both.decode({900 + step, 800 + step}, {40 + step, 50 + step});
        const auto single = alone.decode({900 + step, 123}, {40 + step, -1});
        EXPECT_TRUE(together.at(0) == single.at(0)) << step;
    }
    // User 1 was idle for three steps; it goes on where it stood.
    for (std::int32_t step = 0; step < 3; ++step) {
        alone.decode({0, 800 + step}, {-1, 50 + step});
    }
    EXPECT_TRUE(alone.decode({0, 7}, {-1, 53}).at(1) == both.decode({0, 7}, {-1, 53}).at(1));
}

TEST_P(ReplicaOn, users_with_the_same_prompt_get_the_same_logits) {
    // Slots lie in different columns of a Galaxy and in different rows of a tile. 5 are 8 slots.
    Running run(GetParam(), "performance", demo_options(5));
    const Logits first = run.replica.prefill(0, made_prompt(20));
    for (std::int64_t user = 1; user < 5; ++user) {
        EXPECT_TRUE(run.replica.prefill(user, made_prompt(20)) == first) << user;
    }
    const auto rows =
        run.decode(std::vector<std::int32_t>(5, 321), std::vector<std::int32_t>(5, 20));
    for (std::size_t user = 1; user < 5; ++user) EXPECT_TRUE(rows.at(user) == rows.at(0)) << user;
}

TEST(Replica, hidden_states_are_kept_when_they_are_tapped) {
    // One residual stream per layer, rows x dim, without the padding of the step.
    DeploymentOptions options = demo_options(2);
    options.taps = PartitionOptions::Taps::HiddenStates;
    Running run("t3k", "fp32", options, Replica::Trace::Off);
    run.replica.prefill(0, made_prompt(33));
    ASSERT_EQ(run.replica.hidden_states().size(), 4u);
    EXPECT_EQ(run.replica.hidden_states()[0].size(), 33u * 256u);
    run.decode({1, 2}, {33, -1});
    ASSERT_EQ(run.replica.hidden_states().size(), 4u);
    EXPECT_EQ(run.replica.hidden_states()[0].size(), 2u * 256u);
}

TEST(Replica, chunked_hidden_states_are_those_of_all_chunks) {
    // A comparison with a reference needs every position, not only the last chunk's.
    DeploymentOptions options = demo_options(1, 512);
    options.taps = PartitionOptions::Taps::HiddenStates;
    options.prefill_chunk = 128;
    Running run("n300", "fp32", options, Replica::Trace::Off);
    run.replica.prefill(0, made_prompt(300));
    for (const auto& layer : run.replica.hidden_states()) EXPECT_EQ(layer.size(), 300u * 256u);
}

TEST(Replica, what_does_not_fit_is_named) {
    // A bank of 1.5 MB with 100 KB for traces: the demo model in fp32 needs 23 MB of 12 of them.
    fabric::Mesh mesh = mesh_named("n150");
    mesh.system.chip.dram.bank_bytes = core::Bytes{1'500'000};
    DeploymentOptions options = demo_options(1);
    options.device.trace_region_size = core::Bytes{100'000};
    const Running run(mesh, "fp32", options);
    EXPECT_NE(run.replica.shortage().find(": Out of Memory: Not enough space to allocate "),
              std::string::npos)
        << run.replica.shortage();
}

TEST(Replica, a_prompt_that_does_not_fit_is_an_answer) {
    // Decode fits with 8 KiB to spare in every bank, the prefill's activations (43 KiB a bank for
    // the feed-forward alone) do not: the replica says so and lives.
    fabric::Mesh mesh = mesh_named("n150");
    const auto deployment = demo_on(mesh, "fp32", demo_options(1));
    // Twice: a step that is captured begins with all programs of the first in memory.
    const std::vector<std::shared_ptr<const dispatch::Program>> decode{deployment->decode(),
                                                                       deployment->decode()};
    const dispatch::MemoryPlan plan =
        dispatch::plan_memory(decode, mesh, deployment->options().device);
    mesh.system.chip.dram.bank_bytes -= plan.dram.free / 12 - core::Bytes{8192};
    Running run(mesh, "fp32", demo_options(1));
    ASSERT_EQ(run.replica.shortage(), "");
    EXPECT_FALSE(run.decode({1}, {0}).empty()) << run.replica.shortage();
    EXPECT_TRUE(run.replica.prefill(0, made_prompt(10)).empty());
    EXPECT_NE(run.replica.shortage().find("Out of Memory: "), std::string::npos)
        << run.replica.shortage();
}

}  // namespace
}  // namespace model::testing

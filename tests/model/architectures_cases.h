// What every architecture that runs must give on a mesh; a program includes it once and says on
// which meshes (architectures_test.cc, architectures_galaxy_test.cc).
#pragma once

#include "tests/model/architectures_fixture.h"

namespace model::testing {

class Architectures : public ::testing::TestWithParam<Case> {};

TEST_P(Architectures, give_the_reference_in_fp32) {
    // Logits and every layer, with prompts around the edges of a tile.
    const auto [fixture, mesh] = GetParam();
    for (const std::int64_t prefill : {1, 33, 96}) {
        const EvaluateReport report =
            evaluated(fixture, mesh, {.evaluation = {.prefill = prefill}});
        ASSERT_EQ(report.shortage, "");
        EXPECT_EQ(report.positions, 98 - prefill);
        EXPECT_LE(report.max_abs_error, tolerance(fixture)) << prefill;
        EXPECT_LE(report.max_abs_error_hidden, 2e-3) << prefill;
    }
}

TEST_P(Architectures, chunks_and_pages_change_nothing) {
    // A prompt of 64 in chunks of 32, over pages of 32 positions.
    const auto [fixture, mesh] = GetParam();
    const EvaluateReport report =
        evaluated(fixture, mesh, {.evaluation = {.prefill = 64}, .chunk = 32, .block_size = 32});
    ASSERT_EQ(report.shortage, "");
    EXPECT_LE(report.max_abs_error, tolerance(fixture));
}

TEST_P(Architectures, every_user_of_a_staggered_batch_gives_the_reference) {
    // Slots idle at first, users at other positions in each step, pages anywhere in the pool.
    const auto [fixture, mesh] = GetParam();
    const double allowed = tolerance(fixture);
    FixtureRun starts;
    starts.evaluation = {.prefill = 90, .users = 5};
    starts.block_size = 32;
    starts.page_seed = 7;
    FixtureRun prefills;
    prefills.evaluation = {
        .prefill = 89, .users = 3, .stagger = EvaluateOptions::Stagger::Prefills};
    prefills.block_size = 64;
    for (const FixtureRun& run : {starts, prefills}) {
        const EvaluateReport report = evaluated(fixture, mesh, run);
        ASSERT_EQ(report.shortage, "");
        ASSERT_EQ(static_cast<std::int64_t>(report.users.size()), run.evaluation.users);
        for (const UserScore& user : report.users) {
            EXPECT_EQ(user.positions, 98 - user.prefill);
            EXPECT_LE(user.max_abs_error, allowed) << user.prefill;
            EXPECT_LE(user.max_abs_error_hidden, 2e-3) << user.prefill;
        }
    }
}

}  // namespace model::testing

// Thirty-two users of every architecture that runs, in one group and in two: each is where no
// other is, and each must give the reference.
#include "tests/model/architectures_fixture.h"

namespace model::testing {
namespace {

class Staggered : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Fixtures, Staggered,
                         ::testing::Values("llama3-scaled-rope", "qwen2", "qwen3",
                                           "mistral-sliding-window", "phi3-longrope", "mixtral"),
                         [](const auto& parameter) {
                             std::string name = parameter.param;
                             std::replace(name.begin(), name.end(), '-', '_');
                             return name;
                         });

FixtureRun run_of(std::int64_t users, std::int64_t groups) {
    FixtureRun run;
    run.evaluation = {.prefill = 94, .users = users};
    run.groups = groups;
    return run;
}

TEST_P(Staggered, thirty_two_users_have_the_errors_of_one) {
    // Rows of a step do not touch each other: even the rounding is that of a user alone.
    const EvaluateReport alone = evaluated(GetParam(), "n300", run_of(1, 1));
    const EvaluateReport report = evaluated(GetParam(), "n300", run_of(32, 1));
    ASSERT_EQ(report.users.size(), 32u);
    EXPECT_LE(alone.max_abs_error, tolerance(GetParam()));
    EXPECT_EQ(report.positions, 32 * alone.positions);
    for (const UserScore& user : report.users) {
        EXPECT_EQ(user.max_abs_error, alone.users[0].max_abs_error);
        EXPECT_EQ(user.max_abs_error_hidden, alone.users[0].max_abs_error_hidden);
    }
}

TEST_P(Staggered, two_groups_of_sixteen_have_the_errors_of_their_own_mesh) {
    // A group of --dp 2 on two chips is one chip, with nothing of the other group in it.
    const EvaluateReport alone = evaluated(GetParam(), "n150", run_of(1, 1));
    const EvaluateReport report = evaluated(GetParam(), "n300", run_of(16, 2));
    ASSERT_EQ(report.users.size(), 32u);
    for (const UserScore& user : report.users) {
        EXPECT_EQ(user.max_abs_error, alone.users[0].max_abs_error);
    }
}

TEST_P(Staggered, page_sizes_and_page_tables_change_no_value) {
    // Where a page lies is an address. Attention takes the cache in its own chunks either way.
    const EvaluateReport plain = evaluated(GetParam(), "n300", run_of(3, 1));
    for (const std::int64_t block_size : {32, 64, 128}) {
        FixtureRun paged = run_of(3, 1);
        paged.block_size = block_size;
        paged.page_seed = static_cast<std::uint64_t>(block_size);
        const EvaluateReport report = evaluated(GetParam(), "n300", paged);
        EXPECT_EQ(report.max_abs_error, plain.max_abs_error) << block_size;
        EXPECT_EQ(report.max_abs_error_hidden, plain.max_abs_error_hidden) << block_size;
    }
}

}  // namespace
}  // namespace model::testing

#include "model/generate.h"

#include <algorithm>
#include <map>

#include "tests/model/generate_fixture.h"

namespace model::testing {
namespace {

class GenerateOn : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Meshes, GenerateOn, ::testing::Values("n150", "t3k"), mesh_text);

TEST_P(GenerateOn, greedy_text_is_the_references_token_by_token) {
    // Five users at once, 64 tokens: the same ids as a float32 implementation of another hand.
    const ReferenceCases cases = reference_cases();
    const GenerateReport report = DemoFleet(GetParam(), 1, 5).run(cases.prompts, tokens_of(64));
    EXPECT_EQ(report.token_ids, cases.continuations);
    EXPECT_EQ(report.decode_steps, 63);  // the first token comes with the prompt
    EXPECT_EQ(report.shortage, "");
}

TEST(Generate, data_parallel_groups_make_the_same_text) {
    // Users are dealt over replicas in order; each replica has its own mesh and caches.
    const ReferenceCases cases = reference_cases();
    const TokenRows prompts(cases.prompts.begin(), cases.prompts.begin() + 4);
    for (const std::int64_t groups : {2, 4}) {
        SCOPED_TRACE(groups);
        const GenerateReport report =
            DemoFleet("t3k", groups, 4 / groups).run(prompts, tokens_of(16));
        ASSERT_EQ(report.token_ids.size(), 4u);
        for (std::size_t user = 0; user < 4; ++user) {
            EXPECT_TRUE(std::ranges::equal(report.token_ids[user],
                                           std::span(cases.continuations[user]).first(16)))
                << user;
        }
    }
}

TEST(Generate, galaxy_pads_five_users_to_eight_slots) {
    // Two slots per column, three of them idle for good.
    const ReferenceCases cases = reference_cases();
    const GenerateReport report = DemoFleet("galaxy", 1, 5).run(cases.prompts, tokens_of(6));
    for (std::size_t user = 0; user < 5; ++user) {
        EXPECT_TRUE(std::ranges::equal(report.token_ids[user],
                                       std::span(cases.continuations[user]).first(6)))
            << user;
    }
}

TEST(Generate, a_random_page_table_changes_nothing) {
    const ReferenceCases cases = reference_cases();
    const GenerateReport report = DemoFleet("t3k", 1, 5, 32, 11).run(cases.prompts, tokens_of(40));
    for (std::size_t user = 0; user < 5; ++user) {
        EXPECT_TRUE(std::ranges::equal(report.token_ids[user],
                                       std::span(cases.continuations[user]).first(40)))
            << user;
    }
}

TEST(Generate, a_user_that_ends_early_leaves_the_others_alone) {
    // Its end-of-text is kept, its slot becomes idle, the rest is unchanged.
    const ReferenceCases cases = reference_cases();
    GenerateOptions options = tokens_of(20);
    options.eos_token_ids = {cases.continuations[1][4]};
    const GenerateReport report = DemoFleet("t3k", 1, 5).run(cases.prompts, options);
    for (std::size_t user = 0; user < 5; ++user) {
        std::vector<std::int32_t> expected(cases.continuations[user].begin(),
                                           cases.continuations[user].begin() + 20);
        const auto end = std::ranges::find(expected, options.eos_token_ids[0]);
        if (end != expected.end()) expected.erase(end + 1, expected.end());
        EXPECT_EQ(report.token_ids[user], expected) << user;
    }
    EXPECT_LE(report.token_ids[1].size(), 5u);
}

TEST(Generate, stops_when_every_user_has_stopped) {
    // One user, ended by its third token: two decode steps, not 200.
    const ReferenceCases cases = reference_cases();
    GenerateOptions options;
    options.eos_token_ids = {cases.continuations[0][2]};
    const GenerateReport report = DemoFleet("n300", 1, 1).run({cases.prompts[0]}, options);
    EXPECT_EQ(report.token_ids[0].size(), 3u);
    EXPECT_EQ(report.decode_steps, 2);
}

TEST(Generate, one_token_needs_no_decode_step) {
    // The prompt's own logits give the first token; a speed without steps is 0, not infinite.
    const ReferenceCases cases = reference_cases();
    const GenerateReport report = DemoFleet("n300", 1, 1).run({cases.prompts[0]}, tokens_of(1));
    EXPECT_EQ(report.token_ids[0], std::vector<std::int32_t>{cases.continuations[0][0]});
    EXPECT_EQ(report.decode_steps, 0);
    EXPECT_EQ(report.tokens_per_second_per_user(), 0.0);
    EXPECT_GT(report.time_to_first_token.count(), 0);
}

TEST(Generate, tells_of_every_token_as_it_comes) {
    // Streams print from this; user numbers count over all replicas.
    const ReferenceCases cases = reference_cases();
    const TokenRows prompts(cases.prompts.begin(), cases.prompts.begin() + 4);
    TokenRows heard(4);
    const GenerateReport report =
        DemoFleet("t3k", 2, 2).run(prompts, tokens_of(5), [&](std::int64_t user, int token) {
            heard.at(static_cast<std::size_t>(user)).push_back(token);
        });
    EXPECT_EQ(heard, report.token_ids);
    EXPECT_DOUBLE_EQ(report.tokens_per_second_per_user(),
                     1.0 / core::to_seconds(report.decode_step));
}

TEST(Generate, users_are_dealt_evenly) {
    // Three prompts on two replicas would leave one user without a slot.
    const ReferenceCases cases = reference_cases();
    const TokenRows three(cases.prompts.begin(), cases.prompts.begin() + 3);
    EXPECT_THROW(DemoFleet("t3k", 2, 2).run(three, tokens_of(1)), std::logic_error);
}

}  // namespace
}  // namespace model::testing

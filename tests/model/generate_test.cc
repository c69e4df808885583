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

TEST(Generate, step_times_add_up_to_the_mean) {
    // Every decode step has its time; on one replica the mean is theirs.
    const ReferenceCases cases = reference_cases();
    const GenerateReport report = DemoFleet("n300", 1, 1).run({cases.prompts[0]}, tokens_of(6));
    ASSERT_EQ(report.step_times.size(), 5u);
    core::Picoseconds total{};
    for (const core::Picoseconds time : report.step_times) total += time;
    EXPECT_GT(total.count(), 0);
    EXPECT_EQ(report.decode_step, total / 5);
}

// Users 0 and 1 begin with the same 70 tokens, user 2 with 40 of them, user 3 is user 0 again.
TokenRows alike_prompts() {
    TokenRows prompts(4, made_prompt(150));
    for (std::size_t i = 70; i < prompts[1].size(); ++i) prompts[1][i] += 3;
    for (std::size_t i = 40; i < prompts[2].size(); ++i) prompts[2][i] += 5;
    return prompts;
}

TEST(PrefixCaching, shares_whole_blocks_and_changes_no_token) {
    // 64, 32 and 128 positions are whole blocks of the prefix; the last token is always computed.
    GenerateOptions options = tokens_of(12);
    const GenerateReport plain = DemoFleet("t3k", 1, 4, 32, 11, 256).run(alike_prompts(), options);
    EXPECT_EQ(plain.cached_tokens, (std::vector<std::int64_t>{0, 0, 0, 0}));
    options.prefix_caching = GenerateOptions::PrefixCaching::On;
    const GenerateReport cached = DemoFleet("t3k", 1, 4, 32, 11, 256).run(alike_prompts(), options);
    EXPECT_EQ(cached.cached_tokens, (std::vector<std::int64_t>{0, 64, 32, 128}));
    EXPECT_EQ(cached.token_ids, plain.token_ids);
    EXPECT_LT(cached.time_to_first_token, plain.time_to_first_token);
    EXPECT_EQ(cached.token_ids[3], cached.token_ids[0]);
}

TEST(PrefixCaching, only_blocks_that_a_prefix_fills_are_shared) {
    // A prefix shorter than a block has none; a contiguous cache is one block.
    GenerateOptions options = tokens_of(2);
    options.prefix_caching = GenerateOptions::PrefixCaching::On;
    const TokenRows prompts = alike_prompts();
    EXPECT_EQ(DemoFleet("n150", 1, 4, 128, {}, 256).run(prompts, options).cached_tokens,
              (std::vector<std::int64_t>{0, 0, 0, 128}));
    EXPECT_EQ(DemoFleet("n150", 1, 4, 0, {}, 256).run(prompts, options).cached_tokens,
              (std::vector<std::int64_t>{0, 0, 0, 0}));
}

TEST(PrefixCaching, users_on_other_columns_have_other_caches) {
    // Eight slots over the four columns of a 2x4 mesh: users 0 and 1 are on the first.
    GenerateOptions options = tokens_of(4);
    TokenRows prompts(8, made_prompt(150));
    const GenerateReport plain = DemoFleet("t3k:2x4", 1, 8, 32, {}, 256).run(prompts, options);
    options.prefix_caching = GenerateOptions::PrefixCaching::On;
    const GenerateReport cached = DemoFleet("t3k:2x4", 1, 8, 32, {}, 256).run(prompts, options);
    EXPECT_EQ(cached.cached_tokens, (std::vector<std::int64_t>{0, 128, 0, 128, 0, 128, 0, 128}));
    EXPECT_EQ(cached.token_ids, plain.token_ids);
}

TEST(PrefixCaching, a_second_batch_starts_with_blocks_of_its_own) {
    // What users shared before must not be written by both of them now.
    DemoFleet fleet("n300", 1, 4, 32, {}, 256);
    GenerateOptions options = tokens_of(6);
    const TokenRows different{made_prompt(150, 1), made_prompt(150, 2), made_prompt(150, 3),
                              made_prompt(150, 4)};
    const TokenRows expected = fleet.run(different, options).token_ids;
    options.prefix_caching = GenerateOptions::PrefixCaching::On;
    fleet.run(alike_prompts(), options);
    EXPECT_EQ(fleet.run(different, options).token_ids, expected);
}

}  // namespace
}  // namespace model::testing

// `tessera run` against the reference tokens on the larger meshes: lines, 2-D meshes, Blackhole.
#include <gtest/gtest.h>

#include "tests/cli/command.h"
#include "tests/core/temp_folder.h"

namespace {

class RunOnLargeMesh : public testing::TestWithParam<const char*> {};

TEST_P(RunOnLargeMesh, gives_the_reference_tokens_in_fp32) {
    // Two mesh axes place heads and width apart and sum in two directions: the same text comes out.
    const ReferenceCase expected = reference_cases().front();
    const Json json = document(run_demo(GetParam(), "fp32", 64, {"--prompt", expected.prompt}));
    ASSERT_EQ(json.at("token_ids").size(), 1u);
    EXPECT_EQ(json.at("token_ids")[0].get<std::vector<std::int32_t>>(), expected.token_ids);
    EXPECT_EQ(json.at("text")[0].get<std::string>(), expected.text);
}

INSTANTIATE_TEST_SUITE_P(Large, RunOnLargeMesh, testing::Values("n150x4", "galaxy", "p150x8"),
                         [](const auto& parameter) { return std::string(parameter.param); });

TEST(RunOnGalaxy, users_split_over_the_columns_keep_their_tokens) {
    // Eight users are two per column of the 8x4 mesh; each column caches only its own.
    const TempFolder folder;
    const auto cases = reference_cases();
    Json prompts = Json::array();
    for (const ReferenceCase& entry : cases) prompts.push_back(entry.prompt);
    const std::string file = folder.write("prompts.json", prompts.dump()).string();
    const Json json = document(run_demo("galaxy", "fp32", 12, {"--prompts", file, "--batch", "8"}));
    ASSERT_EQ(json.at("token_ids").size(), 8u);
    for (std::size_t user = 0; user < 8; ++user) {
        const auto& all = cases[user % 5].token_ids;
        EXPECT_EQ(json.at("token_ids")[user].get<std::vector<std::int32_t>>(),
                  std::vector<std::int32_t>(all.begin(), all.begin() + 12))
            << "user " << user;
    }
}

TEST(RunOnGalaxy, a_submesh_gives_the_reference_tokens) {
    // NAME:RxC opens a part of a system; 2x4 of the galaxy has both axes.
    const ReferenceCase expected = reference_cases()[1];
    const Json json = document(run_demo("galaxy:2x4", "fp32", 24, {"--prompt", expected.prompt}));
    EXPECT_EQ(
        json.at("token_ids")[0].get<std::vector<std::int32_t>>(),
        std::vector<std::int32_t>(expected.token_ids.begin(), expected.token_ids.begin() + 24));
    EXPECT_EQ(json.at("memory").at("chips").size(), 8u);
}

}  // namespace

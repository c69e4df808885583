// What was planned for a checkpoint of every architecture that runs is what running it takes:
// peaks and every address, on one chip, two, eight and a Galaxy.
#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "model/head_padding.h"
#include "model/split.h"
#include "tests/model/agreement_fixture.h"

namespace model::testing {
namespace {

using FixtureOnMesh = std::tuple<const char*, const char*>;

// Ids inside the smallest of the vocabularies.
std::vector<std::int32_t> prompt_of(std::int64_t tokens) {
    std::vector<std::int32_t> ids;
    for (std::int64_t i = 0; i < tokens; ++i) ids.push_back(static_cast<std::int32_t>(i % 97));
    return ids;
}

class FixtureMemory : public ::testing::TestWithParam<FixtureOnMesh> {
protected:
    std::string folder_ =
        std::string(TESSERA_SOURCE_DIR "/tests/data/fixtures/") + std::get<0>(GetParam());
    fabric::Mesh mesh_ = mesh_named(std::get<1>(GetParam()));
};

std::string case_text(const ::testing::TestParamInfo<FixtureOnMesh>& info) {
    std::string name = std::string(std::get<0>(info.param)) + "_" + std::get<1>(info.param);
    std::replace(name.begin(), name.end(), '-', '_');
    return name;
}

INSTANTIATE_TEST_SUITE_P(All, FixtureMemory,
                         ::testing::Combine(::testing::Values("llama3-scaled-rope",
                                                              "mistral-sliding-window", "mixtral",
                                                              "phi3-longrope", "qwen2", "qwen3"),
                                            ::testing::Values("n150", "n300", "t3k", "galaxy")),
                         case_text);

TEST_P(FixtureMemory, planned_is_executed_to_the_byte) {
    // Heads that do not divide are padded: the answer must hold there too.
    Config config = load_config(folder_);
    const bool two_d = mesh_.shape.rows > 1 && mesh_.shape.cols > 1;
    if (!split_problems(config, mesh_).empty()) {
        config = pad_heads(config, two_d ? mesh_.shape.rows : mesh_.chip_count());
    }
    ASSERT_EQ(split_problems(config, mesh_), std::vector<std::string>{});
    DeploymentOptions options = demo_options(2, 128);
    options.block_size = 32;
    const auto layers = static_cast<std::int32_t>(config.num_hidden_layers);
    Deployment deployment(config, precision_preset("performance", "fixture", layers), mesh_,
                          options);
    std::vector<std::int32_t> positions(static_cast<std::size_t>(deployment.slots()), -1);
    positions[0] = 7;
    const Steps steps{
        {deployment.decode(), deployment.decode_bindings(positions), prompt_of(deployment.slots())},
        {deployment.prefill(128, StepShape::Chunk::First), deployment.prefill_bindings(0, 0, 33),
         prompt_of(33)}};
    const Checkpoint checkpoint = Checkpoint::open(folder_);
    const Readings run = executed(deployment, steps, Decode::Traced, checkpoint);
    EXPECT_EQ(memory_disagreements(planned(deployment, steps, Decode::Traced), run),
              Disagreements{});
}

}  // namespace
}  // namespace model::testing

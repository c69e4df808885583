#include "model/systems.h"

#include <gtest/gtest.h>

#include "tests/model/model_fixture.h"

namespace model::testing {
namespace {

std::vector<NamedMesh> systems(std::initializer_list<const char*> names) {
    std::vector<NamedMesh> list;
    for (const char* name : names) list.push_back({name, mesh_named(name)});
    return list;
}

DeploymentOptions with_context(std::int64_t context) {
    DeploymentOptions options;
    options.context = context;
    options.device.trace_region_size = core::Bytes{50'000'000};
    return options;
}

TEST(SmallestSystem, is_the_first_that_splits_and_fits) {
    // tt_transformers' README: 70B never runs on N150 and N300, it runs on a LoudBox.
    const Config config = llama(kLlama70B);
    const auto list = systems({"n150", "n300", "t3k", "galaxy"});
    const SmallestSystem smallest = smallest_system(
        config, precision_preset("performance", "Llama-3.1-70B", 80), list, with_context(8192));
    ASSERT_TRUE(smallest.found());
    ASSERT_EQ(smallest.tried.size(), 3u);
    EXPECT_EQ(smallest.tried.back().name, "t3k");
    EXPECT_EQ(smallest.tried.back().chips, 8);
    EXPECT_GT(smallest.tried.back().free.value, 0);
    EXPECT_FALSE(smallest.tried[0].fits);
    EXPECT_EQ(smallest.tried[0].failed_buffer.rfind("layers.", 0), 0u);
}

TEST(SmallestSystem, says_why_a_system_does_not_split) {
    // 5 KV heads split over no mesh but one chip.
    Config config = llama(kLlama3B);
    config.num_key_value_heads = 5;
    config.num_attention_heads = 25;
    const auto list = systems({"n300", "t3k"});
    const SmallestSystem smallest =
        smallest_system(config, precision_preset("performance", "", 28), list, with_context(1024));
    EXPECT_FALSE(smallest.found());
    ASSERT_EQ(smallest.tried.size(), 2u);
    for (const SystemFit& tried : smallest.tried) {
        ASSERT_FALSE(tried.problems.empty());
        EXPECT_NE(tried.problems.front().find("must be divisible"), std::string::npos)
            << tried.problems.front();
    }
    EXPECT_FALSE(smallest_system(config, precision_preset("performance", "", 28), {}, {}).found());
}

TEST(Replicas, of_a_model_that_fits_one_chip_are_as_many_as_chips) {
    // tt_transformers runs 8B on a T3K as DP 8, 4, 2 and 1 (its DP table).
    const Config config = llama(kLlama8B);
    const std::vector<Replicas> cuts =
        replicas(config, precision_preset("performance", "Llama-3.1-8B", 32), mesh_named("t3k"),
                 with_context(1024));
    ASSERT_EQ(cuts.size(), 4u);
    for (const Replicas& cut : cuts) {
        EXPECT_EQ(cut.dp * cut.tp, 8);
        EXPECT_TRUE(cut.group.fits) << cut.dp;
    }
    EXPECT_EQ(most_replicas(cuts), 8);
    EXPECT_EQ(cuts.back().shape.text(), "1x1");
    EXPECT_LT(cuts.back().group.free, cuts.front().group.free);
}

TEST(Replicas, of_a_large_model_are_limited_by_memory) {
    // Weights of 7.6 GB on each of 8 chips are 15 GB on each of 4, and a chip has 12 GiB.
    const Config config = llama(kLlama70B);
    const Precision precision = precision_preset("performance", "Llama-3.1-70B", 80);
    const std::vector<Replicas> wormhole =
        replicas(config, precision, mesh_named("t3k"), with_context(1024));
    EXPECT_EQ(most_replicas(wormhole), 1);
    for (const Replicas& cut : wormhole) EXPECT_EQ(cut.group.fits, cut.dp == 1) << cut.dp;
    // 32 GB chips hold it on four: two copies on eight (P150_X4 is a published system).
    EXPECT_GE(most_replicas(replicas(config, precision, mesh_named("p150x8"), with_context(1024))),
              2);
}

}  // namespace
}  // namespace model::testing

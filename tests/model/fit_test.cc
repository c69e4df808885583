#include "model/fit.h"

#include <gtest/gtest.h>

#include <variant>

namespace model {
namespace {

fabric::Mesh opened(const char* spec) {
    return std::get<fabric::Mesh>(fabric::open_mesh({TESSERA_SOURCE_DIR "/topologies"}, spec));
}

// The shape of Llama-3.1-70B.
Config llama_70b() {
    Config config;
    config.hidden_size = 8192;
    config.intermediate_size = 28672;
    config.num_hidden_layers = 80;
    config.num_attention_heads = 64;
    config.num_key_value_heads = 8;
    config.head_dim = 128;
    config.vocab_size = 128256;
    config.max_position_embeddings = 131072;
    config.rms_norm_eps = 1e-5;
    config.rope_theta = 500000;
    return config;
}

DeploymentOptions with_context(std::int64_t context) {
    DeploymentOptions options;
    options.context = context;
    options.device.trace_region_size = core::Bytes{50'000'000};
    return options;
}

FitReport look(const Config& config, const char* mesh, const DeploymentOptions& options) {
    return fit(config, precision_preset("performance", "Llama-3.1-70B", 80), opened(mesh), options);
}

TEST(Fit, llama_70b_with_128k_positions_fits_a_t3k_with_chunks_of_32k) {
    // The documented case; the next larger chunk is the one that runs out of memory.
    const FitReport report = look(llama_70b(), "t3k", with_context(131072));
    EXPECT_TRUE(report.fits()) << report.plan.failed_buffer;
    EXPECT_EQ(report.max_context, 131072);
    EXPECT_EQ(report.prefill_chunk, 32768);
}

TEST(Fit, llama_70b_fits_neither_an_n150_nor_an_n300) {
    // The weights alone are 4 to 5 times, and twice, the DRAM.
    for (const char* mesh : {"n150", "n300"}) {
        const FitReport report = look(llama_70b(), mesh, with_context(1024));
        EXPECT_FALSE(report.fits()) << mesh;
        EXPECT_EQ(report.max_context, 0);
        EXPECT_EQ(report.max_batch, 0);
        EXPECT_EQ(report.prefill_chunk, 0);
        ASSERT_TRUE(report.plan.failure.has_value());
        EXPECT_NE(report.plan.failure->text.find("Out of Memory: Not enough space to allocate"),
                  std::string::npos);
        EXPECT_EQ(report.plan.failed_buffer.rfind("layers.", 0), 0u) << report.plan.failed_buffer;
    }
}

TEST(Fit, the_largest_answer_fits_and_the_next_one_does_not) {
    // Bisection must end on the boundary itself: 4 users of 70B on a T3K run out before 128k.
    DeploymentOptions options = with_context(8192);
    options.batch = 4;
    const Config config = llama_70b();
    const FitReport report = look(config, "t3k", options);
    ASSERT_GT(report.max_context, 0);
    ASSERT_LT(report.max_context, 131072);
    options.context = report.max_context;
    EXPECT_TRUE(look(config, "t3k", options).fits());
    options.context += kContextStep;
    EXPECT_FALSE(look(config, "t3k", options).fits());

    options.context = 32768;
    const std::int64_t users = look(config, "t3k", options).max_batch;
    ASSERT_GT(users, 0);
    ASSERT_LT(users, kMostUsers);
    options.batch = users;
    EXPECT_TRUE(look(config, "t3k", options).fits());
    options.batch = users + 1;
    EXPECT_FALSE(look(config, "t3k", options).fits());
}

}  // namespace
}  // namespace model

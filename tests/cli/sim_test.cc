// `tessera sim`: laws that hold whatever the constants are; a config is enough.
#include <gtest/gtest.h>

#include "tests/cli/command.h"
#include "tests/core/temp_folder.h"

namespace {

// The shape of Llama-3.1-8B, under its name: huggingface meta-llama/Llama-3.1-8B-Instruct
// config.json. By the name `performance` gives the last layer formats of its own.
std::string eight_billion(const TempFolder& folder) {
    const std::filesystem::path path = folder.path() / "Llama-3.1-8B-Instruct";
    std::filesystem::create_directories(path);
    folder.write("Llama-3.1-8B-Instruct/config.json", R"({"architectures": ["LlamaForCausalLM"],
        "vocab_size": 128256, "hidden_size": 4096, "intermediate_size": 14336,
        "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
        "max_position_embeddings": 131072, "rms_norm_eps": 1e-05, "rope_theta": 500000.0,
        "torch_dtype": "bfloat16"})");
    return path.string();
}

double speed(const Json& json) { return json.at("tokens_per_second_per_user").get<double>(); }

TEST(Sim, no_speed_is_above_the_roofline) {
    // Weights and cache must be read once per step, whatever else happens.
    const TempFolder folder;
    const std::string model = eight_billion(folder);
    for (const char* mesh : {"n150", "n300", "t3k", "galaxy"}) {
        const Json json = document({"sim", model, "--mesh", mesh});
        EXPECT_GT(speed(json), 0.0) << mesh;
        EXPECT_LT(speed(json), json.at("roofline_tokens_per_second_per_user").get<double>())
            << mesh;
    }
}

TEST(Sim, the_parts_of_a_step_do_not_exceed_it) {
    // The breakdown is of chip 0's programs, which run one after another.
    const Json json = document({"sim", kDemo, "--mesh", "t3k"});
    double sum = 0;
    for (const auto& [kind, time] : json.at("breakdown_ms").items()) sum += time.get<double>();
    EXPECT_GT(sum, 0.0);
    EXPECT_LE(sum, json.at("decode_step_ms").get<double>());
}

TEST(Sim, more_positions_and_more_prompt_are_never_faster) {
    // Longer caches are read and longer prompts are computed.
    const TempFolder folder;
    const std::string model = eight_billion(folder);
    const auto run = [&](const char* isl) {
        return document({"sim", model, "--mesh", "n150", "--isl", isl, "--context", "16384"});
    };
    const Json small = run("128");
    const Json large = run("8192");
    EXPECT_LT(small.at("ttft_ms").get<double>(), large.at("ttft_ms").get<double>());
    EXPECT_GT(speed(small), speed(large));
}

TEST(Sim, a_trace_is_never_slower) {
    // One replay command costs the host less than one per program.
    const Json on = document({"sim", kDemo, "--mesh", "n150", "--trace", "on"});
    const Json off = document({"sim", kDemo, "--mesh", "n150", "--trace", "off"});
    EXPECT_GT(speed(on), speed(off));
}

TEST(Sim, users_multiply_the_throughput) {
    // tokens_per_second counts all users of all groups.
    const Json json = document({"sim", kDemo, "--mesh", "t3k", "--batch", "8", "--dp", "2"});
    EXPECT_DOUBLE_EQ(json.at("tokens_per_second").get<double>(), 16 * speed(json));
}

TEST(Sim, the_same_simulation_has_the_same_digest) {
    // Two runs, the same bytes; another mesh, another digest.
    const auto digest = [](const char* mesh) {
        return document({"sim", kDemo, "--mesh", mesh}).at("digest").get<std::string>();
    };
    EXPECT_EQ(digest("t3k"), digest("t3k"));
    EXPECT_NE(digest("t3k"), digest("n300"));
}

TEST(Sim, a_model_that_does_not_fit_is_a_no) {
    // 8 billion parameters in fp32 are 32 GB; an N150 has 12.
    const TempFolder folder;
    const Outcome outcome =
        tessera({"sim", eight_billion(folder), "--mesh", "n150", "--precision", "fp32", "--json"});
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_EQ(outcome.out, "");
    EXPECT_TRUE(says(outcome.err, "Out of Memory")) << outcome.err;
}

TEST(Sim, the_text_says_that_it_is_not_calibrated) {
    // A predicted time without its error must not look like a measured one.
    const Outcome outcome = tessera({"sim", kDemo, "--mesh", "n150"});
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_TRUE(says(outcome.out, "extrapolated"));
    EXPECT_TRUE(says(outcome.out, "bottleneck"));
}

}  // namespace

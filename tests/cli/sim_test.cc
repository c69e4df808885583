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

TEST(Sim, says_what_would_be_with_one_thing_changed) {
    // Each line is an estimate of its own: smaller weights and more chips are not slower.
    const TempFolder folder;
    const Json json = document({"sim", eight_billion(folder), "--mesh", "n300", "--what-if"});
    const Json& lines = json.at("what_if");
    ASSERT_EQ(lines.size(), 3u);
    EXPECT_EQ(lines.at(0).at("change"), "links twice as fast");
    EXPECT_EQ(lines.at(1).at("change"), "all weights bfp4");
    EXPECT_EQ(lines.at(2).at("change"), "twice the chips (n150x4)");
    for (const Json& line : lines) {
        EXPECT_GE(line.at("tokens_per_second_per_user").get<double>(), speed(json)) << line;
    }
}

TEST(Sim, sampling_on_the_host_pays_for_reading_logits) {
    // 32 rows of the vocabulary over PCIe and through the host, against 32 tokens.
    const TempFolder folder;
    const std::string model = eight_billion(folder);
    const Json host = document({"sim", model, "--mesh", "n150", "--sampling", "host"});
    const Json device = document({"sim", model, "--mesh", "n150", "--sampling", "device"});
    EXPECT_LT(speed(host), speed(device));
    EXPECT_EQ(host.at("sampling"), "host");
    EXPECT_GT(host.at("host_ms").at("logits to host").get<double>(), 0.0);
    EXPECT_FALSE(device.at("host_ms").contains("logits to host"));
    const Json queues =
        document({"sim", model, "--mesh", "n150", "--sampling", "device", "--queues", "2"});
    EXPECT_GT(speed(queues), speed(device));
}

TEST(Sim, the_share_of_the_published_maximum_has_a_tier) {
    // tt-inference-server: 21 tokens per second for 8B on an N150.
    const TempFolder folder;
    const Json json = document({"sim", eight_billion(folder), "--mesh", "n150"});
    const Json& theoretical = json.at("theoretical");
    EXPECT_NEAR(theoretical.at("tokens_per_second_per_user").get<double>(), 21, 0.5);
    EXPECT_NEAR(theoretical.at("reached_pct").get<double>(),
                100 * speed(json) / theoretical.at("tokens_per_second_per_user").get<double>(),
                1e-6);
    EXPECT_EQ(theoretical.at("bounty_tier"), "hard");
}

TEST(Sim, measured_conditions_come_with_their_error) {
    // A model, device and prompt like those of PERF.md; a prompt like none of them.
    const TempFolder folder;
    const std::string model = eight_billion(folder);
    const Outcome near = tessera({"sim", model, "--mesh", "n150"});
    EXPECT_TRUE(says(near.out, "tok_s_user off by ")) << near.out;
    EXPECT_TRUE(
        says(tessera({"sim", model, "--mesh", "n150", "--isl", "4000"}).out, "extrapolated"));
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

TEST(Sim, the_text_says_when_nothing_like_it_was_measured) {
    // A predicted time without its error must not look like a measured one.
    const Outcome outcome = tessera({"sim", kDemo, "--mesh", "n150"});
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_TRUE(says(outcome.out, "extrapolated"));
    EXPECT_TRUE(says(outcome.out, "bottleneck"));
}

}  // namespace

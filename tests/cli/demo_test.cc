// `tessera demo`: the modes, options, texts and measurements of tt_transformers' text demo.
#include <gtest/gtest.h>

#include "cli/demo_modes.h"
#include "tests/cli/command.h"
#include "tests/core/temp_folder.h"

namespace {

const std::string kConfigs = TESSERA_SOURCE_DIR "/models/configs/";

/// The demo model in fp32 with few tokens, so that it is known what it says.
std::vector<std::string> demo(const std::string& mesh, const std::string& mode,
                              std::vector<std::string> more = {}) {
    std::vector<std::string> words{"demo",   kDemo, "--mesh",          mesh,
                                   "--mode", mode,  "--optimizations", "fp32"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

std::string prompts_file(const TempFolder& folder) {
    Json list = Json::array();
    for (const ReferenceCase& one : reference_cases()) list.push_back({{"prompt", one.prompt}});
    return folder.write("prompts.json", list.dump()).string();
}

std::vector<std::int32_t> first_ids(const ReferenceCase& one, std::size_t count) {
    return {one.token_ids.begin(), one.token_ids.begin() + static_cast<std::ptrdiff_t>(count)};
}

TEST(DemoModes, are_those_of_the_published_demo) {
    // simple_text_demo.py: max_seq_len, batch, generated, blocks, groups.
    EXPECT_EQ(cli::demo_modes().size(), 19u);
    const cli::DemoMode ci = cli::demo_mode({"ci-32"});
    EXPECT_EQ(ci.max_seq_len, 2000);
    EXPECT_EQ(ci.batch_size, 32);
    EXPECT_EQ(ci.max_generated_tokens, 1024);
    EXPECT_EQ(ci.block_size, 64);
    EXPECT_EQ(ci.max_num_blocks, 1024);
    EXPECT_EQ(ci.at_eos, cli::AtEos::GoOn);
    EXPECT_EQ(cli::demo_mode({"ci-b1-DP-32"}).data_parallel, 32);
    EXPECT_EQ(cli::demo_mode({"ci-eval-32"}).repeat_batches, 3);
    EXPECT_EQ(cli::demo_mode({"long-context-64k"}).max_seq_len, 131072);
    EXPECT_EQ(cli::demo_mode({"ci-stress-1"}).max_generated_tokens, 50000);
    EXPECT_TRUE(cli::demo_mode({"ci-stress-1"}).is_stress_test());
}

TEST(DemoModes, take_one_name_and_one_phase) {
    EXPECT_EQ(cli::demo_mode({}).name, "batch-1");
    const cli::DemoMode mode = cli::demo_mode({"decode", "batch-32"});
    EXPECT_EQ(mode.name, "batch-32");
    EXPECT_EQ(mode.phases, cli::DemoPhases::Decode);
    EXPECT_EQ(cli::demo_mode({"batch-32"}).phases, cli::DemoPhases::Full);
    EXPECT_THROW(cli::demo_mode({"batch-1", "batch-32"}), core::Error);
    EXPECT_THROW(cli::demo_mode({"prefill", "decode"}), core::Error);
    EXPECT_THROW(cli::demo_mode({"batch-2"}), core::Error);
}

TEST(Demo, batch_1_gives_the_reference_tokens_over_a_random_page_table) {
    // The token of the prefill, then one of every iteration.
    const TempFolder folder;
    const Json json = document(demo("n300", "batch-1",
                                    {"--input_prompts", prompts_file(folder),
                                     "--max_generated_tokens", "15", "--stop_at_eos", "0"}));
    EXPECT_EQ(json.at("generated"), true);
    const Json& batch = json.at("batches").at(0);
    EXPECT_EQ(batch.at("token_ids").at(0).get<std::vector<std::int32_t>>(),
              first_ids(reference_cases()[0], 16));
    EXPECT_EQ(json.at("parameters").at("page_block_size"), 32);
    EXPECT_EQ(json.at("parameters").at("page_max_num_blocks_per_dp"), 1024);
    EXPECT_EQ(json.at("measurements").at("iterations"), 15);
    EXPECT_EQ(json.at("measurements").at("token_times").size(), 1u);  // there is no 128th
    EXPECT_GT(json.at("measurements").at("ttft_ms").get<double>(), 0);
}

TEST(Demo, repeated_batches_move_prompts_on_and_give_the_same_tokens) {
    // Two groups of two users; in the second batch a user has the next user's prompt.
    const TempFolder folder;
    const Json json = document(demo(
        "n300", "batch-1",
        {"--input_prompts", prompts_file(folder), "--max_generated_tokens", "7", "--batch_size",
         "2", "--data_parallel", "2", "--repeat_batches", "2", "--stop_at_eos", "0"}));
    const auto cases = reference_cases();
    ASSERT_EQ(json.at("batches").size(), 2u);
    for (std::size_t batch = 0; batch < 2; ++batch) {
        const Json& ids = json.at("batches")[batch].at("token_ids");
        ASSERT_EQ(ids.size(), 4u);
        for (std::size_t user = 0; user < 4; ++user) {
            EXPECT_EQ(ids[user].get<std::vector<std::int32_t>>(),
                      first_ids(cases[(user + batch) % cases.size()], 8));
        }
    }
    EXPECT_EQ(json.at("repeats_agree"), true);
    const Json& measured = json.at("measurements");
    EXPECT_DOUBLE_EQ(measured.at("tokens_per_second").get<double>(),
                     4 * measured.at("tokens_per_second_per_user").get<double>());
}

TEST(Demo, token_accuracy_compares_with_the_reference_of_the_folder) {
    // Half of it is prefilled; in fp32 every token is the reference's.
    const Json json = document(
        demo("n300", "batch-1",
             {"--token_accuracy", "--max_generated_tokens", "2", "--reference", kLayersReference}));
    EXPECT_EQ(json.at("token_accuracy").at("positions"), 65);  // rows 63 to 127
    EXPECT_EQ(json.at("token_accuracy").at("top1"), 100.0);
    EXPECT_EQ(json.at("token_accuracy").at("top5"), 100.0);
}

TEST(Demo, a_context_is_a_file_clipped_to_its_first_characters) {
    // The prompt is "```" + context + "```\n\n" + prompt; --instruct 0 continues the context.
    const TempFolder folder;
    folder.write("book.txt", "ROMEO:\nGood morrow, cousin.");
    const std::string file =
        folder
            .write("prompts.json",
                   R"([{"prompt": "Who?", "context": "book.txt", "max_length": 6}])")
            .string();
    const auto tokens = [&](const char* instruct) {
        return document(demo("n150", "batch-1",
                             {"--input_prompts", file, "--instruct", instruct,
                              "--max_generated_tokens", "3", "--stop_at_eos", "0"}))
            .at("batches")[0];
    };
    const ReferenceCase romeo = reference_cases().front();
    const Json plain = tokens("0");
    EXPECT_EQ(plain.at("prompt_tokens"), Json({romeo.prompt_token_ids.size()}));
    EXPECT_EQ(plain.at("token_ids")[0].get<std::vector<std::int32_t>>(), first_ids(romeo, 4));
    EXPECT_GT(tokens("1").at("prompt_tokens")[0], plain.at("prompt_tokens")[0]);
}

TEST(Demo, a_phase_alone_has_only_its_own_measurements) {
    const Json prefill = document(demo("n300", "batch-1", {"--mode", "prefill"}));
    EXPECT_EQ(prefill.at("batches").at(0).at("token_ids").at(0).size(), 1u);
    EXPECT_EQ(prefill.at("measurements").at("iterations"), 0);
    EXPECT_EQ(prefill.at("measurements").at("decode_step_ms"), 0);
    EXPECT_GT(prefill.at("measurements").at("ttft_ms").get<double>(), 0);
    const Json decode =
        document(demo("n300", "batch-1", {"--mode", "decode", "--max_generated_tokens", "4"}));
    EXPECT_EQ(decode.at("batches").at(0).at("prompt_tokens").at(0), 1);
    EXPECT_EQ(decode.at("measurements").at("iterations"), 4);
    EXPECT_EQ(decode.at("measurements").at("ttft_ms"), 0);
    EXPECT_GT(decode.at("measurements").at("decode_step_ms").get<double>(), 0);
}

TEST(Demo, a_stress_test_stays_at_one_position) {
    // Of the run itself, and estimated: no step takes longer than another.
    const Json run =
        document(demo("n300", "batch-1",
                      {"--stress_test", "--stop_at_eos", "0", "--max_generated_tokens", "130"}));
    EXPECT_EQ(run.at("parameters").at("stress_test"), true);
    const Json& steps = run.at("measurements").at("token_times");
    EXPECT_EQ(steps.at(0).at("ms"), steps.at(1).at("ms"));
    const Json estimated = document(
        {"demo", kConfigs + "Llama-3.1-8B-Instruct", "--mesh", "t3k", "--mode", "ci-stress-1"});
    const Json& times = estimated.at("measurements").at("token_times");
    ASSERT_EQ(times.size(), 4u);
    EXPECT_EQ(times.at(0).at("ms"), times.at(3).at("ms"));
    EXPECT_EQ(times.at(0).at("ms"), estimated.at("measurements").at("decode_step_ms"));
    const Outcome both = tessera(demo("n300", "batch-1", {"--stress_test", "--token_accuracy"}));
    EXPECT_EQ(both.exit_code, 1);
    EXPECT_TRUE(says(both.err, "Stress test cannot be run with token accuracy mode")) << both.err;
}

TEST(Demo, without_weights_the_measurements_are_estimated) {
    // Later tokens look back farther: their steps are longer, and there are four of them.
    const Json json =
        document({"demo", kConfigs + "Llama-3.1-8B-Instruct", "--mesh", "t3k", "--mode", "ci-1"});
    EXPECT_EQ(json.at("generated"), false);
    EXPECT_TRUE(says(json.at("notes").dump(), "nothing was generated"));
    EXPECT_TRUE(json.at("batches").empty());
    const Json& times = json.at("measurements").at("token_times");
    ASSERT_EQ(times.size(), 4u);
    EXPECT_EQ(times[3].at("token"), 4096);
    EXPECT_LT(times[0].at("ms").get<double>(), times[3].at("ms").get<double>());
    const Json sim = document({"sim", kConfigs + "Llama-3.1-8B-Instruct", "--mesh", "t3k", "--isl",
                               "128", "--osl", "4096", "--context", "8192", "--block-size", "32",
                               "--max-num-blocks", "1024"});
    EXPECT_EQ(json.at("measurements").at("ttft_ms"), sim.at("ttft_ms"));
    EXPECT_EQ(json.at("measurements").at("decode_step_ms"), sim.at("decode_step_ms"));
}

std::string answer_of(std::vector<std::string> words, int exit_code) {
    const Outcome outcome = tessera(words);
    EXPECT_EQ(outcome.exit_code, exit_code) << outcome.err;
    return outcome.err;
}

TEST(Demo, what_the_demo_skips_is_a_no_with_its_text) {
    // Exit code 1: the question is a good one.
    const std::string context = answer_of(demo("n150", "ci-1"), 1);
    EXPECT_TRUE(says(context,
                     "Max seq len 8192 not supported by model tiny-shakespeare. The model's max "
                     "context len is 4096"))
        << context;
    const std::string groups = answer_of(demo("n300", "DP-4-b1"), 1);
    EXPECT_TRUE(says(groups, "Invalid number of DP groups: 4, for 2 devices")) << groups;
}

TEST(Demo, what_the_demo_asserts_is_an_error_with_its_text) {
    // Exit code 2: one of the options is wrong.
    const std::string batch = answer_of(demo("n150", "batch-1", {"--batch_size", "3"}), 2);
    EXPECT_TRUE(says(batch, "Batch size 3 not supported")) << batch;
    const std::string length =
        answer_of(demo("n150", "batch-1", {"--max_generated_tokens", "1020"}), 2);
    EXPECT_TRUE(says(length,
                     "maximum number of decoded iterations (1020) needs to be <= than max_seq_len "
                     "(1024)"))
        << length;
    const std::string pool = answer_of(
        demo("n150", "batch-32", {"--page_params", R"({"page_max_num_blocks_per_dp": 64})"}), 2);
    EXPECT_TRUE(says(pool,
                     "max_generated_tokens (200) needs to be <= than paged_cache_max_seq_len "
                     "(64.0)"))
        << pool;
    const std::string prefetcher = answer_of(demo("n150", "batch-1", {"--use_prefetcher"}), 2);
    EXPECT_TRUE(says(prefetcher, "BH only")) << prefetcher;
}

TEST(Demo, options_in_json_are_checked) {
    // Keys and kinds; a misspelt key must not be ignored.
    const auto error = [](const char* option, const char* json) {
        return answer_of(demo("n150", "batch-1", {option, json}), 2);
    };
    EXPECT_TRUE(says(error("--page_params", R"({"block": 1})"), "got block"));
    EXPECT_TRUE(says(error("--page_params", R"({"page_block_size": "32"})"), "a positive integer"));
    EXPECT_TRUE(says(error("--page_params", "[]"), "a JSON object"));
    EXPECT_TRUE(says(error("--sampling_params", R"({"temp": 1})"), "got temp"));
    EXPECT_TRUE(says(error("--sampling_params", R"({"top_p": "a"})"), "a number"));
    EXPECT_TRUE(says(error("--sampling_params", R"({"temperature": -1})"), "temperature"));
}

TEST(Demo, a_url_is_not_fetched) {
    // The published prompt files name books of the Gutenberg project.
    const TempFolder folder;
    const std::string file =
        folder.write("prompts.json", R"([{"prompt": "Who?", "context": "https://example.org/a"}])")
            .string();
    const std::string error = answer_of(demo("n150", "batch-1", {"--input_prompts", file}), 2);
    EXPECT_TRUE(says(error, "[0].context: expected a file, got the URL")) << error;
    EXPECT_TRUE(says(error, "nothing is downloaded")) << error;
}

TEST(Demo, fewer_layers_are_a_smaller_model) {
    // --num_layers is for measuring: fewer layers, less time.
    const auto step = [](std::vector<std::string> more) {
        more.insert(more.end(), {"--max_generated_tokens", "3", "--stop_at_eos", "0"});
        return document(demo("n150", "batch-1", more))
            .at("measurements")
            .at("decode_step_ms")
            .get<double>();
    };
    EXPECT_LT(step({"--num_layers", "1"}), step({}));
    EXPECT_TRUE(says(answer_of(demo("n150", "batch-1", {"--num_layers", "9"}), 2), "at most 4"));
}

TEST(Demo, prints_the_lines_of_the_demos_log) {
    // People compare them side by side.
    const Outcome outcome =
        tessera(demo("n150", "batch-1", {"--max_generated_tokens", "3", "--use_hf_rope"}));
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_TRUE(says(outcome.out, "=== Performance metrics ===")) << outcome.out;
    EXPECT_TRUE(says(outcome.out, "1st token decode time: "));
    EXPECT_TRUE(says(outcome.out, "Average Time to First Token (TTFT): "));
    EXPECT_TRUE(says(outcome.out, " tok/s/user ("));
    EXPECT_TRUE(says(outcome.out, "--use_hf_rope changes nothing here"));
}

}  // namespace

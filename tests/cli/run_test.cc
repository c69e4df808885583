// `tessera run` against the tokens of an independent float32 implementation, on the small meshes.
#include <gtest/gtest.h>

#include "model/tokenizer.h"
#include "tests/cli/command.h"
#include "tests/core/temp_folder.h"

namespace {

class RunOnMesh : public testing::TestWithParam<const char*> {};

TEST_P(RunOnMesh, gives_the_reference_tokens_in_fp32) {
    // Splitting a model over chips must not change what it says.
    const ReferenceCase expected = reference_cases().front();
    ASSERT_EQ(expected.prompt, "ROMEO:");
    const Json json = document(run_demo(GetParam(), "fp32", 64, {"--prompt", expected.prompt}));
    ASSERT_EQ(json.at("token_ids").size(), 1u);
    EXPECT_EQ(json.at("token_ids")[0].get<std::vector<std::int32_t>>(), expected.token_ids);
    EXPECT_EQ(json.at("text")[0].get<std::string>(), expected.text);
    EXPECT_EQ(json.at("prompt_tokens"), Json({expected.prompt_token_ids.size()}));
    EXPECT_TRUE(json.at("problems").empty());
}

INSTANTIATE_TEST_SUITE_P(Small, RunOnMesh, testing::Values("n150", "n300", "t3k"),
                         [](const auto& parameter) { return std::string(parameter.param); });

/// A JSON file with the reference's prompts, as strings or as tt_transformers writes them.
std::string prompts_file(const TempFolder& folder, std::size_t count, bool objects) {
    Json list = Json::array();
    const auto cases = reference_cases();
    for (std::size_t i = 0; i < count; ++i) {
        list.push_back(objects ? Json{{"prompt", cases[i].prompt}} : Json(cases[i].prompt));
    }
    return folder.write("prompts.json", list.dump()).string();
}

/// Every user's tokens are those of the reference's prompt it was dealt.
void expect_reference_tokens(const Json& json, std::size_t users, std::size_t prompts) {
    const auto cases = reference_cases();
    ASSERT_EQ(json.at("token_ids").size(), users);
    for (std::size_t user = 0; user < users; ++user) {
        EXPECT_EQ(json.at("token_ids")[user].get<std::vector<std::int32_t>>(),
                  cases[user % prompts].token_ids)
            << "user " << user;
        EXPECT_EQ(json.at("text")[user].get<std::string>(), cases[user % prompts].text);
    }
}

TEST(RunSampling, takes_other_times_on_the_host_and_the_device) {
    // 2026-09 takes the likeliest token without top-k. min_p is more than the device has: asked for
    // there, it is the host's all the same.
    const auto simulated = [](const char* place, std::vector<std::string> more) {
        more.insert(more.begin(),
                    {"run", kDemo, "--mesh", "t3k", "--prompt", "ROMEO:", "--max-new-tokens", "4",
                     "--release", "2026-09", "--sampling", place});
        return document(more).at("simulated");
    };
    const auto step = [](const Json& times) { return times.at("decode_step_ms").get<double>(); };
    const Json host = simulated("host", {});
    const Json likeliest = simulated("device", {});
    const Json drawn = simulated("device", {"--temperature", "0.8", "--top-k", "20"});
    const Json min_p = simulated("device", {"--temperature", "0.8", "--min-p", "0.1"});
    EXPECT_EQ(host.at("sampling"), "host");
    EXPECT_EQ(likeliest.at("sampling"), "device");
    EXPECT_EQ(min_p.at("sampling"), "host");
    EXPECT_NE(step(host), step(likeliest));
    EXPECT_NE(step(drawn), step(likeliest));
    EXPECT_EQ(step(min_p), step(host));
}

TEST(RunInstruct, the_date_is_what_is_asked_for_and_never_todays) {
    // The same command must make the same prompt tomorrow.
    const TempFolder folder;
    for (const auto& file : std::filesystem::directory_iterator(kDemo)) {
        std::filesystem::create_symlink(file.path(), folder.path() / file.path().filename());
    }
    folder.write("chat_template.jinja",
                 "{% if strftime_now is defined %}{{ strftime_now('%d') }}{% endif %}"
                 "{{ strftime_now('%d %B') }}: {{ messages[0].content }}");
    const auto prompt_tokens = [&](std::vector<std::string> more) {
        more.insert(more.begin(), {"run", folder.path().string(), "--mesh", "n150", "--prompt",
                                   "Who?", "--max-new-tokens", "1", "--instruct", "--json"});
        return tessera(more);
    };
    const model::Tokenizer tokenizer = model::Tokenizer::load(kDemo);
    const auto count = [&](const char* text) {
        return Json({tokenizer.encode(text, model::AddSpecial::No).size()});
    };
    EXPECT_EQ(Json::parse(prompt_tokens({}).out).at("prompt_tokens"), count("26 July: Who?"));
    EXPECT_EQ(Json::parse(prompt_tokens({"--date", "1599-12-31"}).out).at("prompt_tokens"),
              count("3131 December: Who?"));
    const Outcome outcome = prompt_tokens({"--date", "1599-13-31"});
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_TRUE(says(outcome.err, "--date: expected a day as 2024-07-26")) << outcome.err;
}

TEST(RunPool, what_users_outgrow_is_an_error_with_the_demos_text) {
    // Four blocks of 32 for two users: 64 positions each.
    const Outcome outcome = tessera(run_demo("n150", "performance", 100,
                                             {"--prompt", "A", "--batch", "2", "--block-size", "32",
                                              "--max-num-blocks", "4", "--context", "128"}));
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_TRUE(says(outcome.err, "100")) << outcome.err;
    EXPECT_TRUE(says(outcome.err, "64")) << outcome.err;
}

TEST(RunPool, what_is_large_enough_changes_no_token) {
    // Pages are an address, not a value.
    const auto ids = [](std::vector<std::string> more) {
        more.insert(more.begin(), {"--prompt", "A", "--batch", "2"});
        return document(run_demo("n300", "fp32", 8, more)).at("token_ids");
    };
    EXPECT_EQ(ids({"--block-size", "32", "--max-num-blocks", "8", "--context", "128"}), ids({}));
}

TEST(Run, a_batch_of_32_gives_every_user_its_own_reference_tokens) {
    // Users share a step but not a KV cache, a position or a prompt.
    const TempFolder folder;
    const Json json = document(run_demo(
        "t3k", "fp32", 64, {"--prompts", prompts_file(folder, 5, false), "--batch", "32"}));
    expect_reference_tokens(json, 32, 5);
}

TEST(Run, data_parallel_groups_give_the_reference_tokens) {
    // Two groups of four chips are two independent models; the report counts all eight chips.
    const TempFolder folder;
    const Json json = document(
        run_demo("t3k", "fp32", 64,
                 {"--prompts", prompts_file(folder, 2, true), "--batch", "1", "--dp", "2"}));
    expect_reference_tokens(json, 2, 2);
    EXPECT_EQ(json.at("memory").at("chips").size(), 8u);
}

TEST(Run, a_trace_changes_the_time_and_not_the_tokens) {
    // A replay must compute what the program computes, only with less work for the host.
    const Json on = document(run_demo("n300", "bf16", 12, {"--prompt", "ROMEO:"}));
    const Json off =
        document(run_demo("n300", "bf16", 12, {"--prompt", "ROMEO:", "--trace", "off"}));
    EXPECT_EQ(on.at("token_ids"), off.at("token_ids"));
    EXPECT_LT(on.at("simulated").at("decode_step_ms").get<double>(),
              off.at("simulated").at("decode_step_ms").get<double>());
}

TEST(Run, a_paged_cache_and_chunks_give_the_tokens_of_a_contiguous_one) {
    // Where keys and values lie is no matter of what is attended to. The prompt is two chunks long.
    std::string prompt;
    for (int i = 0; i < 60; ++i) prompt += "good Romeo, ";
    const auto words = [&](std::vector<std::string> more) {
        more.insert(more.end(), {"--prompt", prompt});
        return run_demo("n300", "fp32", 8, std::move(more));
    };
    const Json plain = document(words({}));
    ASSERT_GT(plain.at("prompt_tokens")[0].get<int>(), 128);
    const Json paged = document(words({"--block-size", "32"}));
    const Json chunked = document(words({"--prefill-chunk", "128", "--block-size", "64"}));
    EXPECT_EQ(plain.at("token_ids"), paged.at("token_ids"));
    EXPECT_EQ(plain.at("token_ids"), chunked.at("token_ids"));
}

TEST(Run, a_prefix_that_is_cached_is_not_computed_again) {
    // The second user asks the same question: its whole blocks are the first one's.
    std::string prompt;
    for (int i = 0; i < 60; ++i) prompt += "good Romeo, ";
    const auto words = [&](std::vector<std::string> more) {
        more.insert(more.end(), {"--prompt", prompt, "--batch", "2", "--block-size", "32"});
        return run_demo("n300", "fp32", 8, std::move(more));
    };
    const Json plain = document(words({}));
    const Json cached = document(words({"--prefix-caching"}));
    EXPECT_EQ(plain.at("token_ids"), cached.at("token_ids"));
    const int tokens = plain.at("prompt_tokens")[0].get<int>();
    ASSERT_GT(tokens, 128);
    EXPECT_EQ(cached.at("cached_tokens"), Json({0, (tokens - 1) / 32 * 32}));
    EXPECT_LT(cached.at("simulated").at("ttft_ms").get<double>(),
              plain.at("simulated").at("ttft_ms").get<double>());
    const Outcome refused =
        tessera(run_demo("n300", "fp32", 8, {"--prompt", "A", "--prefix-caching"}));
    EXPECT_EQ(refused.exit_code, 2);
    EXPECT_TRUE(says(refused.err, "--block-size")) << refused.err;
}

TEST(Run, sampling_puts_the_choice_of_tokens_into_the_simulated_time) {
    // As sim says of the same sizes; the tokens are the same.
    const auto run = [](const char* place) {
        return document(run_demo("n300", "performance", 9, {"--prompt", "A", "--sampling", place}));
    };
    const Json host = run("host");
    const std::string isl = host.at("prompt_tokens")[0].dump();
    const std::string osl = std::to_string(host.at("token_ids")[0].size() - 1);
    const Json sim = document({"sim", kDemo, "--mesh", "n300", "--release", "2026-05", "--isl", isl,
                               "--osl", osl, "--context", "1024", "--sampling", "host"});
    EXPECT_EQ(host.at("simulated").at("decode_step_ms"), sim.at("decode_step_ms"));
    EXPECT_EQ(host.at("simulated").at("ttft_ms"), sim.at("ttft_ms"));
    EXPECT_EQ(host.at("token_ids"), run("device").at("token_ids"));
}

TEST(Run, the_same_run_has_the_same_digest_on_any_number_of_threads) {
    // Threads may only change how long the host takes.
    const auto with = [](const char* threads) {
        Json json = document(
            run_demo("t3k", "performance", 16, {"--prompt", "ROMEO:", "--threads", threads}));
        json.erase("host");
        return json;
    };
    const Json one = with("1");
    EXPECT_EQ(one.at("digest").get<std::string>().size(), 16u);
    EXPECT_EQ(one, with("2"));
    EXPECT_EQ(one, with("4"));
}

TEST(Run, sampling_follows_the_seed) {
    // The same seed must repeat a run; another one must be able to change it.
    const auto with = [](const char* seed) {
        return document({"run", kDemo, "--mesh", "n150", "--prompt", "ROMEO:", "--temperature",
                         "1.5", "--seed", seed, "--max-new-tokens", "24"})
            .at("token_ids");
    };
    const Json first = with("1");
    EXPECT_EQ(first, with("1"));
    EXPECT_NE(first, with("2"));
}

TEST(Run, the_text_for_people_starts_with_the_prompt) {
    // Text streams to stdout and goes on after the prompt; numbers follow it.
    const ReferenceCase expected = reference_cases().front();
    const Outcome outcome = tessera(run_demo("n150", "fp32", 64, {"--prompt", expected.prompt}));
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_TRUE(outcome.out.starts_with(expected.prompt + expected.text + "\n")) << outcome.out;
    EXPECT_TRUE(says(outcome.out, "tokens per second per user"));
    EXPECT_EQ(outcome.err, "");
}

TEST(Run, mesh_device_is_the_default_mesh) {
    // MESH_DEVICE is how users of the real stack say what they have.
    const std::vector<std::string> words{"run", kDemo,   "--prompt", "A", "--max-new-tokens",
                                         "1",   "--json"};
    const Outcome outcome = tessera(words, "N300");
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(Json::parse(outcome.out).at("memory").at("chips").size(), 2u);
    const Outcome without = tessera(words);
    EXPECT_EQ(without.exit_code, 2);
    EXPECT_TRUE(says(without.err, "MESH_DEVICE")) << without.err;
}

TEST(Run, a_prompt_that_does_not_fit_is_an_error_unless_clipped) {
    // Cutting a prompt silently would answer another question.
    std::string prompt;
    for (int i = 0; i < 40; ++i) prompt += "good Romeo, ";
    const auto words = [&](std::vector<std::string> more) {
        more.insert(more.end(), {"--prompt", prompt, "--context", "96"});
        return run_demo("n150", "fp32", 8, std::move(more));
    };
    const Outcome refused = tessera(words({}));
    EXPECT_EQ(refused.exit_code, 2);
    EXPECT_TRUE(says(refused.err,
                     "maximum number of decoded iterations (8) needs to be <= than "
                     "max_seq_len (96)"))
        << refused.err;
    EXPECT_TRUE(says(refused.err, "--clip")) << refused.err;
    const Json clipped = document(words({"--clip"}));
    EXPECT_EQ(clipped.at("prompt_tokens"), Json({88}));  // 96 - 8: the end of the prompt
    EXPECT_EQ(clipped.at("token_ids")[0].size(), 8u);
}

TEST(Run, more_tokens_than_the_model_has_positions_are_an_error) {
    // No clipping helps when the answer alone does not fit.
    const Outcome outcome = tessera(run_demo("n150", "fp32", 5000, {"--prompt", "A", "--clip"}));
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_TRUE(says(outcome.err, "(5000) needs to be <= than max_seq_len (4096)")) << outcome.err;
}

TEST(Run, a_prompts_file_must_be_a_list_of_texts) {
    // Files of prompts come from other tools; each wrong shape is named.
    const TempFolder folder;
    const auto error_of = [&](const char* content) {
        const std::string file = folder.write("prompts.json", content).string();
        const Outcome outcome = tessera(run_demo("n150", "fp32", 1, {"--prompts", file}));
        EXPECT_EQ(outcome.exit_code, 2) << content;
        EXPECT_EQ(outcome.out, "") << content;
        return outcome.err;
    };
    EXPECT_TRUE(says(error_of("{}"), "a list of prompts, got object"));
    EXPECT_TRUE(says(error_of("[]"), "a list of prompts"));
    EXPECT_TRUE(says(error_of("[\"a\", 7]"), "[1]: expected a string"));
    EXPECT_TRUE(says(error_of("[\"a\""), "prompts.json"));
}

}  // namespace

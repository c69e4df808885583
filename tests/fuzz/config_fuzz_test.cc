// A sample of what the fuzz program tries, in every build: config.json files of real models,
// spoiled by the structured mutator from fixed seeds, and inputs that once went wrong.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "tests/fuzz/config_target.h"
#include "tests/fuzz/json_mutator.h"

namespace fuzz {
namespace {

std::vector<std::string> files_below(const char* folder, const char* name) {
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(
             std::filesystem::path(TESSERA_SOURCE_DIR) / folder)) {
        if (entry.path().filename().string().ends_with(name)) paths.push_back(entry.path());
    }
    std::sort(paths.begin(), paths.end());
    std::vector<std::string> texts;
    for (const auto& path : paths) texts.push_back(core::read_text(path));
    return texts;
}

std::vector<std::string> seeds() { return files_below("models/configs", "config.json"); }

TEST(ConfigFuzz, spoiled_configs_are_answered_or_refused_and_nothing_else_happens) {
    // A broken rule, a bad_alloc or a sanitizer finding ends this test; so would a mutator that
    // spoils everything, or nothing.
    std::map<Verdict, int> verdicts;
    std::mt19937 random(1);
    for (const std::string& seed : seeds()) {
        for (int i = 0; i < 8; ++i) ++verdicts[judge_config(mutated(seed, random))];
    }
    EXPECT_GE(verdicts[Verdict::Refused], 50);
    EXPECT_GE(verdicts[Verdict::NoSplit], 5);
    EXPECT_GE(verdicts[Verdict::NoMemory] + verdicts[Verdict::Fits], 50);
}

TEST(ConfigFuzz, unspoiled_configs_are_read_and_planned) {
    // Otherwise the corpus starts with files that stop at the parser or before the planner. Some
    // of them do not split over the mesh that their bytes choose.
    const std::vector<std::string> texts = seeds();
    ASSERT_GE(texts.size(), 30u);
    std::size_t planned = 0;
    for (const std::string& seed : texts) {
        const Verdict verdict = judge_config(seed);
        EXPECT_NE(verdict, Verdict::Refused);
        if (verdict == Verdict::Fits || verdict == Verdict::NoMemory) ++planned;
    }
    EXPECT_GE(planned, texts.size() / 2);
}

TEST(ConfigFuzz, inputs_that_once_went_wrong_are_planned) {
    // One file per finding of the fuzz program, cut down to what it takes.
    const std::vector<std::string> texts = files_below("tests/data/fuzz/config", ".json");
    ASSERT_FALSE(texts.empty());
    for (const std::string& text : texts) {
        const Verdict verdict = judge_config(text);
        EXPECT_TRUE(verdict == Verdict::Fits || verdict == Verdict::NoMemory) << text;
    }
}

TEST(ConfigFuzz, bytes_that_are_no_config_are_refused) {
    // What a byte mutator makes of a file.
    for (const char* text : {"", "{", "null", "[]", "{}", "\xff\xfe{}", "{\"architectures\": 3}",
                             "{\"architectures\": [[[[[[]]]]]]}"}) {
        EXPECT_EQ(judge_config(text), Verdict::Refused) << text;
    }
}

TEST(JsonMutator, makes_every_kind_of_spoiled_file) {
    // A kind that never comes up is a kind that nobody tests.
    const std::string seed = R"({"a": {"b": 4096, "c": [1, 2.5]}, "flag": true, "name": "x"})";
    std::mt19937 random(2);
    std::set<std::string> seen;
    for (int i = 0; i < 5000; ++i) {
        const std::string text = mutated(seed, random);
        const auto note = [&](const char* what, bool found) {
            if (found) seen.insert(what);
        };
        const auto has = [&](const char* part) { return text.find(part) != text.npos; };
        const nlohmann::json value = nlohmann::json::parse(text, nullptr, false);
        note("no JSON", value.is_discarded());
        note("NaN", has(":NaN"));
        note("null", has(":null"));
        note("deep", has("[[[[[["));
        note("negative", has(":-1"));
        note("beyond 64 bits", has("123456789012345678901234567890"));
        note("renamed", has("\"name_\""));
        note("dropped", !has("\"flag"));
        const std::size_t key = text.find("\"name\":");
        note("twice", key != text.npos && text.find("\"name\":", key + 1) != text.npos);
        note("nudged", has("4097") || has("8192"));
    }
    EXPECT_EQ(seen.size(), 10u);
}

TEST(JsonMutator, is_deterministic_and_leaves_other_texts_alone) {
    // A finding must be found again from its seed.
    std::mt19937 first(3);
    std::mt19937 second(3);
    for (int i = 0; i < 50; ++i) {
        EXPECT_EQ(mutated(R"({"a": [1, 2, {"b": 3}]})", first),
                  mutated(R"({"a": [1, 2, {"b": 3}]})", second));
    }
    EXPECT_EQ(mutated("no json", first), "no json");
    EXPECT_EQ(mutated("[1, 2]", first), "[1, 2]");
}

}  // namespace
TEST(ConfigFuzz, a_feed_forward_whose_parts_cannot_be_scattered_does_not_split) {
    // A finding: 14800 columns are 1850 on each of 8 rows of a Galaxy, which 4 columns cannot
    // share.
    constexpr std::string_view kText =
        R"({"architectures":["Qwen2ForCausalLM"],"attention_dropout":0.0,"bos_token_id":151)"
        R"(642,"eos_token_id":75822,"hidden_size":8192,"initializer_range":0.02,"intermedia)"
        R"(te_size":14800,"max_position_embeddings":32769,"max_window_layers":70,"model_typ)"
        R"(e":"qwen2","num_attention_heads":64,"num_hidden_layers":80,"num_key_value_heads")"
        R"(:16,"rms_norm_eps":1e-06,"rope_theta":1000000.0,"sliding_window":131072,"tie_wor)"
        R"(d_embeddings":false,"torch_dtype":"bfloat16","transformers_version":"4.43.1","us)"
        R"(e_cache":true,"use_sliding_window":false,"vocab_size":456192,"torch_dtype_2":70})";
    EXPECT_EQ(judge_config(kText), Verdict::NoSplit);
}

}  // namespace fuzz

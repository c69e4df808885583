// `tessera check`: whether the heads split and whether it fits, with the numbers behind it.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/cli/command.h"
#include "tests/cli/small_model.h"
#include "tests/core/temp_folder.h"

namespace {

TEST(Check, a_model_that_splits_and_fits_is_a_yes) {
    // The plain case: exit code 0 and both answers true.
    const Json json = document({"check", kDemo, "--mesh", "t3k", "--context", "1024"});
    EXPECT_EQ(json.at("splits"), true);
    EXPECT_EQ(json.at("fits"), true);
    EXPECT_EQ(json.at("split").at("heads"), 16);
    EXPECT_EQ(json.at("split").at("kv_heads"), 8);
    EXPECT_EQ(json.at("split").at("tp"), 8);
    EXPECT_EQ(json.at("memory").at("chips").size(), 8u);
    EXPECT_TRUE(json.at("memory").at("failure").is_null());
}

TEST(Check, the_kv_cache_is_counted_to_the_byte) {
    // 4 layers x K and V x 1 user x 1 KV head per chip x 1024 positions x 32 in tiles of 1088
    // bytes.
    const Json json = document({"check", kDemo, "--mesh", "t3k", "--context", "1024"});
    const Json& dram = json.at("memory").at("chips")[0].at("dram");
    const int tiles = 4 * 2 * 1024 / 32;
    const int banks = 12;
    // 32 tiles of a buffer fill three pages of every bank, the last one in part.
    EXPECT_EQ(dram.at("kv_cache_bytes"), 4 * 2 * 3 * banks * 1088);
    EXPECT_GE(dram.at("kv_cache_bytes").get<int>(), tiles * 1088);
}

TEST(Check, half_the_chips_hold_twice_the_cache) {
    // KV heads are split, not copied: a law of tensor parallelism.
    const auto cache = [](const char* mesh) {
        const Json json = document({"check", kDemo, "--mesh", mesh, "--context", "3072"});
        return json.at("memory").at("chips")[0].at("dram").at("kv_cache_bytes").get<std::int64_t>();
    };
    EXPECT_EQ(cache("n150"), 2 * cache("n300"));
    EXPECT_EQ(cache("n300"), 4 * cache("t3k"));
}

TEST(Check, heads_that_do_not_divide_are_reported_with_both_numbers) {
    // "No" is an answer: exit code 1, the text of tt_transformers, and what would work.
    const TempFolder folder;
    const std::string model =
        SmallModel({.heads = 14, .kv_heads = 14, .head_dim = 32, .layers = 1}).write(folder.path());
    const Json json = document({"check", model, "--mesh", "t3k"}, 1);
    EXPECT_EQ(json.at("splits"), false);
    EXPECT_EQ(json.at("fits"), false);
    EXPECT_EQ(json.at("split").at("reasons"),
              Json({"n_heads must be divisible by num_devices: 14 % 8",
                    "n_kv_heads must be divisible by num_devices: 14 % 8"}));
    const std::vector<std::string> options = json.at("split").at("options");
    EXPECT_EQ(options.at(0), "--dp 4 (tensor parallel over 2 chips, 1x2)");
    EXPECT_EQ(options.at(1), "--dp 8 (tensor parallel over 1 chip, 1x1)");
    // Padded heads are one of the ways out, with what they cost.
    const Json details = json.at("split").at("option_details");
    const auto padded = std::find_if(details.begin(), details.end(), [](const Json& option) {
        return option.at("kind") == "head_padding";
    });
    ASSERT_NE(padded, details.end());
    EXPECT_EQ(padded->at("text"), "--pad-heads");
    EXPECT_EQ(padded->at("added_heads"), 2);
    EXPECT_EQ(padded->at("added_kv_heads"), 2);
    EXPECT_GT(padded->at("added_weight_bytes"), 0);
    const Outcome people = tessera({"check", model, "--mesh", "t3k"});
    EXPECT_EQ(people.exit_code, 1);
    EXPECT_TRUE(says(people.out, "n_heads must be divisible by num_devices: 14 % 8"));
    EXPECT_TRUE(says(people.out, "works: --dp 4"));
}

TEST(Check, the_same_heads_stop_every_verb_with_a_no) {
    // The rule is one rule: run, eval and sim give the same text and exit code 1.
    const TempFolder folder;
    const std::string model =
        SmallModel({.heads = 14, .kv_heads = 14, .head_dim = 32, .layers = 1}).write(folder.path());
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"run", model, "--prompt", "A", "--max-new-tokens", "1"},
          {"sim", model, "--isl", "32", "--osl", "32"},
          {"eval", model, "--reference", kLayersReference, "--context", "128"}}) {
        std::vector<std::string> all = words;
        all.insert(all.end(), {"--mesh", "t3k", "--json"});
        const Outcome outcome = tessera(all);
        EXPECT_EQ(outcome.exit_code, 1) << words.front();
        EXPECT_EQ(outcome.out, "") << words.front();
        EXPECT_TRUE(says(outcome.err, "n_heads must be divisible by num_devices: 14 % 8"))
            << outcome.err;
    }
}

TEST(Check, a_cache_that_does_not_fit_is_a_no_with_the_allocators_text) {
    // One chip, 32 users and a million positions: the text people know from the device.
    const TempFolder folder;
    const std::string model = SmallModel({.positions = 1 << 20}).write(folder.path());
    const std::vector<std::string> words{"check",   model, "--mesh",    "n150",
                                         "--batch", "32",  "--context", "1048576"};
    const Json json = document(words, 1);
    EXPECT_EQ(json.at("splits"), true);
    EXPECT_EQ(json.at("fits"), false);
    EXPECT_TRUE(says(json.at("memory").at("failure").get<std::string>(), "Out of Memory"));
    EXPECT_FALSE(json.at("memory").at("failed_buffer").get<std::string>().empty());
    EXPECT_TRUE(says(tessera(words).out, "fits:   no"));
}

TEST(Check, a_mesh_that_cannot_be_grouped_is_an_error) {
    // Eight chips are not three groups.
    const Outcome outcome = tessera({"check", kDemo, "--mesh", "t3k", "--dp", "3"});
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_TRUE(says(outcome.err, "3")) << outcome.err;
}

TEST(Check, padded_heads_make_it_a_yes) {
    // --pad-heads plans what it says: sixteen heads over eight chips.
    const TempFolder folder;
    const std::string model =
        SmallModel({.heads = 14, .kv_heads = 14, .head_dim = 32, .layers = 1}).write(folder.path());
    const Json json = document({"check", model, "--mesh", "t3k", "--pad-heads"});
    EXPECT_EQ(json.at("splits"), true);
    EXPECT_EQ(json.at("split").at("heads"), 16);
}

TEST(Check, the_generated_tokens_do_not_change_with_padded_heads) {
    // The padded model is the same function: one chip as it is, eight chips padded.
    const TempFolder folder;
    const std::string model =
        SmallModel({.heads = 14, .kv_heads = 14, .head_dim = 32, .layers = 1}).write(folder.path());
    const auto ids = [&](const std::string& mesh, std::vector<std::string> more) {
        std::vector<std::string> words{"run",         model, "--mesh",           mesh,
                                       "--prompt",    "A",   "--max-new-tokens", "8",
                                       "--precision", "fp32"};
        words.insert(words.end(), more.begin(), more.end());
        return document(words).at("token_ids");
    };
    EXPECT_EQ(ids("n150", {}), ids("t3k", {"--pad-heads"}));
}

TEST(Check, what_would_fit_is_suggested_and_fits) {
    // Every suggestion was planned: typing it gives a yes.
    const TempFolder folder;
    const std::string model = SmallModel({.positions = 1 << 20}).write(folder.path());
    const std::vector<std::string> words{"check",   model, "--mesh",    "n150",
                                         "--batch", "32",  "--context", "1048576"};
    const Json json = document(words, 1);
    const Json& suggestions = json.at("suggestions");
    ASSERT_FALSE(suggestions.empty());
    bool context = false;
    for (const Json& suggestion : suggestions) {
        if (suggestion.at("kind") != "context") continue;
        context = true;
        const std::string text = suggestion.at("text");
        const std::string smaller = text.substr(text.rfind(' ') + 1);
        EXPECT_EQ(
            document({"check", model, "--mesh", "n150", "--batch", "32", "--context", smaller})
                .at("fits"),
            true);
    }
    EXPECT_TRUE(context);
}

TEST(Check, a_folder_of_models_is_a_table) {
    // Models x systems, one cell each; a config that cannot be read is a row with its error.
    const TempFolder folder;
    std::filesystem::create_directories(folder.path() / "good");
    std::filesystem::create_directories(folder.path() / "bad");
    folder.write("good/config.json", read_file(kDemo + "/config.json"));
    folder.write("bad/config.json", "{");
    const std::string page = (folder.path() / "page.html").string();
    const std::vector<std::string> words{
        "check", "--all", folder.path().string(), "--systems", "n150,t3k", "--html", page};
    const Json table = document(words, 1).at("table");
    ASSERT_EQ(table.size(), 4u);
    EXPECT_EQ(table[0].at("model"), "bad");
    EXPECT_FALSE(table[0].at("reason").is_null());
    EXPECT_EQ(table[3].at("system"), "t3k");
    EXPECT_EQ(table[3].at("fits"), true);
    EXPECT_GT(table[3].at("max_context_tokens"), 0);
    const std::string html = read_file(page);
    EXPECT_TRUE(says(html, "good on t3k"));
    EXPECT_TRUE(says(html, "kv_cache"));
    const Outcome people = tessera(words);
    EXPECT_TRUE(says(people.out, "t3k"));
    EXPECT_TRUE(says(people.out, "bad"));
}

TEST(Check, the_block_of_a_server_is_planned) {
    // Half of DRAM for traces: era A takes the region from every bank.
    const auto trace = [](std::vector<std::string> more) {
        std::vector<std::string> words{"check", kDemo, "--mesh", "n150"};
        words.insert(words.end(), more.begin(), more.end());
        return document(words)
            .at("memory")
            .at("chips")[0]
            .at("dram")
            .at("trace_bytes")
            .get<std::int64_t>();
    };
    EXPECT_EQ(trace({"--override-tt-config", R"({"trace_region_size": 100000000})"}),
              12 * 100'000'000);
    EXPECT_EQ(trace({"--trace-region", "100000000", "--trace-era", "C"}), 12 * 8'339'456);
    EXPECT_EQ(trace({"--trace-region", "0"}), 0);
}

TEST(Check, needs_no_weights) {
    // A config.json alone is enough to plan.
    const TempFolder folder;
    folder.write("config.json", read_file(kDemo + "/config.json"));
    EXPECT_EQ(document({"check", folder.path().string(), "--mesh", "n150"}).at("fits"), true);
}

}  // namespace

// `tessera eval` on eight chips against layers of an independent float32 implementation.
// Thresholds are those the project promises: they come from the formats, not from these runs.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/cli/command.h"
#include "tests/cli/small_model.h"
#include "tests/core/temp_folder.h"

namespace {

std::vector<std::string> eval_layers(const std::string& mesh, const std::string& precision,
                                     std::vector<std::string> more = {}) {
    std::vector<std::string> words{"eval",           kDemo,         "--mesh", mesh, "--reference",
                                   kLayersReference, "--precision", precision};
    if (std::find(more.begin(), more.end(), "--prefill") == more.end()) {
        more.insert(more.end(), {"--prefill", "64"});
    }
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

TEST(Eval, fp32_on_eight_chips_repeats_every_layer_of_the_reference) {
    // Only the order of sums differs, so errors stay near float32's own.
    const Json json = document(eval_layers("t3k", "fp32"));
    EXPECT_EQ(json.at("positions"), 65);  // logits of positions 63 .. 127
    EXPECT_EQ(json.at("top1"), 100.0);
    EXPECT_EQ(json.at("top5"), 100.0);
    EXPECT_LE(json.at("max_abs_error").get<double>(), 2e-3);
    EXPECT_LE(json.at("max_abs_error_hidden_states").get<double>(), 2e-3);
    ASSERT_EQ(json.at("pcc").at("hidden_states").size(), 4u);
    for (const Json& layer : json.at("pcc").at("hidden_states")) {
        EXPECT_GE(layer.get<double>(), 0.999999);
    }
}

TEST(Eval, bf16_on_eight_chips_correlates_with_the_reference) {
    // 8 bits of significand at every op and every hop.
    const Json json = document(eval_layers("t3k", "bf16"));
    EXPECT_GE(json.at("pcc").at("logits").get<double>(), 0.9995);
    for (const Json& layer : json.at("pcc").at("hidden_states")) {
        EXPECT_GE(layer.get<double>(), 0.9995);
    }
    EXPECT_GT(json.at("max_abs_error").get<double>(), 2e-3);  // it really ran in bf16
}

TEST(Eval, performance_on_eight_chips_correlates_with_the_reference) {
    // Block floats of 4 and 8 bits: the published models keep their tokens at this precision.
    const Json json = document(eval_layers("t3k", "performance"));
    EXPECT_GE(json.at("pcc").at("logits").get<double>(), 0.98);
    EXPECT_GE(json.at("top5").get<double>(), 97.0);
    EXPECT_LT(json.at("pcc").at("logits").get<double>(), 0.9999);  // it really ran in block floats
}

TEST(Eval, prints_the_same_document_on_any_number_of_threads) {
    // Every bit of every logit is in these sums, so equal documents are equal values.
    const std::string one = document(eval_layers("t3k", "performance", {"--threads", "1"})).dump();
    EXPECT_EQ(one, document(eval_layers("t3k", "performance", {"--threads", "2"})).dump());
    EXPECT_EQ(one, document(eval_layers("t3k", "performance", {"--threads", "4"})).dump());
}

TEST(Eval, the_chips_of_a_line_agree_with_one_chip) {
    // The sharded run is held against the one-chip run, not only both against the reference.
    const Json one = document(eval_layers("n150", "fp32"));
    const Json two = document(eval_layers("n300", "fp32"));
    EXPECT_NEAR(one.at("pcc").at("logits").get<double>(), two.at("pcc").at("logits").get<double>(),
                1e-9);
    EXPECT_LE(one.at("max_abs_error").get<double>(), 2e-3);
    EXPECT_LE(two.at("max_abs_error").get<double>(), 2e-3);
}

TEST(Eval, every_user_of_a_batch_and_of_two_groups_repeats_the_reference) {
    // 32 users, a position apart; a group of four chips each, pages anywhere.
    const Json one = document(eval_layers("t3k:1x4", "fp32", {"--prefill", "120"}));
    const Json json = document(eval_layers("t3k", "fp32",
                                           {"--prefill", "120", "--batch", "16", "--dp", "2",
                                            "--block-size", "32", "--page-table-seed", "3"}));
    EXPECT_FALSE(one.contains("users"));
    ASSERT_EQ(json.at("users").size(), 32u);
    EXPECT_EQ(json.at("positions"), 32 * 9);
    EXPECT_EQ(json.at("top1"), 100.0);
    EXPECT_EQ(json.at("memory").at("chips").size(), 8u);
    for (const Json& user : json.at("users")) {
        EXPECT_EQ(user.at("max_abs_error"), one.at("max_abs_error"));
        EXPECT_EQ(user.at("positions"), 9);
    }
}

TEST(Eval, users_may_differ_by_their_prefills_instead) {
    // Prompts of 126, 127, 128 and again 126 positions.
    const Json json = document(
        eval_layers("n300", "fp32", {"--prefill", "126", "--batch", "4", "--stagger", "prefills"}));
    std::vector<int> prefills;
    for (const Json& user : json.at("users")) prefills.push_back(user.at("prefill"));
    EXPECT_EQ(prefills, (std::vector<int>{126, 127, 128, 126}));
    EXPECT_LE(json.at("max_abs_error").get<double>(), 2e-3);
}

std::string error_of(const std::vector<std::string>& words, int exit_code) {
    const Outcome outcome = tessera(words);
    EXPECT_EQ(outcome.exit_code, exit_code) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    return outcome.err;
}

TEST(Eval, a_reference_of_another_model_is_an_error) {
    // Comparing with the wrong file would give a number that means nothing.
    const TempFolder folder;
    const std::string model = SmallModel().write(folder.path() / "small");
    const std::string error = error_of(
        {"eval", model, "--mesh", "n150", "--reference", kLayersReference, "--precision", "fp32"},
        2);
    EXPECT_TRUE(says(error, "hidden_states: expected [2, T, 64], got [4, T, 256]")) << error;
}

TEST(Eval, a_reference_longer_than_the_context_is_an_error) {
    // Positions past the context have no place in the cache.
    const std::string error = error_of(eval_layers("n150", "fp32", {"--context", "96"}), 2);
    EXPECT_TRUE(says(error, "input_ids: expected at most 96 positions, got 128")) << error;
}

TEST(Eval, a_missing_reference_is_an_error) {
    // The file is named as the user named it.
    const std::string error = error_of(
        {"eval", kDemo, "--mesh", "n150", "--reference", "/nowhere/reference.safetensors"}, 2);
    EXPECT_TRUE(says(error, "/nowhere/reference.safetensors")) << error;
    EXPECT_EQ(tessera({"eval", kDemo, "--mesh", "n150"}).exit_code, 2);
}

TEST(Eval, a_prefill_past_the_reference_is_an_error) {
    // Both numbers are in the message.
    const std::string error =
        error_of({"eval", kDemo, "--mesh", "n150", "--reference", kLayersReference, "--prefill",
                  "129", "--precision", "fp32"},
                 2);
    EXPECT_TRUE(says(error, "--prefill: expected 1 to 128 positions, got 129")) << error;
}

}  // namespace

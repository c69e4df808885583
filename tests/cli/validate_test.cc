// `tessera validate`: what people and scripts see. What the rows answer is tests/model's.
#include <gtest/gtest.h>

#include "tests/cli/command.h"
#include "tests/core/temp_folder.h"

namespace {

constexpr const char* kFits =
    "model,device,max_context_tokens,fits\n"
    "Llama-3.1-8B,N150,1024,yes\n"
    "Llama-3.1-70B,N150,1024,no\n"
    "Nobody-1B,N150,1024,yes\n";

TEST(Validate, prints_scores_groups_and_what_was_skipped) {
    // The plain call; a table of measurements is never a "no".
    const TempFolder folder;
    const Outcome outcome = tessera({"validate", folder.write("t.csv", kFits).string()});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_TRUE(says(outcome.out, "agree_yes_pct 100.0  agree_no_pct 100.0")) << outcome.out;
    EXPECT_TRUE(says(outcome.out, "skipped    1: no configuration of Nobody-1B")) << outcome.out;
    EXPECT_FALSE(says(outcome.out, "asked")) << outcome.out;
}

TEST(Validate, rows_say_asked_predicted_measured_verdict_and_why) {
    // --rows is how somebody finds out why a percentage is what it is.
    const TempFolder folder;
    const Outcome outcome = tessera({"validate", folder.write("t.csv", kFits).string(), "--rows"});
    EXPECT_TRUE(says(outcome.out, "line 3: agrees\n")) << outcome.out;
    EXPECT_TRUE(says(outcome.out, "  asked      Llama-3.1-70B (Llama-3.1-70B-Instruct) on N150"));
    EXPECT_TRUE(says(outcome.out, "  predicted  no\n  measured   no\n  why "));
    EXPECT_TRUE(says(outcome.out, "Out of Memory: Not enough space to allocate"));
    EXPECT_TRUE(says(outcome.out, "line 4: skipped\n  why        no configuration of Nobody-1B"));
}

TEST(Validate, json_counts_what_it_skipped) {
    // Scripts rely on rows, skipped and the percentages; rows are listed only when asked for.
    const TempFolder folder;
    const std::string table = folder.write("t.csv", kFits).string();
    const Json json = document({"validate", table});
    EXPECT_EQ(json.at("kind"), "memory fit");
    EXPECT_EQ(json.at("rows"), 2);
    EXPECT_EQ(json.at("skipped"), 1);
    EXPECT_EQ(json.at("agree_yes_pct"), 100.0);
    EXPECT_TRUE(json.at("median_ape_pct").is_null());
    EXPECT_EQ(json.at("groups").size(), 1u);
    EXPECT_FALSE(json.contains("row_results"));
    EXPECT_EQ(document({"validate", table, "--rows"}).at("row_results").size(), 3u);
}

TEST(Validate, own_configs_take_the_place_of_the_shipped_ones) {
    // A folder of the user's own models, found by the folder's name.
    const TempFolder folder;
    std::filesystem::create_directories(folder.path() / "mine/Nobody-1B");
    std::filesystem::copy_file(TESSERA_SOURCE_DIR
                               "/models/configs/Llama-3.2-1B-Instruct/config.json",
                               folder.path() / "mine/Nobody-1B/config.json");
    const Json json = document({"validate", folder.write("t.csv", kFits).string(), "--configs",
                                (folder.path() / "mine").string()});
    EXPECT_EQ(json.at("rows"), 1);
    EXPECT_EQ(json.at("skipped"), 2);
}

TEST(Validate, bad_tables_are_bad_input) {
    // Exit code 2, and a message that says where.
    const TempFolder folder;
    const auto failure = [&](const char* text) {
        const Outcome outcome = tessera({"validate", folder.write("t.csv", text).string()});
        EXPECT_EQ(outcome.exit_code, 2) << text;
        EXPECT_EQ(outcome.out, "");
        return outcome.err;
    };
    EXPECT_TRUE(says(failure(""), "expected a header row, got nothing"));
    EXPECT_TRUE(says(failure("a,b\n1,2\n"), "expected the columns of a kind of table"));
    EXPECT_TRUE(
        says(failure("model,device,max_context_tokens,fits\nx,y\n"), "t.csv:2: expected 4 fields"));
    EXPECT_EQ(tessera({"validate", (folder.path() / "absent.csv").string()}).exit_code, 2);
    EXPECT_EQ(tessera({"validate", folder.write("t.csv", kFits).string(), "--configs",
                       (folder.path() / "absent").string()})
                  .exit_code,
              2);
}

}  // namespace

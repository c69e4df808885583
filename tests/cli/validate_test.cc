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

// tenstorrent/tt-metal: tech_reports/CCLs/results/FULL_wormhole_b0_bfloat16_6144.md @608f1592b0f6.
constexpr const char* kTimes =
    "system,op,topology,n_devices,num_links_per_direction,size_bytes,calls_back_to_back,time_us\n"
    "T3K,all_gather,ring,8,1,1048576,1,69.56\n"
    "T3K,all_gather,line,2,1,1048576,1,89.16\n"
    "T3K,all_gather,ring,8,1,1048576,8,69.56\n";

TEST(Validate, times_have_errors_and_rows_that_say_what_was_asked) {
    // No verdict: how far off is the answer.
    const TempFolder folder;
    const std::string table = folder.write("t.csv", kTimes).string();
    const Outcome outcome = tessera({"validate", table, "--rows"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_TRUE(says(outcome.out, "line 2: compared\n  asked      all_gather of 1.00 MiB"));
    EXPECT_TRUE(says(outcome.out, "  measured   69.56 us\n  error      "));
    EXPECT_TRUE(says(outcome.out, "skipped    1: several calls back to back")) << outcome.out;
    EXPECT_TRUE(says(outcome.out, "time_us wormhole_b0 all_gather ring 8 chips 1 link to 1 MiB"));
    EXPECT_FALSE(says(outcome.out, "null")) << outcome.out;
    const Json json = document({"validate", table});
    EXPECT_EQ(json.at("rows"), 2);
    EXPECT_EQ(json.at("skipped"), 1);
    EXPECT_EQ(json.at("groups").size(), 2u);
    EXPECT_EQ(json.at("software"), "tt-metal");
    EXPECT_LT(json.at("median_ape_pct"), 10.0);
    EXPECT_TRUE(json.at("exact_pct").is_null());
    EXPECT_FALSE(json.contains("null"));
}

TEST(Validate, the_null_stands_beside_what_is_simulated) {
    // Whoever doubts the simulation sees what the published closed form says on the same rows.
    const TempFolder folder;
    const std::string table = folder.write("t.csv", kTimes).string();
    EXPECT_TRUE(says(tessera({"validate", table, "--null"}).out, "  null of 2 rows: median "));
    const Json json = document({"validate", table, "--null", "--rows"});
    EXPECT_EQ(json.at("null").at("rows"), 2);
    EXPECT_GT(json.at("null").at("median_ape_pct"), json.at("median_ape_pct"));
    EXPECT_EQ(json.at("groups").at(0).at("null").at("rows"), 1);
    const Json& rows = json.at("row_results");
    EXPECT_TRUE(rows.at(0).at("null_error_pct").is_number());
    EXPECT_TRUE(rows.at(2).at("error_pct").is_null());
}

TEST(Validate, tables_without_a_closed_form_say_so) {
    // --null on a table of yes and no is no error, and no number either.
    const TempFolder folder;
    const std::string table = folder.write("t.csv", kFits).string();
    EXPECT_TRUE(says(tessera({"validate", table, "--null"}).out, "null not published"));
    EXPECT_TRUE(document({"validate", table, "--null"}).at("null").at("median_ape_pct").is_null());
}

TEST(Validate, all_tables_of_a_folder_are_one_call) {
    // Tables of an unknown kind, and files that are no tables, are left alone.
    const TempFolder folder;
    folder.write("b_times.csv", kTimes);
    folder.write("a_fits.csv", kFits);
    folder.write("other.csv", "colour,size\nred,1\n");
    folder.write("notes.txt", "no table");
    const std::string path = folder.path().string();
    const Json list = document({"validate", "--all", path});
    ASSERT_EQ(list.size(), 2u);
    EXPECT_EQ(list.at(0).at("table"), "a_fits.csv");
    EXPECT_EQ(list.at(0).at("rows"), 2);
    EXPECT_EQ(list.at(1).at("kind"), "collectives");
    const Outcome lines = tessera({"validate", "--all", path});
    EXPECT_TRUE(says(lines.out, "a_fits.csv")) << lines.out;
    EXPECT_TRUE(says(lines.out, "agree_yes_pct 100.0")) << lines.out;
    const Outcome page = tessera({"validate", "--all", path, "--markdown", "--null"});
    EXPECT_TRUE(
        says(page.out, "| a_fits.csv | memory fit | 2 | 1 | - | - | - | - | 100.0 | 100.0 |"))
        << page.out;
    EXPECT_EQ(tessera({"validate"}).exit_code, 2);
    EXPECT_EQ(tessera({"validate", "--all", path + "/nothing"}).exit_code, 2);
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

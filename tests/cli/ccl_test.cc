// `tessera ccl`: how long does a collective take, and how sure is that.
#include <gtest/gtest.h>

#include "tests/cli/command.h"
#include "tests/core/temp_folder.h"

namespace {

TEST(Ccl, the_first_row_of_the_tables) {
    // T3K, ring, 1 MiB: 69.56 us measured, 6.59 GB/s per link and direction.
    const Json json = document(
        {"ccl", "all_gather", "--mesh", "t3k", "--bytes", "1048576", "--topology", "ring"});
    const double time = json.at("time_us").get<double>();
    EXPECT_NEAR(time / 69.56, 1, 0.05);
    EXPECT_EQ(json.at("bottleneck_bytes"), 917504);
    EXPECT_NEAR(json.at("algbw_GBps").get<double>(), 1048.576 / time, 1e-9);
    EXPECT_NEAR(json.at("busbw_GBps").get<double>(), 1048.576 / time * 7 / 8, 1e-9);
    EXPECT_NEAR(json.at("linkbw_GBps").get<double>(), 917.504 / time / 2, 1e-9);
    EXPECT_EQ(json.at("error").at("group"), "wormhole_b0 all_gather ring 8 chips 1 link to 1 MiB");
    EXPECT_LT(json.at("error").at("median_ape_pct").get<double>(), 5.0);
}

TEST(Ccl, what_was_not_measured_is_extrapolated) {
    // No table has four Galaxy links, and none the default packet size.
    const Json galaxy =
        document({"ccl", "all_gather", "--mesh", "galaxy", "--axis", "0", "--bytes", "1048576"});
    EXPECT_EQ(galaxy.at("links"), 4);
    EXPECT_EQ(galaxy.at("error"), "extrapolated");
    const Json packets =
        document({"ccl", "all_gather", "--mesh", "t3k", "--bytes", "1048576", "--packet", "4352"});
    EXPECT_EQ(packets.at("error"), "extrapolated");
}

TEST(Ccl, the_release_decides_whether_there_is_a_one_shot_scatter) {
    // 512 KiB on a ring of eight: 102.8 us with it.
    const std::vector<std::string> words{"ccl",     "reduce_scatter", "--mesh",   "t3k",
                                         "--bytes", "524288",         "--release"};
    const auto with = [&words](const std::string& release) {
        std::vector<std::string> all = words;
        all.push_back(release);
        return document(all);
    };
    EXPECT_EQ(with("2026-09").at("runs")[0].at("algorithm"), "direct");
    EXPECT_EQ(with("2026-05").at("runs")[0].at("algorithm"), "default");
    EXPECT_LT(with("2026-05").at("time_us"), with("2026-09").at("time_us"));
    EXPECT_EQ(with("2026-05").at("error"), "extrapolated");
}

TEST(Ccl, a_cut_cable_is_said_and_a_strict_mesh_refuses) {
    // Relaxed: the ring becomes a line, slower, with the cause beside it. Strict: no.
    const TempFolder folder;
    const std::string cut =
        folder.write("cut.yaml", "base: t3k\ntitle: cut\ncut: [[4, 5]]\n").string();
    const Json ring = document({"ccl", "all_gather", "--mesh", "t3k", "--bytes", "8388608"});
    const Json line = document({"ccl", "all_gather", "--mesh", cut, "--bytes", "8388608"});
    EXPECT_EQ(ring.at("topology"), "ring");
    EXPECT_EQ(line.at("topology"), "line");
    EXPECT_GT(line.at("time_us"), ring.at("time_us"));
    EXPECT_FALSE(line.at("notes").empty());
    const std::string strict = folder
                                   .write("strict.yaml",
                                          "base: galaxy\ntitle: strict\npolicy: strict\n"
                                          "cut: [{between: [0, 16], links: 1}]\n")
                                   .string();
    const Outcome outcome = tessera({"ccl", "all_gather", "--mesh", strict, "--bytes", "65536"});
    EXPECT_EQ(outcome.exit_code, 1) << outcome.err;
    EXPECT_TRUE(says(outcome.err, "chip 0")) << outcome.err;
    // Relaxed, the same cut leaves three links.
    const std::string relaxed = folder
                                    .write("relaxed.yaml",
                                           "base: galaxy\ntitle: relaxed\n"
                                           "cut: [{between: [0, 16], links: 1}]\n")
                                    .string();
    EXPECT_EQ(document({"ccl", "all_gather", "--mesh", relaxed, "--axis", "1", "--bytes", "65536"})
                  .at("links"),
              3);
}

TEST(Ccl, what_never_ends_is_a_no_that_names_who_waits) {
    const TempFolder folder;
    const std::string stopped =
        folder.write("stopped.yaml", "base: t3k\nstopped: [[2, 6]]\n").string();
    const std::vector<std::string> words{"ccl",   "all_gather", "--mesh",
                                         stopped, "--bytes",    "65536"};
    const Outcome outcome = tessera(words);
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_TRUE(says(outcome.err, "TIMEOUT: device timeout, potential hang detected"))
        << outcome.err;
    EXPECT_TRUE(says(outcome.err, "the router of chip 2 towards chip 6")) << outcome.err;
    const Outcome model = tessera({"sim", kDemo, "--mesh", stopped});
    EXPECT_EQ(model.exit_code, 1);
    EXPECT_TRUE(says(model.err, "waits at its barrier")) << model.err;
    // What if there were a way around.
    std::vector<std::string> around = words;
    around.push_back("--reroute");
    const Json detour = document(around);
    const Json whole = document({"ccl", "all_gather", "--mesh", "t3k", "--bytes", "65536"});
    EXPECT_GT(detour.at("time_us"), whole.at("time_us"));
    EXPECT_EQ(detour.at("error"), "extrapolated");
}

TEST(Ccl, a_ring_that_does_not_close_is_a_line_or_a_hang_by_release) {
    const std::vector<std::string> words{"ccl",     "all_gather", "--mesh",     "galaxy",
                                         "--axis",  "0",          "--topology", "ring",
                                         "--bytes", "65536",      "--release"};
    const auto with = [&words](const std::string& release) {
        std::vector<std::string> all = words;
        all.push_back(release);
        return tessera(all);
    };
    EXPECT_EQ(with("2026-09").exit_code, 0);
    EXPECT_EQ(with("2026-05").exit_code, 1);
    const TempFolder folder;
    const std::string cut = folder.write("cut.yaml", "base: t3k\ncut: [[2, 6]]\n").string();
    const Outcome old = tessera({"sim", kDemo, "--mesh", cut, "--release", "2026-05"});
    EXPECT_EQ(old.exit_code, 1);
    EXPECT_TRUE(says(old.err, "no link between chip 2 and chip 6")) << old.err;
    EXPECT_EQ(tessera({"sim", kDemo, "--mesh", cut}).exit_code, 0);
}

TEST(Ccl, a_ring_over_lines_of_routers_locks_up) {
    const Outcome outcome = tessera({"ccl", "all_to_all", "--mesh", "t3k", "--topology", "ring",
                                     "--fabric-config", "FABRIC_1D", "--bytes", "4194304"});
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_TRUE(says(outcome.err, "waits for a free slot of the router of chip")) << outcome.err;
}

TEST(Ccl, bad_words_are_refused) {
    // Exit code 2 and the key.
    EXPECT_EQ(tessera({"ccl", "gather", "--mesh", "t3k", "--bytes", "4096"}).exit_code, 2);
    EXPECT_EQ(tessera({"ccl", "all_gather", "--mesh", "t3k"}).exit_code, 2);
    EXPECT_EQ(tessera({"ccl", "all_gather", "--mesh", "t3k", "--bytes", "0"}).exit_code, 2);
    const Outcome links =
        tessera({"ccl", "all_gather", "--mesh", "t3k", "--bytes", "4096", "--links", "2"});
    EXPECT_EQ(links.exit_code, 2);
    EXPECT_TRUE(says(links.err, "expected 1 to 1, got 2")) << links.err;
    const Outcome alone = tessera({"ccl", "all_gather", "--mesh", "n150", "--bytes", "4096"});
    EXPECT_EQ(alone.exit_code, 2);
}

TEST(Ccl, people_get_the_time_and_how_far_it_may_be_off) {
    // One line per figure.
    const Outcome outcome = tessera({"ccl", "all_reduce", "--mesh", "n300", "--bytes", "1048576"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_TRUE(says(outcome.out, "all_reduce of 1.00 MiB")) << outcome.out;
    EXPECT_TRUE(says(outcome.out, "line of 2, 1 link, default")) << outcome.out;
    EXPECT_TRUE(says(outcome.out, "median")) << outcome.out;
}

}  // namespace

// Meshes that are unknown, wrongly written, damaged or in pieces, seen from the command line.
#include <gtest/gtest.h>

#include "tests/cli/command.h"
#include "tests/core/temp_folder.h"

namespace {

TEST(BadTopology, an_unknown_mesh_lists_the_known_ones) {
    // A typing error should not need the manual.
    for (const char* verb : {"run", "check", "sim"}) {
        std::vector<std::string> words{verb, kDemo, "--mesh", "t4k"};
        if (words[0] == "run") words.insert(words.end(), {"--prompt", "A"});
        const Outcome outcome = tessera(words);
        EXPECT_EQ(outcome.exit_code, 2) << verb;
        for (const char* known : {"bh-galaxy", "n150", "n150x4", "t3k", "p300x2", "\"t4k\""}) {
            EXPECT_TRUE(says(outcome.err, known)) << outcome.err;
        }
    }
    EXPECT_TRUE(says(tessera({"topo", "show", "t4k"}).err, "n150x4"));
}

TEST(BadTopology, a_cable_with_one_end_is_an_error) {
    // A link listed at one chip only is a mistake in the file, not a broken cable.
    const TempFolder folder;
    const std::string file = folder
                                 .write("one-sided.yaml", R"(chip: p150
chips:
  - {id: 0, links: {1: 2}}
  - {id: 1, links: {0: 1}}
)")
                                 .string();
    const Outcome outcome = tessera({"check", kDemo, "--mesh", file});
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_TRUE(says(outcome.err, "chips[1].links: expected 2 to chip 0 (chip 0 lists 2), got 1"))
        << outcome.err;
    EXPECT_TRUE(says(outcome.err, "a cable has two ends")) << outcome.err;
}

TEST(BadTopology, a_cut_ring_runs_as_a_line_and_says_so) {
    // One broken cable costs speed, not the answer.
    const TempFolder folder;
    const std::string file = folder
                                 .write("cut.yaml", R"(base: t3k
title: T3K with a cut ring
cut: [[4, 5]]
)")
                                 .string();
    const ReferenceCase expected = reference_cases().front();
    const Json json = document(run_demo(file, "fp32", 24, {"--prompt", expected.prompt}));
    EXPECT_EQ(json.at("problems"),
              Json({"cut: 2 of 2 links between chip 4 and chip 5",
                    "ring 1x8: no link between chip 5 and chip 4; line is used"}));
    EXPECT_EQ(
        json.at("token_ids")[0].get<std::vector<std::int32_t>>(),
        std::vector<std::int32_t>(expected.token_ids.begin(), expected.token_ids.begin() + 24));
    // Large slices need both ways round the ring.
    const auto gather = [](const std::string& mesh) {
        return document({"ccl", "all_gather", "--mesh", mesh, "--bytes", "67108864"})
            .at("time_us")
            .get<double>();
    };
    EXPECT_GT(gather(file), gather("t3k"));
    EXPECT_TRUE(says(tessera({"topo", "show", file}).out, "line of 8"));
}

TEST(BadTopology, a_mesh_that_falls_apart_is_a_no) {
    // A chip without cables cannot be reached: exit code 1, with the pairs that are missing.
    const TempFolder folder;
    const std::string file = folder
                                 .write("apart.yaml", R"(base: t3k
title: T3K with a lost chip
cut: [[4, 5], [4, 0]]
)")
                                 .string();
    const Outcome outcome = tessera(run_demo(file, "fp32", 1, {"--prompt", "A"}));
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_EQ(outcome.out, "");
    EXPECT_TRUE(says(outcome.err, "no links between the chip groups {0, 1, 2, 3, 5, 6, 7} and {4}"))
        << outcome.err;
    const Json json = document({"topo", "check", file}, 1);
    EXPECT_FALSE(json.at("problems").empty());
}

TEST(BadTopology, a_file_with_an_unknown_key_is_an_error) {
    // A misspelled key that is ignored would simulate another machine.
    const TempFolder folder;
    const std::string file = folder.write("typo.yaml", "base: t3k\ncutt: [[4, 5]]\n").string();
    const Outcome outcome = tessera({"topo", "show", file});
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_TRUE(says(outcome.err, "cutt")) << outcome.err;
}

TEST(BadTopology, a_missing_file_is_an_error) {
    // It looks like a file, so the message speaks of a file.
    const Outcome outcome = tessera({"topo", "show", "/nowhere/system.yaml"});
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_TRUE(says(outcome.err, "/nowhere/system.yaml")) << outcome.err;
}

}  // namespace

// `tessera topo`: what is wired to what, as data, as text and as a drawing.
#include <gtest/gtest.h>

#include <set>

#include "tests/cli/command.h"
#include "tests/core/temp_folder.h"

namespace {

TEST(Topo, t3k_is_the_perimeter_ring_of_eight) {
    // The only ring of eight in a T3000: chips 4 0 2 6 7 3 1 5, one link left after dispatch's.
    const Json json = document({"topo", "show", "t3k"});
    EXPECT_EQ(json.at("chips"), 8);
    EXPECT_EQ(json.at("shape"), Json({1, 8}));
    EXPECT_EQ(json.at("links"), 20);
    EXPECT_EQ(json.at("pairs"), 10);
    EXPECT_EQ(json.at("chip_ids"), Json({4, 0, 2, 6, 7, 3, 1, 5}));
    EXPECT_EQ(json.at("axes")[1].at("topology"), "ring");
    EXPECT_EQ(json.at("axes")[1].at("links"), 1);
    EXPECT_TRUE(json.at("problems").empty());
}

TEST(Topo, galaxy_is_eight_by_four) {
    // 8x4, 52 neighbouring pairs of four cables each.
    const Json json = document({"topo", "check", "galaxy"});
    EXPECT_EQ(json.at("shape"), Json({8, 4}));
    EXPECT_EQ(json.at("pairs"), 8 * 3 + 7 * 4);
    EXPECT_EQ(json.at("links"), 4 * (8 * 3 + 7 * 4));
}

TEST(Topo, a_shape_can_be_asked_for) {
    // NAME:RxC; names are not case-sensitive.
    const Json json = document({"topo", "show", "T3K:2x4"});
    EXPECT_EQ(json.at("shape"), Json({2, 4}));
    const Outcome too_large = tessera({"topo", "show", "t3k:4x4"});
    EXPECT_EQ(too_large.exit_code, 1) << too_large.err;
    EXPECT_EQ(tessera({"topo", "show", "t3k:0x4"}).exit_code, 2);
    EXPECT_EQ(tessera({"topo", "show", "t3k:axb"}).exit_code, 2);
}

TEST(Topo, the_drawing_shows_every_chip_and_every_pair) {
    // One square per chip, one line per pair of neighbours.
    const TempFolder folder;
    const std::string file = (folder.path() / "t3k.svg").string();
    const Outcome outcome = tessera({"topo", "show", "t3k", "--svg", file});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    const std::string svg = read_file(file);
    const auto count = [&svg](const std::string& part) {
        std::size_t found = 0;
        for (std::size_t at = 0; (at = svg.find(part, at)) != svg.npos; ++at) ++found;
        return found;
    };
    EXPECT_EQ(count("<rect"), 8u);
    EXPECT_EQ(count("<path"), 10u);
    EXPECT_TRUE(svg.ends_with("</svg>\n"));
}

TEST(Topo, a_drawing_that_cannot_be_written_is_an_error) {
    // Silence would leave the user looking for the file.
    const Outcome outcome = tessera({"topo", "show", "t3k", "--svg", "/nowhere/t3k.svg"});
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_TRUE(says(outcome.err, "/nowhere/t3k.svg: cannot be written")) << outcome.err;
}

TEST(Topo, every_system_of_the_catalog_opens) {
    // A system file that does not load would be found by users only.
    std::set<std::filesystem::path> files;
    for (const auto& entry :
         std::filesystem::directory_iterator(TESSERA_SOURCE_DIR "/topologies/systems")) {
        files.insert(entry.path());
    }
    EXPECT_GE(files.size(), 13u);
    for (const std::filesystem::path& file : files) {
        const Json json = document({"topo", "check", file.stem().string()});
        EXPECT_GT(json.at("chips").get<int>(), 0) << file;
        EXPECT_TRUE(json.at("problems").empty()) << file;
    }
}

}  // namespace

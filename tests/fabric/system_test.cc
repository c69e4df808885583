#include "fabric/system.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>

#include "tests/fabric/fixture.h"

namespace fabric {
namespace {

using testing::catalog;
using testing::contains;
using testing::error_of;
using testing::numbers;
using testing::system_of;

struct Counts {
    const char* name;
    std::int32_t chips;
    std::size_t pairs;
    std::int32_t links;
    std::size_t mmio;
    mesh::Shape shape;
};

class Systems : public ::testing::TestWithParam<Counts> {};

TEST_P(Systems, wiring_has_the_published_counts) {
    // Pairs and links counted from tt-umd's captures; a wrong grid order would change them.
    const Counts expected = GetParam();
    const System system = load_system(catalog(), expected.name);
    EXPECT_EQ(system.wiring.chips, expected.chips);
    EXPECT_EQ(system.wiring.edges.size(), expected.pairs);
    EXPECT_EQ(system.wiring.total_links(), expected.links);
    EXPECT_EQ(system.mmio_chips.size(), expected.mmio);
    ASSERT_FALSE(system.meshes.empty());
    EXPECT_EQ(system.meshes.front().shape, expected.shape);
    EXPECT_TRUE(system.problems.empty());
}

INSTANTIATE_TEST_SUITE_P(
    All, Systems,
    ::testing::Values(Counts{"n150", 1, 0, 0, 1, {1, 1}}, Counts{"n300", 2, 1, 2, 1, {1, 2}},
                      Counts{"n150x4", 4, 3, 3, 4, {1, 4}}, Counts{"t3k", 8, 10, 20, 4, {1, 8}},
                      Counts{"tg", 36, 60, 216, 4, {8, 4}},
                      Counts{"galaxy", 32, 52, 208, 32, {8, 4}},
                      Counts{"galaxy-torus-x", 32, 60, 240, 32, {8, 4}},
                      Counts{"galaxy-torus-y", 32, 56, 224, 32, {8, 4}},
                      Counts{"galaxy-torus-xy", 32, 64, 256, 32, {8, 4}},
                      Counts{"p100", 1, 0, 0, 1, {1, 1}}, Counts{"p150", 1, 0, 0, 1, {1, 1}},
                      Counts{"p150x4", 4, 4, 16, 4, {1, 4}}, Counts{"p150x8", 8, 12, 24, 8, {1, 8}},
                      Counts{"p300", 2, 1, 2, 2, {1, 2}}, Counts{"p300x2", 4, 4, 8, 4, {1, 4}},
                      Counts{"bh-galaxy", 32, 68, 140, 32, {8, 4}}),
    [](const auto& one) {
        std::string name = one.param.name;
        for (char& c : name) c = c == '-' ? '_' : c;
        return name;
    });

/// How many chips have how many neighbours.
std::map<std::size_t, int> degrees(const Wiring& wiring) {
    std::map<std::size_t, int> count;
    for (std::int32_t i = 0; i < wiring.chips; ++i) ++count[wiring.neighbours({i}).size()];
    return count;
}

using Degrees = std::map<std::size_t, int>;

TEST(System, degrees_tell_the_shape_of_the_wiring) {
    // Counts alone cannot tell a cube from a ladder with chords.
    const auto of = [](const char* name) { return degrees(load_system(catalog(), name).wiring); };
    EXPECT_EQ(of("t3k"), (Degrees{{2, 4}, {3, 4}}));
    EXPECT_EQ(of("p150x4"), (Degrees{{2, 4}}));
    EXPECT_EQ(of("p150x8"), (Degrees{{3, 8}}));
    EXPECT_EQ(of("galaxy"), (Degrees{{2, 4}, {3, 16}, {4, 12}}));
    EXPECT_EQ(of("galaxy-torus-xy"), (Degrees{{4, 32}}));
    EXPECT_EQ(of("bh-galaxy"), (Degrees{{4, 24}, {5, 8}}));
}

TEST(System, t3k_has_a_hamiltonian_cycle_on_eight_of_its_ten_pairs) {
    // The 1x8 ring of the LLM code is the perimeter; the two inner rungs stay unused.
    const System t3k = load_system(catalog(), "t3k");
    const std::array<std::int32_t, 8> cycle{4, 0, 2, 6, 7, 3, 1, 5};
    EXPECT_EQ(numbers(t3k.meshes.front().chips),
              (std::vector<std::int32_t>(cycle.begin(), cycle.end())));
    for (std::size_t i = 0; i < cycle.size(); ++i) {
        EXPECT_EQ(t3k.wiring.links_between({cycle[i]}, {cycle[(i + 1) % cycle.size()]}), 2);
    }
    EXPECT_EQ(t3k.wiring.links_between({0}, {1}), 2);
    EXPECT_EQ(t3k.wiring.links_between({2}, {3}), 2);
}

TEST(System, names_are_sorted_and_found_in_any_case) {
    // MESH_DEVICE spells them T3K, BH-Galaxy, P150x4.
    const std::vector<std::string> names = system_names(catalog());
    EXPECT_EQ(names.size(), 16u);
    EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
    EXPECT_EQ(load_system(catalog(), "T3K").name, "t3k");
    EXPECT_EQ(load_system(catalog(), "BH-Galaxy").name, "bh-galaxy");
}

TEST(System, links_carry_the_numbers_of_their_architecture) {
    // The two architectures differ in rate and latency only; mixing them up doubles every time.
    const LinkSpec wormhole = load_system(catalog(), "t3k").link;
    EXPECT_EQ(wormhole.line_rate.value, 12'500'000'000);
    EXPECT_EQ(wormhole.hop_latency.count(), 711'000);
    EXPECT_EQ(wormhole.packet_payload.value, 4352);
    const LinkSpec blackhole = load_system(catalog(), "p150x8").link;
    EXPECT_EQ(blackhole.line_rate.value, 25'000'000'000);
    EXPECT_EQ(blackhole.hop_latency.count(), 515'000);
}

TEST(System, what_was_loaded_is_shared_by_all_that_name_it) {
    Catalog shared = catalog();
    shared.loaded = std::make_shared<Loaded>();
    const System n300 = load_system(shared, "n300");
    EXPECT_EQ(n300.chip.kernels, load_system(shared, "t3k").chip.kernels);
    EXPECT_EQ(n300.chip.kernels, load_system(shared, "n150").chip.kernels);
    EXPECT_NE(n300.chip.kernels, load_system(shared, "p150").chip.kernels);
    EXPECT_NE(n300.chip.kernels, load_system(catalog(), "n300").chip.kernels);
}

TEST(System, an_unknown_name_lists_the_known_ones) {
    // The commonest mistake of all: a name that is nearly right.
    try {
        load_system(catalog(), "t4k");
        FAIL() << "t4k is no system";
    } catch (const core::Error& error) {
        EXPECT_TRUE(contains(error.what(), "\"t4k\""));
        EXPECT_TRUE(contains(error.what(), "p300x2, t3k, tg"));
    }
    EXPECT_THROW(load_system(catalog(), "no/such/file.yaml"), core::Error);
    EXPECT_THROW(system_names({"no-such-folder"}), core::Error);
}

TEST(SystemFile, one_line_cuts_a_cable) {
    // "What if this cable is cut" must not need a copy of the whole system.
    const System system = system_of("base: galaxy\ncut: [[0, 16], {between: [4, 20], links: 3}]\n");
    EXPECT_EQ(system.wiring.edges.size(), 51u);
    EXPECT_EQ(system.wiring.total_links(), 208 - 4 - 3);
    EXPECT_EQ(system.wiring.links_between({0}, {16}), 0);
    EXPECT_EQ(system.wiring.built_between({0}, {16}), 4);
    EXPECT_EQ(system.wiring.links_between({20}, {4}), 1);
    EXPECT_EQ(system.expected_links, 4);
    EXPECT_EQ(system.problems,
              (std::vector<std::string>{"cut: 4 of 4 links between chip 0 and chip 16",
                                        "cut: 3 of 4 links between chip 4 and chip 20"}));
}

TEST(SystemFile, one_line_wraps_an_axis) {
    // The torus variants are the Galaxy with `wrap` changed, also in a user's file.
    const System system = system_of("base: galaxy\nwrap: y\n");
    EXPECT_EQ(system.wiring.edges.size(), 56u);
    EXPECT_EQ(system.wiring.links_between({0}, {1}), 4);
}

TEST(SystemFile, links_may_be_listed_at_both_ends) {
    // Irregular systems have no grid; the count on each side is the check of the other.
    const System system = system_of(
        "chip: p150\nchips:\n"
        "  - {id: 0, links: {1: 2, 2: 1}}\n"
        "  - {id: 1, links: {0: 2, 2: 2}}\n"
        "  - {id: 2, links: {0: 1, 1: 2}}\n");
    EXPECT_EQ(system.wiring.total_links(), 5);
    EXPECT_EQ(system.expected_links, 2);
    ASSERT_EQ(system.meshes.size(), 1u);
    EXPECT_EQ(system.meshes.front().shape, (mesh::Shape{1, 3}));
}

TEST(SystemFile, a_one_sided_link_is_an_error_at_the_silent_end) {
    // One-sided links dropped in discovery are a real fault (tt-metal #43047).
    const std::string text = error_of(
        "chip: p150\nchips:\n"
        "  - {id: 0, links: {1: 2}}\n"
        "  - {id: 1}\n");
    EXPECT_TRUE(contains(text, "chips[1].links: expected 2 to chip 0 (chip 0 lists 2), got 0"))
        << text;
    EXPECT_TRUE(contains(text, "hint: a cable has two ends")) << text;
    EXPECT_TRUE(contains(error_of("chip: p150\nchips:\n"
                                  "  - {id: 0, links: {1: 2}}\n"
                                  "  - {id: 1, links: {0: 1}}\n"),
                         "chips[1].links: expected 2 to chip 0"));
}

TEST(SystemFile, a_link_override_changes_one_number) {
    // Experiments vary one parameter; the rest must stay as published.
    const System system = system_of("base: t3k\nlink: {hop_latency_ns: 800}\n");
    EXPECT_EQ(system.link.hop_latency.count(), 800'000);
    EXPECT_EQ(system.link.line_rate.value, 12'500'000'000);
    EXPECT_TRUE(contains(error_of("base: t3k\nlink: {hop_latency: 800}\n"), "link.hop_latency"));
    EXPECT_TRUE(contains(error_of("base: t3k\nlink: {line_rate_MBps: -1}\n"),
                         "link.line_rate_MBps: expected an integer from 1"));
}

struct Wrong {
    const char* text;
    const char* key;
};

class WrongFiles : public ::testing::TestWithParam<Wrong> {};

TEST_P(WrongFiles, are_errors_that_name_file_and_key) {
    // Whatever a user writes ends in a message, never in a crash or a huge allocation.
    const std::string text = error_of(GetParam().text);
    EXPECT_TRUE(contains(text, "mine.yaml: ")) << text;
    EXPECT_TRUE(contains(text, GetParam().key)) << text;
    EXPECT_TRUE(contains(text, "while loading system")) << text;
}

INSTANTIATE_TEST_SUITE_P(
    All, WrongFiles,
    ::testing::Values(
        Wrong{"", "(the file): expected a mapping"}, Wrong{"[1, 2", "expected YAML"},
        Wrong{"chip: p150\n", "expected a grid"}, Wrong{"grid: [1, 2]\n", "chip: expected a value"},
        Wrong{"chip: p150\ngrid: [2, 2]\n", "links: expected a value, got nothing"},
        Wrong{"chip: p150\ngrid: [2, 2]\nlinks: -4\n", "links: expected an integer from 1 to 64"},
        Wrong{"chip: p150\ngrid: [0, 2]\nlinks: 1\n", "grid[0]: expected an integer"},
        Wrong{"chip: p150\ngrid: [100000, 100000]\nlinks: 1\n", "grid[0]"},
        Wrong{"chip: p150\ngrid: [4096, 4096]\nlinks: 1\n", "grid[1]"},
        Wrong{"chip: p150\nchips: 99999999999999999999\n", "chips: expected an integer"},
        Wrong{"chip: p150\ngrid: [[0, 1], [2]]\nlinks: 1\n", "grid[1]: expected 2 entries, got 1"},
        Wrong{"chip: p150\ngrid: [[0, 1], [2, 1]]\nlinks: 1\n", "chip 1 twice"},
        Wrong{"chip: p150\ngrid: [[0, 9]]\nlinks: 1\n", "grid: expected chips from 0 to 1"},
        Wrong{"chip: p150\ngrid: [2, 4]\nlinks: 1\nwrap: y\n", "wrap: expected a grid of three"},
        Wrong{"chip: p150\ngrid: [4, 4]\nlinks: 1\nwrap: z\n", "wrap: expected none, x, y or xy"},
        Wrong{"chip: p150\nchips: 2\nedges: [[0, 0, 1]]\n", "chip 0 joined to itself"},
        Wrong{"chip: p150\nchips: 2\nedges: [[0, 2, 1]]\n", "edges[0][1]: expected an integer"},
        Wrong{"chip: p150\nchips: 2\nedges: [[0, 1]]\n", "[chip, chip, links]"},
        Wrong{"chip: p150\nchips: 2\nlinks: 1\nedges: [[0, 1], [1, 0]]\n",
              "edges[1]: expected every"},
        Wrong{"chip: p150\nchips:\n  - {id: 0}\n  - {id: 0}\n", "chips[1].id: expected an id"},
        Wrong{"chip: p150\nchips:\n  - {id: 0, links: {0: 1}}\n", "a link to itself"},
        Wrong{"chip: p150\nchips:\n  - {id: 0, links: {7: 1}}\n", "chip numbers from 0 to 0"},
        Wrong{"base: t3k\nmmio: [0, 0]\n", "mmio: expected every chip once"},
        Wrong{"base: t3k\nmmio: [8]\n", "mmio[0]"}, Wrong{"base: t3k\nmmio: some\n", "mmio"},
        Wrong{"base: t3k\nmeshes: [{shape: 2y4}]\n", "meshes[0].shape: expected rows x columns"},
        Wrong{"base: t3k\nmeshes: [{shape: 4x2}]\n", "meshes[0]: expected \"chips\""},
        Wrong{"base: t3k\nmeshes: [{shape: 1x3, chips: [0, 1]}]\n", "meshes[0].chips: expected 3"},
        Wrong{"base: t3k\nmeshes: [{shape: 1x2, chips: [1, 1]}]\n", "chip 1 twice"},
        Wrong{"base: t3k\ncut: [[0, 7]]\n", "chips 0 and 7, which are not"},
        Wrong{"base: t3k\ncut: [[0, 1], [1, 0]]\n", "cut[1]: expected every pair once"},
        Wrong{"base: t3k\ncut: [{between: [0, 1], links: 3}]\n", "cut[0].links"},
        Wrong{"base: t3k\nstopped: [[0, 7]]\n", "chip 0 towards chip 7, which are not"},
        Wrong{"base: t3k\nstopped: [[0, 1], [1, 0]]\n", "stopped[1]: expected every pair once"},
        Wrong{"base: t3k\npolicy: loose\n", "policy: expected strict or relaxed"},
        Wrong{"base: t5k\n", "base: expected one of"},
        Wrong{"base: t3k\nwarp: x\n", "warp: expected one of the keys"},
        Wrong{"base: t3k\nlinks: 2\nlinks: 3\n", "links: expected one entry"}));

TEST(SystemFile, a_file_too_large_is_refused_unread) {
    // A hostile gigabyte must not be parsed to be refused.
    const std::string text = error_of(std::string(5U << 20U, '#'));
    EXPECT_TRUE(contains(text, "size: expected at most 4 MiB, got 5242880 B")) << text;
}

}  // namespace
}  // namespace fabric

#include "fabric/mesh.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/fabric/fixture.h"

namespace fabric {
namespace {

using testing::catalog;
using testing::contains;
using testing::numbers;
using testing::opened;
using testing::TempFile;

using Wrapped = std::array<bool, 2>;
using Links = std::array<std::int32_t, 2>;

struct Expected {
    const char* spec;
    mesh::Shape shape;
    Wrapped wraps;
    Links links;
};

class Meshes : public ::testing::TestWithParam<Expected> {};

TEST_P(Meshes, have_the_wraps_and_links_of_the_real_system) {
    // Links per axis are what the LLM code and get_num_links use; one too many halves a time.
    const Mesh mesh = opened(GetParam().spec);
    EXPECT_EQ(mesh.shape, GetParam().shape);
    EXPECT_EQ(mesh.wrap_wired, GetParam().wraps);
    EXPECT_EQ(mesh.links, GetParam().links);
    EXPECT_TRUE(mesh.problems.empty());
}

INSTANTIATE_TEST_SUITE_P(
    All, Meshes,
    ::testing::Values(Expected{"n150", {1, 1}, {false, false}, {0, 0}},
                      Expected{"n300", {1, 2}, {false, false}, {0, 1}},
                      Expected{"n150x4", {1, 4}, {false, false}, {0, 1}},
                      Expected{"t3k", {1, 8}, {false, true}, {0, 1}},
                      Expected{"T3K:2x4", {2, 4}, {false, false}, {1, 1}},
                      Expected{"tg", {8, 4}, {false, false}, {3, 3}},
                      Expected{"galaxy", {8, 4}, {false, false}, {4, 4}},
                      Expected{"galaxy-torus-x", {8, 4}, {false, true}, {4, 4}},
                      Expected{"galaxy-torus-y", {8, 4}, {true, false}, {4, 4}},
                      Expected{"galaxy-torus-xy", {8, 4}, {true, true}, {4, 4}},
                      Expected{"p150x4", {1, 4}, {false, true}, {0, 2}},
                      Expected{"p150x4:2x2", {2, 2}, {false, false}, {2, 2}},
                      Expected{"p150x8", {1, 8}, {false, true}, {0, 2}},
                      Expected{"p150x8:2x4", {2, 4}, {false, true}, {2, 2}},
                      Expected{"p300", {1, 2}, {false, false}, {0, 2}},
                      Expected{"p300x2", {1, 4}, {false, true}, {0, 2}},
                      Expected{"bh-galaxy", {8, 4}, {true, true}, {2, 2}}));

/// Every law a mesh must keep, whatever its origin.
void expect_sound(const Mesh& mesh) {
    const std::vector<std::int32_t> chips = numbers(mesh.chips);
    EXPECT_EQ(static_cast<std::int32_t>(chips.size()), mesh.shape.chips());
    EXPECT_EQ(std::set<std::int32_t>(chips.begin(), chips.end()).size(), chips.size());
    for (const int axis : {0, 1}) {
        for (const auto& group : mesh::groups_along(mesh.shape, axis)) {
            for (std::size_t i = 0; i + 1 < group.size(); ++i) {
                const ChipId a = mesh.chips[static_cast<std::size_t>(group[i])];
                const ChipId b = mesh.chips[static_cast<std::size_t>(group[i + 1])];
                EXPECT_GE(mesh.system.wiring.links_between(a, b), 1);
            }
            const ChipId first = mesh.chips[static_cast<std::size_t>(group.front())];
            const ChipId last = mesh.chips[static_cast<std::size_t>(group.back())];
            if (mesh.wrap_wired[static_cast<std::size_t>(axis)]) {
                EXPECT_GE(group.size(), 3u);
                EXPECT_GE(mesh.system.wiring.links_between(first, last), 1);
            }
        }
    }
}

TEST(Mesh, shapes_that_are_not_listed_are_found_with_their_rings) {
    // Users ask for 1x4 on a T3K or 1x32 on a Galaxy; rings are worth having.
    const auto check = [](const char* spec, Wrapped wraps) {
        const Mesh mesh = opened(spec);
        EXPECT_EQ(mesh.wrap_wired, wraps) << spec;
        expect_sound(mesh);
    };
    check("t3k:1x4", {false, true});
    check("t3k:4x2", {false, false});
    check("t3k:8x1", {true, false});
    check("t3k:1x3", {false, false});
    check("t3k:2x3", {false, false});
    check("galaxy:4x4", {false, false});
    check("galaxy:4x8", {false, false});
    check("galaxy:1x8", {false, true});
    check("galaxy:1x32", {false, true});
    check("galaxy:1x31", {false, false});
    check("galaxy:5x3", {false, false});
    check("galaxy-torus-xy:4x8", {true, true});
    check("galaxy-torus-y:8x1", {true, false});
    check("bh-galaxy:1x32", {false, true});
    check("bh-galaxy:1x1", {false, false});
    check("p150x8:4x2", {true, false});
}

TEST(Mesh, gateways_are_no_part_of_a_tg_mesh) {
    // The four N150 of a TG carry host traffic; a mesh over them does not exist.
    for (const char* spec : {"tg", "tg:1x32", "tg:4x8"}) {
        const Mesh mesh = opened(spec);
        EXPECT_GE(*std::min_element(mesh.chips.begin(), mesh.chips.end()), ChipId{4}) << spec;
    }
    EXPECT_TRUE(std::holds_alternative<MeshFailure>(open_mesh(catalog(), "tg:1x33")));
}

TEST(Mesh, mapping_is_the_same_every_time) {
    // A search that depended on addresses or hashes would change every result.
    EXPECT_EQ(opened("bh-galaxy:1x16").chips, opened("bh-galaxy:1x16").chips);
    EXPECT_EQ(opened("galaxy:3x5").chips, opened("galaxy:3x5").chips);
}

TEST(Mesh, a_shape_that_does_not_fit_is_a_no_with_the_numbers) {
    // "It does not fit" is an answer; the text is the one users know.
    const auto result = open_mesh(catalog(), "t3k:4x4");
    ASSERT_TRUE(std::holds_alternative<MeshFailure>(result));
    EXPECT_EQ(std::get<MeshFailure>(result).problems,
              (std::vector<std::string>{
                  "Graph specified in MGD could not fit in the discovered physical topology: "
                  "4x4 needs 16 chips, t3k has 8"}));
    const auto cube = open_mesh(catalog(), "p150x8:3x2");
    EXPECT_TRUE(std::holds_alternative<Mesh>(cube));
    const auto full = open_mesh(catalog(), "n150x4:2x2");
    ASSERT_TRUE(std::holds_alternative<MeshFailure>(full));
    EXPECT_TRUE(contains(std::get<MeshFailure>(full).problems.front(),
                         "no 2x2 of directly linked chips in the wiring of n150x4"));
}

TEST(Mesh, a_bad_shape_is_bad_input) {
    // A typing error is not "it does not fit".
    EXPECT_THROW(open_mesh(catalog(), "t3k:2by4"), core::Error);
    EXPECT_THROW(open_mesh(catalog(), "t3k:0x4"), core::Error);
    EXPECT_THROW(open_mesh(catalog(), "t3k:-1x4"), core::Error);
    EXPECT_THROW(open_mesh(catalog(), "t3k:99999x99999"), core::Error);
    EXPECT_THROW(open_mesh(catalog(), "t3k:"), core::Error);
    EXPECT_THROW(open_mesh(catalog(), ""), core::Error);
}

TEST(Mesh, a_file_takes_a_shape_too) {
    // FILE:RxC is how a captured system is opened in another shape.
    const Mesh mesh = opened(testing::descriptor("t3k_cluster_desc.yaml") + ":2x4");
    EXPECT_EQ(mesh.shape, (mesh::Shape{2, 4}));
    expect_sound(mesh);
}

TEST(CutCable, at_the_end_of_the_ring_leaves_the_line) {
    // A broken ring still works as a line; it must not fail, and must say so.
    const TempFile file("cut.yaml", "base: t3k\ncut: [[4, 5]]\n");
    const Mesh mesh = opened(file.path());
    EXPECT_EQ(numbers(mesh.chips), (std::vector<std::int32_t>{4, 0, 2, 6, 7, 3, 1, 5}));
    EXPECT_FALSE(mesh.wrap_wired[1]);
    EXPECT_EQ(usable_topology(mesh, 1, Topology::Ring), Topology::Line);
    EXPECT_EQ(mesh.problems, (std::vector<std::string>{
                                 "cut: 2 of 2 links between chip 4 and chip 5",
                                 "ring 1x8: no link between chip 5 and chip 4; line is used"}));
}

TEST(CutCable, in_the_middle_of_the_ring_turns_the_line_around) {
    // Any cut of a cycle leaves a path; it starts behind the cut.
    const TempFile file("cut.yaml", "base: t3k\ncut: [[2, 6]]\n");
    const Mesh mesh = opened(file.path());
    EXPECT_EQ(numbers(mesh.chips), (std::vector<std::int32_t>{6, 7, 3, 1, 5, 4, 0, 2}));
    EXPECT_FALSE(mesh.wrap_wired[1]);
    ASSERT_EQ(mesh.problems.size(), 3u);
    EXPECT_EQ(mesh.problems[1], "ring 1x8: no link between chip 2 and chip 6; line is used");
    EXPECT_EQ(mesh.problems[2], "1x8: no link between chip 2 and chip 6; chips are laid out anew");
}

TEST(CutCable, inside_a_grid_makes_it_fall_apart) {
    // A plain Galaxy needs every edge; the answer is no and names the pair.
    const TempFile file("cut.yaml", "base: galaxy\ncut: [[20, 22]]\n");
    const auto result = open_mesh(catalog(), file.path());
    ASSERT_TRUE(std::holds_alternative<MeshFailure>(result));
    const auto& problems = std::get<MeshFailure>(result).problems;
    EXPECT_TRUE(contains(problems.front(), "could not fit in the discovered physical topology"));
    EXPECT_EQ(problems.back(), "8x4: no link between chip 20 and chip 22");
    const TempFile same("same.yaml", "base: galaxy\ncut: [[20, 22]]\n");
    EXPECT_TRUE(std::holds_alternative<Mesh>(open_mesh(catalog(), same.path() + ":4x4")));
}

TEST(CutCable, in_a_torus_is_turned_to_the_seam) {
    // A torus has edges to spare: the seam moves to the cut and that axis becomes a line.
    const TempFile file("cut.yaml", "base: galaxy-torus-xy\ncut: [[20, 22]]\n");
    const Mesh mesh = opened(file.path());
    EXPECT_EQ(mesh.wrap_wired, (Wrapped{true, false}));
    expect_sound(mesh);
    EXPECT_TRUE(std::any_of(mesh.problems.begin(), mesh.problems.end(), [](const auto& text) {
        return contains(text, "ring 8x4 axis 1: no link between chip 20 and chip 22");
    }));
}

TEST(CutCable, relaxed_runs_on_the_fewest_links) {
    // One lost cable of four slows its whole axis down, and only that axis.
    const TempFile file("cut.yaml", "base: galaxy\ncut: [{between: [20, 22], links: 3}]\n");
    const Mesh mesh = opened(file.path());
    EXPECT_EQ(mesh.links, (Links{4, 1}));
    EXPECT_EQ(mesh.problems.back(),
              "chip 20 - chip 22: requires 4 channels, physical edge only has 1");
}

TEST(CutCable, strict_is_a_no_with_the_same_text) {
    // FabricReliabilityMode STRICT: live links must be what was asked for.
    const TempFile file("cut.yaml",
                        "base: p300x2\npolicy: strict\ncut: [{between: [0, 1], links: 1}]\n");
    const auto result = open_mesh(catalog(), file.path());
    ASSERT_TRUE(std::holds_alternative<MeshFailure>(result));
    EXPECT_EQ(std::get<MeshFailure>(result).problems.front(),
              "Graph specified in MGD could not fit in the discovered physical topology: "
              "chip 0 - chip 1: requires 2 channels, physical edge only has 1");
}

TEST(CutCable, rerouting_keeps_the_mesh_as_it_was_built) {
    // What if: the ring stays a ring, and the pair without cables is one that traffic goes around.
    const TempFile file("cut.yaml", "base: t3k\ncut: [[2, 6]]\n");
    const Mesh mesh = std::get<Mesh>(open_mesh(catalog(), file.path(), Rerouting::WhatIf));
    EXPECT_EQ(numbers(mesh.chips), numbers(opened("t3k").chips));
    EXPECT_EQ(usable_topology(mesh, 1, Topology::Ring), Topology::Ring);
    EXPECT_NE(mesh.system.wiring.stopped_between({6}, {2}), nullptr);
    EXPECT_EQ(mesh.problems,
              std::vector<std::string>{"cut: 2 of 2 links between chip 2 and chip 6"});
}

TEST(CutCable, a_stopped_router_is_a_problem_of_a_mesh_that_opens) {
    // It came up with the others; nobody knows before something waits for it.
    const TempFile file("stopped.yaml", "base: t3k\nstopped: [[6, 2]]\n");
    const Mesh mesh = opened(file.path());
    EXPECT_EQ(usable_topology(mesh, 1, Topology::Ring), Topology::Ring);
    EXPECT_EQ(mesh.problems,
              std::vector<std::string>{"stopped: the router of chip 6 towards chip 2"});
}

TEST(CutCable, dispatch_keeps_its_link_when_few_are_left) {
    // Two links minus dispatch's is one; one minus none is still one.
    const TempFile file("cut.yaml", "base: t3k\ncut: [{between: [0, 2], links: 1}]\n");
    EXPECT_EQ(opened(file.path()).links, (Links{0, 1}));
}

TEST(UsableTopology, follows_the_wiring_of_the_axis) {
    // A ring over an axis that does not close hangs on the real system.
    const auto ring = [](const Mesh& mesh, int axis) {
        return usable_topology(mesh, axis, Topology::Ring);
    };
    EXPECT_EQ(ring(opened("n300"), 1), Topology::Line);
    EXPECT_EQ(ring(opened("galaxy"), 0), Topology::Line);
    EXPECT_EQ(ring(opened("galaxy"), 1), Topology::Line);
    const Mesh galaxy = opened("bh-galaxy");
    EXPECT_EQ(ring(galaxy, 0), Topology::Ring);
    EXPECT_EQ(ring(galaxy, 1), Topology::Ring);
    EXPECT_EQ(usable_topology(galaxy, 0, Topology::Line), Topology::Line);
}

TEST(SubMesh, wraps_are_examined_again) {
    // Rows 2-5 of a Blackhole Galaxy are the one 4x4 that closes, by its chords.
    const Mesh galaxy = opened("bh-galaxy");
    const Mesh middle = sub_mesh(galaxy, {2, 0}, {4, 4});
    EXPECT_EQ(middle.wrap_wired, (Wrapped{true, true}));
    const Mesh upper = sub_mesh(galaxy, {0, 0}, {4, 4});
    EXPECT_EQ(upper.wrap_wired, (Wrapped{false, true}));
    EXPECT_EQ(usable_topology(upper, 0, Topology::Ring), Topology::Line);
    for (const std::int32_t row : {1, 3, 4}) {
        EXPECT_FALSE(sub_mesh(galaxy, {row, 0}, {4, 4}).wrap_wired[0]) << row;
    }
}

TEST(SubMesh, data_parallel_groups_are_lines_of_the_ring) {
    // Half of a ring is a line; a pair is never a ring.
    const Mesh t3k = opened("t3k");
    const Mesh half = sub_mesh(t3k, {0, 4}, {1, 4});
    EXPECT_EQ(numbers(half.chips), (std::vector<std::int32_t>{7, 3, 1, 5}));
    EXPECT_EQ(half.wrap_wired, (Wrapped{false, false}));
    EXPECT_EQ(half.links, (Links{0, 1}));
    EXPECT_TRUE(half.problems.empty());
    EXPECT_EQ(sub_mesh(t3k, {0, 0}, {1, 1}).links, (Links{0, 0}));
    const Mesh row = sub_mesh(opened("galaxy-torus-x"), {3, 0}, {1, 4});
    EXPECT_EQ(row.wrap_wired, (Wrapped{false, true}));
    EXPECT_EQ(row.links, (Links{0, 4}));
}

TEST(SubMesh, host_attached_chips_keep_all_links) {
    // The dispatch share is taken only where a chip of this mesh is reached over the links.
    const Mesh pair = sub_mesh(opened("t3k"), {0, 1}, {1, 2});  // chips 0 and 2, both on PCIe
    EXPECT_EQ(pair.links, (Links{0, 2}));
    EXPECT_THROW(sub_mesh(opened("t3k"), {0, 7}, {1, 2}), std::logic_error);
}

TEST(Search, a_hostile_wiring_ends_within_its_bound) {
    // A ring through an odd number of chips of a two-coloured graph does not exist; finding that
    // out by trying all paths would take for ever.
    std::string text = "chip: p150\nlinks: 1\ngrid: [8, 8]\nmeshes:\n  - {shape: 8x8}\n";
    const TempFile file("big.yaml", text);
    const Mesh mesh = opened(file.path() + ":1x63");
    EXPECT_FALSE(mesh.wrap_wired[1]);
    expect_sound(mesh);
}

}  // namespace
}  // namespace fabric

// Descriptors of real systems and what hostile ones do.
#include <gtest/gtest.h>

#include "fabric/mesh.h"
#include "tests/fabric/fixture.h"

namespace fabric {
namespace {

using testing::catalog;
using testing::contains;
using testing::descriptor;
using testing::error_of;

struct Counts {
    const char* file;
    std::int32_t chips;
    std::size_t mmio;
    std::size_t pairs;
    std::int32_t links;
    std::int32_t expected;
    const char* same_chip_as;  // a system of the catalog
};

class ClusterDescriptors : public ::testing::TestWithParam<Counts> {};

TEST_P(ClusterDescriptors, load_with_the_published_counts) {
    // Three generations of writers, three YAML styles, one meaning.
    const Counts expected = GetParam();
    const System system = load_system(catalog(), descriptor(expected.file));
    EXPECT_EQ(system.wiring.chips, expected.chips);
    EXPECT_EQ(system.mmio_chips.size(), expected.mmio);
    EXPECT_EQ(system.wiring.edges.size(), expected.pairs);
    EXPECT_EQ(system.wiring.total_links(), expected.links);
    EXPECT_EQ(system.expected_links, expected.expected);
    const System like = load_system(catalog(), expected.same_chip_as);
    EXPECT_EQ(system.chip.name, like.chip.name);
    EXPECT_EQ(system.link.line_rate, like.link.line_rate);
}

INSTANTIATE_TEST_SUITE_P(
    All, ClusterDescriptors,
    ::testing::Values(Counts{"wormhole_N150.yaml", 1, 1, 0, 0, 0, "n150"},
                      Counts{"wormhole_N150_unique_ids.yaml", 1, 1, 0, 0, 0, "n150"},
                      Counts{"wormhole_N300.yaml", 2, 1, 1, 2, 2, "n300"},
                      Counts{"wormhole_N300_board_info.yaml", 2, 1, 1, 2, 2, "n300"},
                      Counts{"wormhole_N300_jtag.yaml", 2, 2, 1, 2, 2, "n300"},
                      Counts{"wormhole_N300_pci_bdf.yaml", 2, 1, 1, 2, 2, "n300"},
                      Counts{"wormhole_N300_routing_info.yaml", 2, 1, 1, 2, 2, "n300"},
                      Counts{"wormhole_N300_with_bus_id.yaml", 2, 1, 1, 2, 2, "n300"},
                      Counts{"wormhole_N300_with_remote_connections.yaml", 2, 1, 1, 2, 2, "n300"},
                      Counts{"wormhole_2xN300_unconnected.yaml", 4, 2, 2, 4, 2, "n300"},
                      Counts{"2x2_n300_cluster_desc.yaml", 4, 2, 4, 8, 2, "n300"},
                      Counts{"t3k_cluster_desc.yaml", 8, 4, 10, 20, 2, "t3k"},
                      Counts{"6u_cluster_desc.yaml", 32, 32, 52, 208, 4, "galaxy"},
                      Counts{"blackhole_P100.yaml", 1, 1, 0, 0, 0, "p100"},
                      Counts{"blackhole_P150.yaml", 1, 1, 0, 0, 0, "p150"},
                      Counts{"blackhole_P300_both_mmio.yaml", 2, 2, 1, 2, 2, "p300"},
                      Counts{"blackhole_P300_first_mmio.yaml", 2, 1, 1, 2, 2, "p300"},
                      Counts{"blackhole_P300_second_mmio.yaml", 2, 1, 1, 2, 2, "p300"},
                      Counts{"blackhole_4xP150.yaml", 4, 4, 4, 16, 4, "p150x4"},
                      Counts{"blackhole_8xP150.yaml", 8, 8, 12, 24, 2, "p150x8"},
                      Counts{"blackhole_galaxy.yaml", 32, 32, 68, 140, 2, "bh-galaxy"}));

TEST(ClusterDescriptor, the_catalog_is_wired_as_the_capture) {
    // The compact grids of our files must be the captured wiring, edge by edge.
    for (const auto& [name, file] :
         std::vector<std::pair<const char*, const char*>>{{"n300", "wormhole_N300.yaml"},
                                                          {"t3k", "t3k_cluster_desc.yaml"},
                                                          {"galaxy", "6u_cluster_desc.yaml"},
                                                          {"p150x4", "blackhole_4xP150.yaml"},
                                                          {"bh-galaxy", "blackhole_galaxy.yaml"}}) {
        const System system = load_system(catalog(), name);
        const System capture = load_system(catalog(), descriptor(file));
        EXPECT_EQ(system.wiring.edges, capture.wiring.edges) << name;
        EXPECT_EQ(system.mmio_chips, capture.mmio_chips) << name;
    }
}

struct Opened {
    const char* file;
    mesh::Shape shape;
    std::array<bool, 2> wraps;
    std::array<std::int32_t, 2> links;
};

class CapturedMeshes : public ::testing::TestWithParam<Opened> {};

TEST_P(CapturedMeshes, open_as_the_system_they_are) {
    // Nobody lists a mesh in a capture: the search must find the rings that are there.
    const Mesh mesh = testing::opened(descriptor(GetParam().file));
    EXPECT_EQ(mesh.shape, GetParam().shape);
    EXPECT_EQ(mesh.wrap_wired, GetParam().wraps);
    EXPECT_EQ(mesh.links, GetParam().links);
    EXPECT_TRUE(mesh.problems.empty());
}

INSTANTIATE_TEST_SUITE_P(
    All, CapturedMeshes,
    ::testing::Values(Opened{"wormhole_N150.yaml", {1, 1}, {false, false}, {0, 0}},
                      Opened{"wormhole_N300.yaml", {1, 2}, {false, false}, {0, 1}},
                      Opened{"2x2_n300_cluster_desc.yaml", {1, 4}, {false, true}, {0, 1}},
                      Opened{"t3k_cluster_desc.yaml", {1, 8}, {false, true}, {0, 1}},
                      Opened{"6u_cluster_desc.yaml", {8, 4}, {false, false}, {4, 4}},
                      Opened{"blackhole_P300_both_mmio.yaml", {1, 2}, {false, false}, {0, 2}},
                      Opened{"blackhole_P300_first_mmio.yaml", {1, 2}, {false, false}, {0, 1}},
                      Opened{"blackhole_4xP150.yaml", {1, 4}, {false, true}, {0, 2}},
                      Opened{"blackhole_8xP150.yaml", {1, 8}, {false, true}, {0, 2}},
                      Opened{"blackhole_galaxy.yaml", {8, 4}, {true, true}, {2, 2}}));

TEST(ClusterDescriptor, boards_without_cables_are_a_no_that_names_the_groups) {
    // Two N300 without a cable between them can never be a mesh of four.
    const auto result = open_mesh(catalog(), descriptor("wormhole_2xN300_unconnected.yaml"));
    ASSERT_TRUE(std::holds_alternative<MeshFailure>(result));
    EXPECT_EQ(std::get<MeshFailure>(result).problems.front(),
              "Graph specified in MGD could not fit in the discovered physical topology: "
              "no links between the chip groups {0, 1} and {2, 3}");
}

TEST(ClusterDescriptor, one_link_down_is_found_against_the_others) {
    // "3 of 4 up" after a reset: no description says so, the other pairs do.
    const Mesh mesh = testing::opened(descriptor("t3k_cluster_desc.yaml"));
    std::string text =
        "arch: {0: blackhole, 1: blackhole, 2: blackhole}\n"
        "chips_with_mmio: [0: 0, 1: 1, 2: 2]\n"
        "boards: [[{board_id: 1}, {board_type: p150}, {chips: [0, 1, 2]}]]\n"
        "ethernet_connections: [\n"
        "  [{chip: 0, chan: 0}, {chip: 1, chan: 0}],\n"
        "  [{chip: 0, chan: 1}, {chip: 1, chan: 1}],\n"
        "  [{chip: 1, chan: 2}, {chip: 2, chan: 2}],\n"
        "  [{chip: 1, chan: 3}, {chip: 2, chan: 3}],\n"
        "  [{chip: 0, chan: 2}, {chip: 2, chan: 0}],\n"
        "]\n";
    const testing::TempFile file("degraded.yaml", text);
    const Mesh degraded = testing::opened(file.path());
    EXPECT_EQ(degraded.links, (std::array<std::int32_t, 2>{0, 1}));
    ASSERT_EQ(degraded.problems.size(), 1u);
    EXPECT_TRUE(contains(degraded.problems[0], "requires 2 channels, physical edge only has 1"));
}

struct Wrong {
    const char* text;
    const char* key;
};

class WrongDescriptors : public ::testing::TestWithParam<Wrong> {};

TEST_P(WrongDescriptors, are_errors_that_name_file_and_key) {
    // A capture can be cut short, edited by hand, or made to harm.
    const std::string rest =
        "chips_with_mmio: [0: 0]\n"
        "boards: [[{board_id: 1}, {board_type: n300}, {chips: [0, 1]}]]\n";
    const std::string text = error_of(GetParam().text + rest);
    EXPECT_TRUE(contains(text, "mine.yaml: ")) << text;
    EXPECT_TRUE(contains(text, GetParam().key)) << text;
}

INSTANTIATE_TEST_SUITE_P(
    All, WrongDescriptors,
    ::testing::Values(
        Wrong{"arch: {0: Wormhole, 1: Wormhole}\n", "ethernet_connections: expected a value"},
        Wrong{"arch: {}\nethernet_connections: []\n", "arch: expected 1 to 4096 chips"},
        Wrong{"arch: {0: grayskull, 1: grayskull}\nethernet_connections: []\n", "arch.0"},
        Wrong{"arch: {0: Wormhole, 1: blackhole}\nethernet_connections: []\n", "arch.1"},
        Wrong{"arch: {0: Wormhole, 5: Wormhole}\nethernet_connections: []\n",
              "arch: expected chip numbers from 0 to 1, got \"5\""},
        Wrong{"arch: {0: Wormhole, 0: Wormhole}\nethernet_connections: []\n",
              "arch.0: expected one entry"},
        Wrong{"arch: {0: blackhole, 1: blackhole}\nethernet_connections: []\n",
              "boards: expected board types of blackhole chips, got \"n300\""},
        Wrong{"arch: {0: Wormhole, 1: Wormhole, 2: Wormhole}\nethernet_connections: []\n",
              "boards: expected every chip on a board, got chip 2 on none"},
        Wrong{"arch: {0: Wormhole, 1: Wormhole}\nethernet_connections: [[{chip: 0, chan: 8}]]\n",
              "ethernet_connections[0]: expected 2 to 3 entries, got 1"},
        Wrong{"arch: {0: Wormhole, 1: Wormhole}\n"
              "ethernet_connections: [[{chip: 0, chan: 8}, {chip: 0, chan: 9}]]\n",
              "chip 0 joined to itself"},
        Wrong{"arch: {0: Wormhole, 1: Wormhole}\n"
              "ethernet_connections: [[{chip: 0, chan: 8}, {chip: 7, chan: 9}]]\n",
              "ethernet_connections[0][1].chip: expected an integer from 0 to 1, got \"7\""},
        Wrong{"arch: {0: Wormhole, 1: Wormhole}\n"
              "ethernet_connections: [[{chip: 0, chan: 8}, {chip: 1, chan: 0}],"
              " [{chip: 0, chan: 8}, {chip: 1, chan: 1}]]\n",
              "chip 0 chan 8 again"}));

TEST(MeshGraph, reads_dims_channels_wraps_and_policy) {
    // STRICT and RELAXED decide whether a degraded system runs at all.
    const System torus =
        load_system(catalog(), descriptor("single_bh_galaxy_torus_xy_graph_descriptor.textproto"));
    EXPECT_EQ(torus.wiring.edges.size(), 64u);
    EXPECT_EQ(torus.wiring.total_links(), 128);
    EXPECT_EQ(torus.reliability, ReliabilityMode::Strict);
    EXPECT_EQ(torus.chip.arch, mesh::Arch::Blackhole);
    const System plain =
        load_system(catalog(), descriptor("single_galaxy_mesh_graph_descriptor.textproto"));
    EXPECT_EQ(plain.wiring.edges.size(), 52u);
    EXPECT_EQ(plain.wiring.total_links(), 208);
    EXPECT_EQ(plain.reliability, ReliabilityMode::Relaxed);
}

TEST(MeshGraph, opens_every_published_single_mesh) {
    // The logical descriptors must give the mesh of the system they are written for.
    const auto open = [](const char* name) {
        return testing::opened(descriptor(std::string(name) + "_graph_descriptor.textproto"));
    };
    EXPECT_EQ(open("n300_mesh").links[1], 1);
    EXPECT_EQ(open("t3k_mesh").shape, (mesh::Shape{2, 4}));
    EXPECT_EQ(open("t3k_mesh").links, (std::array<std::int32_t, 2>{1, 1}));
    EXPECT_EQ(open("p150_x8_ring_mesh").wrap_wired, (std::array<bool, 2>{false, true}));
    EXPECT_EQ(open("p150_x8_mesh").wrap_wired, (std::array<bool, 2>{false, false}));
    EXPECT_EQ(open("p150_x4_mesh").links, (std::array<std::int32_t, 2>{2, 2}));
    EXPECT_EQ(open("p150_x2_mesh").chip_count(), 2);
    EXPECT_EQ(open("p300_mesh").links[1], 2);
    EXPECT_EQ(open("p300_x2_mesh").shape, (mesh::Shape{2, 2}));
    EXPECT_EQ(open("single_galaxy_torus_xy").wrap_wired, (std::array<bool, 2>{true, true}));
    EXPECT_EQ(open("dual_galaxy_mesh").shape, (mesh::Shape{8, 8}));
    const Mesh quad = open("quad_galaxy_torus_xy");
    EXPECT_EQ(quad.chip_count(), 128);
    EXPECT_EQ(quad.system.wiring.edges.size(), 256u);
}

TEST(MeshGraph, unknown_fields_are_tolerated_and_reported) {
    // The grammar grows; a new field must not stop an old simulator, nor pass unseen.
    const testing::TempFile file("new.textproto",
                                 "mesh_descriptors {\n  name: \"M0\"\n  arch: BLACKHOLE\n"
                                 "  colour: 3\n"
                                 "  device_topology { dims: [ 1, 4 ] types: [ LINE, RING ] }\n"
                                 "  channels { count: 2 }\n}\n"
                                 "top_level_instance { mesh { mesh_descriptor: \"M0\" } }\n");
    const System system = load_system(catalog(), file.path());
    EXPECT_EQ(system.wiring.edges.size(), 4u);
    EXPECT_EQ(system.reliability, ReliabilityMode::Strict);
    ASSERT_EQ(system.problems.size(), 1u);
    EXPECT_TRUE(contains(system.problems[0], "line 4: ignored: ")) << system.problems[0];
    EXPECT_TRUE(contains(system.problems[0], "colour"));
}

std::string mesh_graph(const std::string& inside) {
    return "mesh_descriptors { name: \"M0\" arch: WORMHOLE_B0 " + inside +
           " }\ntop_level_instance { mesh { mesh_descriptor: \"M0\" mesh_id: 0 } }\n";
}

TEST(MeshGraph, wrong_files_are_errors_that_name_the_key) {
    // Absurd sizes are refused before a chip is made.
    const auto fails = [](const std::string& text, std::string_view part) {
        const std::string error = error_of(text, "mine.textproto");
        EXPECT_TRUE(contains(error, "mine.textproto: ")) << error;
        EXPECT_TRUE(contains(error, part)) << error;
    };
    fails("mesh_descriptors {", "line 1:");
    fails("", "top_level_instance: expected one mesh, got none");
    fails(mesh_graph(""), "dims: expected rows and columns, got 0 numbers");
    fails(mesh_graph("device_topology { dims: [2, 2, 2] }"), "got 3 numbers");
    fails(mesh_graph("device_topology { dims: [-1, 2] }"), "expected 1 to 4096 chips");
    fails(mesh_graph("device_topology { dims: [2000000000, 2000000000] }"), "1 to 4096 chips");
    fails(mesh_graph("device_topology { dims: [1, 2] }"), "channels.count: expected 1 to 64");
    fails(mesh_graph("device_topology { dims: [1, 2] } channels { count: -2 }"), "got -2");
    fails("top_level_instance { mesh { mesh_descriptor: \"X\" } }", "got \"X\"");
}

TEST(MeshGraph, several_meshes_and_the_old_grammar_are_refused_with_a_hint) {
    // What is not simulated must say so instead of simulating a part of it.
    try {
        load_system(catalog(), descriptor("closetbox_16_loudbox.textproto"));
        FAIL() << "sixteen meshes are not one";
    } catch (const core::Error& error) {
        EXPECT_TRUE(contains(error.what(), "top_level_instance: expected one mesh, got a graph"));
        EXPECT_FALSE(error.hint_text().empty());
    }
    try {
        load_system(catalog(), descriptor("t3k_mesh_graph_descriptor.yaml"));
        FAIL() << "version 1.0 is not read";
    } catch (const core::Error& error) {
        EXPECT_TRUE(contains(error.what(), "got a mesh graph descriptor 1.0"));
    }
}

}  // namespace
}  // namespace fabric

#include "model/device_name.h"

#include "tests/model/model_fixture.h"

namespace model::testing {
namespace {

TEST(DeviceName, is_tt_transformers_name_of_a_mesh) {
    // tenstorrent/tt-metal models/tt_transformers/tt/model_config.py: determine_device_name counts
    // chips, so a 2x2 of P300 cards is a P150x4 to it.
    const auto name = [](const char* mesh) { return device_name(mesh_named(mesh)).value_or("-"); };
    EXPECT_EQ(name("n150"), "N150");
    EXPECT_EQ(name("n300"), "N300");
    EXPECT_EQ(name("n150x4"), "N150x4");
    EXPECT_EQ(name("t3k"), "T3K");
    EXPECT_EQ(name("galaxy"), "TG");
    EXPECT_EQ(name("p100"), "P100");
    EXPECT_EQ(name("p150"), "P150");
    EXPECT_EQ(name("p300"), "P300");
    EXPECT_EQ(name("p150x4"), "P150x4");
    EXPECT_EQ(name("p300x2"), "P150x4");
    EXPECT_EQ(name("p150x8"), "P150x8");
    EXPECT_EQ(name("bh-galaxy"), "BHGLX");
}

TEST(DeviceName, of_a_group_is_that_of_its_own_chips) {
    // Tables are looked up by one data-parallel group: a T3K with eight groups is eight N150.
    const fabric::Mesh t3k = mesh_named("t3k");
    EXPECT_EQ(device_name(data_parallel_groups(t3k, 8).front()), "N150");
    EXPECT_EQ(device_name(data_parallel_groups(t3k, 2).front()), "N150x4");
}

TEST(DeviceName, of_another_count_is_none_or_the_real_error) {
    // Sixteen chips have no name; the text is the one users know.
    const fabric::Mesh half = mesh_named("galaxy:4x4");
    EXPECT_EQ(device_name(half), std::nullopt);
    const std::string text = error_text([&] { required_device_name(half); });
    EXPECT_NE(text.find("Unsupported number of devices: 16 for wormhole_b0"), std::string::npos);
    EXPECT_EQ(required_device_name(mesh_named("t3k")), "T3K");
}

}  // namespace
}  // namespace model::testing

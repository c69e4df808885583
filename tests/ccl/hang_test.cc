// Collectives that never end: who waits for whom is said, and nothing gets a time.
#include "fabric/hang.h"

#include <gtest/gtest.h>

#include <string>

#include "ccl/estimate.h"
#include "ccl/timing.h"
#include "ccl/waits.h"
#include "tests/ccl/group.h"

namespace ccl {
namespace {

using ccl_test::rows_of;
using fabric::Topology;

fabric::Mesh stopped_between(Topology topology, std::int32_t at, std::int32_t towards) {
    fabric::Mesh mesh = rows_of(topology, 1, 8);
    mesh.system.wiring.stopped.push_back({{at}, {towards}});
    return mesh;
}

Question question_of(Kind kind, std::int64_t bytes) {
    Question question;
    question.kind = kind;
    question.total = core::Bytes{bytes};
    question.page = core::Bytes{2048};
    question.packet_payload = core::Bytes{4096};
    return question;
}

/// What the hang says, one reason per line; "" when the collective ends.
std::string hang_text(const fabric::Mesh& mesh, const Question& question) {
    try {
        estimate(mesh, question);
    } catch (const fabric::Hang& hang) {
        std::string text;
        for (const std::string& reason : hang.reasons()) text += reason + "\n";
        return text;
    }
    return "";
}

bool says(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

TEST(Hang, a_stopped_router_keeps_a_gather_at_its_barrier) {
    const std::string text =
        hang_text(stopped_between(Topology::Line, 3, 4), question_of(Kind::AllGather, 1 << 20));
    EXPECT_TRUE(says(text, "TIMEOUT: device timeout")) << text;
    EXPECT_TRUE(says(text, "the router of chip 3 towards chip 4 stands still")) << text;
    EXPECT_TRUE(says(text, "chip 3 waits at its barrier for chips 4, 5, 6, 7")) << text;
    EXPECT_TRUE(says(text, "chip 4 waits at its barrier for chips 0, 1, 2, 3")) << text;
}

TEST(Hang, without_a_barrier_those_behind_the_router_wait_for_data) {
    const std::string text =
        hang_text(stopped_between(Topology::Line, 3, 4), question_of(Kind::AllToAll, 1 << 20));
    EXPECT_TRUE(says(text, "chip 4 waits for chip 3")) << text;
    EXPECT_TRUE(says(text, "chip 7 waits for chip 6")) << text;
    EXPECT_FALSE(says(text, "barrier")) << text;
    EXPECT_TRUE(says(text, "in a cycle: chip 3 waits for chip 4, which waits for chip 3")) << text;
}

TEST(Hang, every_kind_that_crosses_a_stopped_router_is_told) {
    for (const Topology topology : {Topology::Line, Topology::Ring}) {
        for (const Kind kind : {Kind::AllGather, Kind::ReduceScatter, Kind::AllReduce,
                                Kind::Broadcast, Kind::AllToAll}) {
            const fabric::Mesh mesh = stopped_between(topology, 4, 3);
            EXPECT_NE(hang_text(mesh, question_of(kind, 1 << 20)), "") << to_text(kind);
        }
    }
}

TEST(Hang, rerouted_traffic_ends_later_and_loads_the_way_around) {
    for (const Kind kind : {Kind::AllGather, Kind::ReduceScatter, Kind::AllToAll}) {
        const Question question = question_of(kind, 1 << 20);
        fabric::Mesh detour = stopped_between(Topology::Ring, 3, 4);
        detour.rerouting = fabric::Rerouting::WhatIf;
        EXPECT_GT(estimate(detour, question).time(),
                  estimate(rows_of(Topology::Ring, 1, 8), question).time())
            << to_text(kind);
    }
}

TEST(Hang, a_line_that_is_broken_has_no_way_around) {
    fabric::Mesh mesh = stopped_between(Topology::Line, 3, 4);
    mesh.rerouting = fabric::Rerouting::WhatIf;
    EXPECT_NE(hang_text(mesh, question_of(Kind::AllGather, 1 << 20)), "");
}

TEST(Hang, a_ring_that_does_not_close_hangs_without_a_wiring_check) {
    Question question = question_of(Kind::AllGather, 1 << 20);
    question.topology = Topology::Ring;
    const fabric::Mesh line = rows_of(Topology::Line, 1, 8);
    EXPECT_EQ(hang_text(line, question), "");
    question.wiring_check = WiringCheck::Absent;
    EXPECT_TRUE(says(hang_text(line, question), "its last and first chip are not linked"));
    EXPECT_EQ(hang_text(rows_of(Topology::Ring, 1, 8), question), "");
    EXPECT_EQ(hang_text(rows_of(Topology::Line, 1, 2), question), "");
}

TEST(Hang, a_ring_over_a_fabric_of_lines_locks_up_with_its_cycle) {
    Question question = question_of(Kind::AllToAll, 4 << 20);
    question.topology = Topology::Ring;
    question.fabric_config = fabric::FabricConfig::Line;
    const fabric::Mesh ring = rows_of(Topology::Ring, 1, 8);
    EXPECT_TRUE(says(hang_text(ring, question),
                     "in a cycle: chip 0 waits for a free slot of the router of chip 1, which"))
        << hang_text(ring, question);
    question.fabric_config = fabric::FabricConfig::Ring;
    EXPECT_EQ(hang_text(ring, question), "");
    // Workers read a gather back at every chip: nothing passes through a router.
    question = question_of(Kind::AllGather, 4 << 20);
    question.topology = Topology::Ring;
    question.fabric_config = fabric::FabricConfig::Line;
    EXPECT_EQ(hang_text(ring, question), "");
}

TEST(Hang, a_cycle_of_waiters_is_found_and_a_chain_is_none) {
    using For = Wait::For;
    const std::vector<Wait> chain{{1, 0, For::Data}, {2, 1, For::Data}, {3, 2, For::Data}};
    EXPECT_TRUE(cycle_of(chain).empty());
    std::vector<Wait> ring = chain;
    ring.push_back({1, 3, For::Barrier});
    EXPECT_EQ(cycle_of(ring), (std::vector<std::int32_t>{1, 3, 2}));
}

}  // namespace
}  // namespace ccl

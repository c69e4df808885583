#include "ccl/estimate.h"

#include <gtest/gtest.h>

#include "ccl/closed_form.h"
#include "ccl/validation.h"
#include "core/error.h"

namespace {

using ccl::Algorithm;
using ccl::Kind;
using ccl::OneShot;
using ccl::Question;
using core::Bytes;
using core::Picoseconds;
using fabric::Topology;
using namespace core::literals;

fabric::Mesh opened(const std::string& spec) {
    const fabric::Catalog catalog{TESSERA_SOURCE_DIR "/topologies"};
    return std::get<fabric::Mesh>(fabric::open_mesh(catalog, spec));
}

Question ask(Kind kind, Bytes total) {
    Question question;
    question.kind = kind;
    question.total = total;
    question.page = 2048_B;
    return question;
}

const Kind kKinds[] = {Kind::AllGather, Kind::ReduceScatter, Kind::AllReduce, Kind::AllToAll};

std::string refusal(const fabric::Mesh& mesh, const Question& question) {
    try {
        ccl::estimate(mesh, question);
    } catch (const core::Error& error) {
        return error.what();
    }
    return "";
}

TEST(Estimate, tiles_go_to_slices_as_evenly_as_they_can) {
    // T of the tables: 8 chips, 1 MiB of bf16 tiles, 64 tiles each.
    ccl::Request request{Kind::AllGather, Topology::Ring, 8, 1_MiB, 2048_B, 1};
    EXPECT_EQ(ccl::collective_of(request, Algorithm::Default).slice_pages,
              std::vector<std::int64_t>(8, 64));
    request.total = 10 * 2048_B + 1_B;
    EXPECT_EQ(ccl::collective_of(request, Algorithm::Default).slice_pages,
              (std::vector<std::int64_t>{2, 2, 2, 1, 1, 1, 1, 1}));
    request = {Kind::AllToAll, Topology::Line, 2, 3 * 2048_B, 2048_B, 1};
    EXPECT_EQ(ccl::collective_of(request, Algorithm::Default).slice_pages,
              (std::vector<std::int64_t>{2, 1, 2, 1}));
}

TEST(Estimate, the_software_takes_the_one_shot_op_up_to_512_KiB_on_a_ring) {
    // And gathers and sums where tiles do not divide by the chips.
    ccl::Request request{Kind::ReduceScatter, Topology::Ring, 8, 512_KiB, 2048_B, 1};
    EXPECT_EQ(ccl::usual_algorithm(request, OneShot::Present), Algorithm::Direct);
    EXPECT_EQ(ccl::usual_algorithm(request, OneShot::Absent), Algorithm::Default);
    request.total = 512_KiB + 1_B;
    EXPECT_EQ(ccl::usual_algorithm(request, OneShot::Present), Algorithm::Default);
    request = {Kind::AllReduce, Topology::Line, 8, 12 * 2048_B, 2048_B, 1};
    EXPECT_EQ(ccl::usual_algorithm(request, OneShot::Present), Algorithm::GatherAndSum);
    request.total = 16 * 2048_B;
    EXPECT_EQ(ccl::usual_algorithm(request, OneShot::Present), Algorithm::Default);
}

TEST(Estimate, published_bytes_come_out) {
    // The two figures a reader of the tables checks first.
    Question question = ask(Kind::AllGather, 1_MiB);
    question.topology = Topology::Ring;
    const ccl::Run ring = ccl::estimate(opened("t3k"), question).runs.at(0);
    EXPECT_EQ(ring.bottleneck, 917504_B);
    EXPECT_EQ(ring.busiest_hop, 458752_B);
    question.topology = Topology::Line;
    question.total = 16_MiB;
    const ccl::Run line = ccl::estimate(opened("t3k"), question).runs.at(0);
    EXPECT_EQ(line.bottleneck, 14680064_B);
    EXPECT_EQ(line.busiest_hop, 14680064_B);
}

TEST(Estimate, a_ring_that_is_not_wired_becomes_a_line_and_says_so) {
    // Silence would sell a cable that is not there.
    Question question = ask(Kind::AllGather, 1_MiB);
    question.axis = 0;
    question.topology = Topology::Ring;
    const ccl::Estimate mesh = ccl::estimate(opened("galaxy"), question);
    EXPECT_EQ(mesh.runs.at(0).request.topology, Topology::Line);
    ASSERT_EQ(mesh.notes.size(), 1u);
    EXPECT_EQ(mesh.notes[0],
              "ring asked for along axis 0: its last and first chip are not linked; line is used");
    const ccl::Estimate torus = ccl::estimate(opened("galaxy-torus-y"), question);
    EXPECT_EQ(torus.runs.at(0).request.topology, Topology::Ring);
    EXPECT_TRUE(torus.notes.empty());
    EXPECT_LT(torus.time(), mesh.time());
    question.axis = 1;
    const ccl::Estimate pair = ccl::estimate(opened("n300"), question);
    EXPECT_EQ(pair.runs.at(0).request.topology, Topology::Line);
    EXPECT_EQ(pair.notes.at(0),
              "ring asked for along axis 1: two chips have one pair of neighbours; line is used");
}

TEST(Estimate, a_mesh_without_an_axis_runs_once_per_axis) {
    // As ttnn: gathers along the columns first, scatters along the rows first.
    const fabric::Mesh mesh = opened("galaxy");
    const ccl::Estimate gather = ccl::estimate(mesh, ask(Kind::AllGather, 1_MiB));
    ASSERT_EQ(gather.runs.size(), 2u);
    EXPECT_EQ(gather.runs[0].axis, 1);
    EXPECT_EQ(gather.runs[0].request.total, 128_KiB);
    EXPECT_EQ(gather.runs[1].request.total, 1_MiB);
    const ccl::Estimate scatter = ccl::estimate(mesh, ask(Kind::ReduceScatter, 1_MiB));
    EXPECT_EQ(scatter.runs[0].axis, 0);
    EXPECT_EQ(scatter.runs[1].request.total, 128_KiB);
    EXPECT_EQ(scatter.time(), scatter.runs[0].time + scatter.runs[1].time);
    EXPECT_TRUE(refusal(mesh, ask(Kind::AllToAll, 1_MiB)).starts_with("all_to_all: axis:"));
}

TEST(Estimate, bad_questions_are_refused) {
    // Which key, what was expected, what was found.
    const fabric::Mesh mesh = opened("t3k");
    Question question = ask(Kind::AllGather, 1_MiB);
    question.axis = 0;
    EXPECT_EQ(refusal(mesh, question), "axis: 0: expected more than one chip, got 1 of a 1x8 mesh");
    question.axis = 1;
    question.links = 2;
    EXPECT_TRUE(refusal(mesh, question).starts_with("links: axis 1: expected 1 to 1, got 2"));
    EXPECT_EQ(refusal(opened("n150"), ask(Kind::AllGather, 1_MiB)),
              "a collective needs more than one chip, the mesh has one");
    EXPECT_EQ(refusal(mesh, ask(Kind::AllGather, 0_B)),
              "all_gather: bytes: expected at least 1, got 0");
}

/// Every kind, on lines and rings of both architectures.
template <class Check>
void for_meshes(Check check) {
    for (const char* name : {"n300", "t3k", "galaxy:8x4", "p150x8", "p150x4", "bh-galaxy:8x4"}) {
        const fabric::Mesh mesh = opened(name);
        for (const Kind kind : kKinds) {
            for (const Topology topology : {Topology::Line, Topology::Ring}) {
                SCOPED_TRACE(std::string(name) + " " + to_text(kind) + " " +
                             std::to_string(static_cast<int>(topology)));
                Question question = ask(kind, 64_KiB);
                question.axis = mesh.shape.rows > 1 ? 0 : 1;
                question.topology = topology;
                check(mesh, question);
            }
        }
    }
}

TEST(Estimate, no_time_is_below_its_bytes_over_the_line_rate) {
    // Headers, gaps and workers only add.
    for_meshes([](const fabric::Mesh& mesh, Question question) {
        for (const Bytes total : {2048_B * 8, 100_KiB * 8, 2_MiB, 64_MiB}) {
            question.total = total;
            const ccl::Run run = ccl::estimate(mesh, question).runs.at(0);
            EXPECT_GE(run.time, run.busiest_hop / (mesh.system.link.line_rate * run.request.links));
        }
    });
}

TEST(Estimate, more_links_are_never_slower) {
    // What a second cable is bought for; one tile more or less on a link must not turn it round.
    for_meshes([](const fabric::Mesh& mesh, Question question) {
        const std::int32_t most = mesh.links[static_cast<std::size_t>(*question.axis)];
        for (const Bytes total : {16_KiB, 72_KiB, 512_KiB, 520_KiB, 3_MiB, 40_MiB}) {
            question.total = total;
            Picoseconds before = Picoseconds::max();
            for (std::int32_t links = 1; links <= most; ++links) {
                question.links = links;
                const Picoseconds now = ccl::estimate(mesh, question).time();
                EXPECT_LE(now, before) << total.value << " over " << links;
                before = now;
            }
        }
    });
}

TEST(Estimate, a_faster_wire_is_never_slower) {
    // Also where workers are the bottleneck: then it is as fast.
    for_meshes([](const fabric::Mesh& mesh, Question question) {
        fabric::Mesh faster = mesh;
        faster.system.link.line_rate = mesh.system.link.line_rate * 2;
        for (const Bytes total : {16_KiB, 512_KiB, 8_MiB}) {
            question.total = total;
            EXPECT_LE(ccl::estimate(faster, question).time(), ccl::estimate(mesh, question).time());
        }
    });
}

TEST(Estimate, larger_is_slower_but_for_the_switches_of_the_software) {
    // Two are known: the one-shot scatter ends at 512 KiB (measured: 102.8 us there, 80.9 us at
    // 1 MiB), and two Blackhole chips get more workers above 256 KiB per link.
    for_meshes([](const fabric::Mesh& mesh, Question question) {
        question.one_shot = OneShot::Absent;
        Picoseconds before{};
        for (std::int64_t tiles = 8; tiles <= 32768; tiles *= 2) {
            question.total = tiles * 2048_B;
            const ccl::Run run = ccl::estimate(mesh, question).runs.at(0);
            EXPECT_GE(run.time, before) << tiles;
            before = run.time;
        }
    });
    Question question = ask(Kind::ReduceScatter, 512_KiB);
    const Picoseconds at_the_switch = ccl::estimate(opened("t3k"), question).time();
    question.total = 1_MiB;
    EXPECT_LT(ccl::estimate(opened("t3k"), question).time(), at_the_switch);
}

TEST(Estimate, all_reduce_is_scatter_and_gather) {
    // Where that is its form; on rings to the picosecond.
    for (const Bytes total : {64_KiB, 512_KiB, 4_MiB}) {
        const fabric::Mesh mesh = opened("t3k");
        const Picoseconds halves = ccl::estimate(mesh, ask(Kind::ReduceScatter, total)).time() +
                                   ccl::estimate(mesh, ask(Kind::AllGather, total)).time();
        EXPECT_EQ(ccl::estimate(mesh, ask(Kind::AllReduce, total)).time(), halves);
    }
}

TEST(ErrorGroups, the_nearest_number_of_chips_stands_for_a_request) {
    // Beyond what was measured there is no error to state.
    const auto groups =
        ccl::load_error_groups(TESSERA_SOURCE_DIR "/topologies/validation/ccl.yaml");
    const auto group = [&](std::int32_t ranks, std::int32_t links, Bytes total) {
        return ccl::nearest_group(groups, mesh::Arch::WormholeB0,
                                  {Kind::AllGather, Topology::Line, ranks, total, 2048_B, links});
    };
    EXPECT_EQ(group(8, 1, 1_MiB)->text(), "wormhole_b0 all_gather line 8 chips 1 link to 1 MiB");
    EXPECT_EQ(group(6, 1, 2_MiB)->text(), "wormhole_b0 all_gather line 8 chips 1 link above 1 MiB");
    EXPECT_EQ(group(2, 1, 2_MiB)->ranks, 2);
    EXPECT_FALSE(group(16, 1, 1_MiB));
    EXPECT_FALSE(group(8, 4, 1_MiB));
}

}  // namespace

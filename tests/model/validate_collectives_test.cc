// Tables of the times of collectives and of the bandwidth of links: what a row asks, what it is
// held against, what is skipped. The published sweeps of tests/data/ccl, whole, give the errors of
// topologies/validation/ccl.yaml, which `tessera ccl` prints.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "ccl/estimate.h"
#include "ccl/validation.h"
#include "core/error.h"
#include "tests/model/validate_fixture.h"

namespace model::testing {
namespace {

using core::Error;
using namespace core::literals;

constexpr const char* kSweep =
    "system,op,topology,n_devices,num_links_per_direction,size_bytes,page_bytes,"
    "fabric_packet_payload_bytes,calls_back_to_back,time_us\n";

Validation validated_rows(std::string table, const std::vector<std::string>& rows) {
    for (const std::string& row : rows) table += row + "\n";
    return validated(table);
}

fabric::Mesh opened(const char* spec) {
    return std::get<fabric::Mesh>(fabric::open_mesh({TESSERA_SOURCE_DIR "/topologies"}, spec));
}

/// A file of tests/data/ccl, its columns named and its system added as published tables have them.
Validation published_sweep(const std::string& arch, const std::string& system) {
    const std::string text =
        core::read_text(TESSERA_SOURCE_DIR "/tests/data/ccl/" + arch + ".csv", 1_MiB);
    const std::size_t header = text.find('\n') + 1;
    const std::size_t first = text.find('\n', header) + 1;
    EXPECT_EQ(text.substr(header, first - header),
              "op,topology,memory,ranks,links,calls,payload_bytes,size_bytes,time_us,"
              "bottleneck_bytes\n");
    std::string table =
        "system,op,topology,memory,n_devices,num_links_per_direction,calls_back_to_back,"
        "fabric_packet_payload_bytes,size_bytes,time_us,bottleneck_bytes\n";
    for (std::size_t at = first; at < text.size();) {
        const std::size_t end = text.find('\n', at);
        table += system + "," + text.substr(at, end - at) + "\n";
        at = end + 1;
    }
    return validated(table);
}

/// As tests/ccl/golden_test.cc takes it for the file.
double quantile_in_tenths(std::vector<double> errors, double q) {
    std::sort(errors.begin(), errors.end());
    const double error =
        errors.at(static_cast<std::size_t>(q * static_cast<double>(errors.size() - 1) + 0.5));
    return std::floor(error * 10 + 0.5) / 10;
}

TEST(ValidateCollectives, a_row_asks_what_tessera_ccl_asks) {
    // One path to a time: the same question gives the same picoseconds.
    ccl::Question question;
    question.kind = ccl::Kind::ReduceScatter;
    question.topology = fabric::Topology::Line;
    question.total = 4_MiB;
    question.page = 1088_B;
    question.links = 1;
    question.packet_payload = 4352_B;
    const Validation found =
        validated_rows(kSweep, {"T3K,reduce_scatter,line,8,1,4194304,1088,4352,1,500"});
    ASSERT_EQ(found.rows.size(), 1u);
    const JudgedRow& row = found.rows[0];
    EXPECT_EQ(found.kind, "collectives");
    EXPECT_EQ(row.verdict, Verdict::Compared);
    EXPECT_DOUBLE_EQ(row.predicted_value,
                     core::to_us(ccl::estimate(opened("t3k:1x8"), question).time()));
    EXPECT_EQ(row.measured, "500.00 us");
    EXPECT_DOUBLE_EQ(found.scores.median_ape_pct.value(),
                     std::abs(100 * (row.predicted_value / 500 - 1)));
    EXPECT_EQ(row.group, "time_us wormhole_b0 reduce_scatter line 8 chips 1 link above 1 MiB");
    EXPECT_PRED2(contains, row.asked, "reduce_scatter of 4.00 MiB");
    EXPECT_PRED2(contains, row.asked, "pages of 1088 B, packets of 4352 B");
}

TEST(ValidateCollectives, columns_that_may_be_absent_are_those_of_the_sweeps) {
    // bfloat16 tiles, packets as tuned, one call.
    const Validation whole =
        validated_rows(kSweep, {"BHGLX,all_gather,ring,8,2,1048576,2048,8192,1,24"});
    const Validation terse = validated(
        "system,op,topology,n_devices,num_links_per_direction,size_bytes,time_us\n"
        "BHGLX,all_gather,ring,8,2,1048576,24\n");
    EXPECT_EQ(whole.rows[0].predicted, terse.rows[0].predicted);
    EXPECT_EQ(whole.rows[0].asked, terse.rows[0].asked);
}

TEST(ValidateCollectives, published_sweeps_have_the_errors_that_tessera_ccl_prints) {
    // topologies/validation/ccl.yaml, group by group, from the answers of `tessera validate`.
    const auto groups =
        ccl::load_error_groups(TESSERA_SOURCE_DIR "/topologies/validation/ccl.yaml");
    std::map<std::string, std::vector<double>> errors;
    for (const auto& [arch, system] : {std::pair{"wormhole_b0", "T3K"}, {"blackhole", "BHGLX"}}) {
        for (const JudgedRow& row : published_sweep(arch, system).rows) {
            const auto error = row.error_pct(row.predicted_value);
            if (error) errors[row.group].push_back(std::abs(*error));
        }
    }
    EXPECT_EQ(errors.size(), groups.size());
    for (const ccl::ErrorGroup& group : groups) {
        const auto found = errors.find("time_us " + group.text());
        ASSERT_NE(found, errors.end()) << group.text();
        EXPECT_EQ(static_cast<std::int64_t>(found->second.size()), group.rows) << group.text();
        EXPECT_NEAR(quantile_in_tenths(found->second, 0.5), group.median_pct, 1e-9) << group.text();
        EXPECT_NEAR(quantile_in_tenths(found->second, 0.9), group.p90_pct, 1e-9) << group.text();
    }
}

TEST(ValidateCollectives, plans_beat_the_null_on_the_rows_it_answers) {
    // The closed form is published for Wormhole; it answers every row of that sweep, no other.
    const Validation wormhole = published_sweep("wormhole_b0", "T3K");
    EXPECT_GE(wormhole.scores.rows, 174);
    EXPECT_EQ(wormhole.scores.null_errors.rows, wormhole.scores.rows);
    EXPECT_LT(wormhole.scores.median_ape_pct.value(),
              wormhole.scores.null_errors.median_ape_pct.value() / 2);
    EXPECT_LT(wormhole.scores.p90_ape_pct.value(),
              wormhole.scores.null_errors.p90_ape_pct.value() / 2);
    const Validation blackhole = published_sweep("blackhole", "BHGLX");
    EXPECT_GE(blackhole.scores.rows, 155);
    EXPECT_EQ(blackhole.scores.null_errors.rows, 0);
    EXPECT_FALSE(blackhole.scores.null_errors.median_ape_pct.has_value());
}

TEST(ValidateCollectives, rows_the_estimate_cannot_answer_are_counted_by_reason) {
    // Two chips are no ring, three links are more than there are, calls in a row hide each other.
    const Validation found = validated_rows(
        kSweep,
        {"T3K,all_gather,ring,8,1,1048576,,,8,50", "T3K,gossip,ring,8,1,1048576,,,1,50",
         "T3K,all_gather,mesh,8,1,1048576,,,1,50", "T3K,all_gather,ring,,1,1048576,,,1,50",
         "Abacus,all_gather,ring,8,1,1048576,,,1,50", "T3K,all_gather,ring,2,1,1048576,,,1,50",
         "T3K,all_gather,ring,8,3,1048576,,,1,50", "T3K,all_gather,ring,64,1,1048576,,,1,50"});
    EXPECT_EQ(found.scores.rows, 0);
    EXPECT_FALSE(found.scores.median_ape_pct.has_value());
    EXPECT_EQ(found.skipped.at("several calls back to back"), 1);
    EXPECT_EQ(found.skipped.at("no collective gossip"), 1);
    EXPECT_EQ(found.skipped.at("neither ring nor line"), 1);
    EXPECT_EQ(found.skipped.at("no number of chips"), 1);
    EXPECT_EQ(found.skipped.at("no system for Abacus"), 1);
    EXPECT_PRED2(contains, found.rows[5].why, "ring asked for along axis 1: two chips");
    EXPECT_PRED2(contains, found.rows[6].why, "links: axis 1: expected 1 to 1, got 3");
    EXPECT_FALSE(found.rows[7].why.empty());
    EXPECT_EQ(found.skipped.size(), 8u);
}

TEST(ValidateCollectives, a_bad_field_is_named_with_its_line) {
    // A typo in a long table must be found, and zero is no time.
    const auto refused = [](const char* row) {
        return message_of<Error>([&] { validated_rows(kSweep, {row}); });
    };
    EXPECT_EQ(refused("T3K,all_gather,ring,8,1,1048576,,,1,fast"),
              "t.csv:2: time_us: expected a number that is not negative, got \"fast\"");
    EXPECT_EQ(refused("T3K,all_gather,ring,8,1,1048576,,,1,0"),
              "t.csv:2: time_us: expected a number above 0, got \"0\"");
    EXPECT_PRED2(begins, refused("T3K,all_gather,ring,8,1,1048576,,,1,inf"), "t.csv:2: time_us: ");
    EXPECT_PRED2(begins, refused("T3K,all_gather,ring,8,1,1MiB,,,1,50"), "t.csv:2: size_bytes: ");
    EXPECT_PRED2(begins, refused("T3K,all_gather,ring,8,1,,,,1,50"), "t.csv:2: size_bytes: ");
    EXPECT_PRED2(begins, refused("T3K,all_gather,ring,8,-1,1024,,,1,50"),
                 "t.csv:2: num_links_per_direction: expected an integer from 1 to 64");
}

TEST(ValidateCollectives, a_shape_is_the_bytes_of_its_tensor) {
    // tenstorrent/tt-metal PR #41522: 32x1024 bfloat16 values are 64 KiB; its date is before the
    // one-shot op, which the same row would take later.
    const std::string columns =
        "system,op,topology,n_devices,num_links,shape,dtype,variant,value,unit,kind,source\n";
    const std::string asked =
        "T3K,reduce_scatter,ring,8,,\"[1,1,32,1024]\",bfloat16,new,34.68,us,m,";
    const Validation found = validated_rows(
        columns, {asked + "PR #41522 (2026-04-06)", asked + "later (2026-10-01)",
                  "T3K,all_gather,ring,8,1,\"[1,8,128,4096] out, dim 1\",bfp8,new,571060,ns,m,s",
                  "T3K,all_gather,ring,8,1,\"[1,8,128,4096]\",bfp8,new,571060,ns,m,s",
                  "T3K,all_gather,ring,8,1,a lot,bfp8,new,571060,ns,m,s",
                  "T3K,all_gather,ring,8,1,\"[1,32]\",bfp8,new,2.5 -> 9.9,GB/s,m,s",
                  "T3K,LlamaReduceScatter,,,,,,,9.7,us,CI perf target,s"});
    EXPECT_PRED2(contains, found.rows[0].asked, "of 64.00 KiB (65,536 B)");
    EXPECT_PRED2(contains, found.rows[0].asked, ", no one-shot");
    EXPECT_NEAR(found.rows[0].error_pct(found.rows[0].predicted_value).value(), 0, 10);
    EXPECT_NE(found.rows[1].predicted_value, found.rows[0].predicted_value);
    // 4096 tiles of 1088 B; nanoseconds are microseconds by the time they are compared.
    EXPECT_PRED2(contains, found.rows[2].asked, "(4,456,448 B)");
    EXPECT_DOUBLE_EQ(found.rows[2].measured_value, 571.06);
    const std::map<std::string, std::int64_t> reasons{
        {"a gather of a shape that is not said to be the output", 1},
        {"no shape", 1},
        {"no time in us or ns", 1},
        {"a target, not a measurement", 1}};
    EXPECT_EQ(found.skipped, reasons);
}

TEST(ValidateCollectives, traced_cycles_are_held_against_the_whole_collective) {
    // tenstorrent/tt-npe: tt_npe/workload/T3K-fabric-traces @1021603: ten bfp8 tiles a chip.
    const Validation found = validated(
        "system,op,topology,chips,tiles_per_chip,tile_bytes,position,cycles,clock_MHz\n"
        "T3K,all_gather_async,line,4,10,1088,end (chip 4),9816,1000\n"
        "T3K,all_gather_async,line,4,10,1088,middle (chip 3),14282,1000\n");
    EXPECT_EQ(found.skipped.at("an end chip of the line"), 1);
    EXPECT_PRED2(contains, found.rows[1].asked, "(43,520 B)");
    EXPECT_PRED2(contains, found.rows[1].asked, "packets of 4352 B");
    EXPECT_DOUBLE_EQ(found.rows[1].measured_value, 14.282);
    EXPECT_LT(found.scores.median_ape_pct.value(), 15);
}

TEST(ValidateScores, errors_are_over_all_rows_and_the_null_over_its_own) {
    // +50 %, -10 %, -20 %; the null of two rows is off by 100 % and 0 %.
    std::vector<JudgedRow> rows(3);
    const std::vector<std::pair<double, double>> values{{15, 10}, {9, 10}, {16, 20}};
    for (std::size_t i = 0; i < rows.size(); ++i) {
        rows[i].verdict = Verdict::Compared;
        rows[i].predicted_value = values[i].first;
        rows[i].measured_value = values[i].second;
    }
    rows[0].null_value = 20;
    rows[2].null_value = 20;
    const std::vector<const JudgedRow*> all{&rows[0], &rows[1], &rows[2]};
    const Scores scores = score(Scoring::Error, all);
    EXPECT_EQ(scores.rows, 3);
    EXPECT_NEAR(scores.median_ape_pct.value(), 20, 1e-9);
    EXPECT_NEAR(scores.mean_ape_pct.value(), 80.0 / 3, 1e-9);
    EXPECT_NEAR(scores.p90_ape_pct.value(), 50, 1e-9);
    EXPECT_EQ(scores.null_errors.rows, 2);
    EXPECT_NEAR(scores.null_errors.median_ape_pct.value(), 50, 1e-9);
    EXPECT_FALSE(scores.exact_pct || scores.agree_yes_pct || scores.within_2x_pct);
}

}  // namespace
}  // namespace model::testing

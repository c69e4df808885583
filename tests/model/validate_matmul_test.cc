// Tables of matmuls: what a row asks, what it is held against, what is skipped, and the published
// tables of tests/data/matmul (tenstorrent/tt-metal: tech_reports/GEMM_FLOPS/GEMM_FLOPS.md), whole.
#include <gtest/gtest.h>

#include "core/error.h"
#include "dispatch/matmul_question.h"
#include "tests/model/validate_fixture.h"

namespace model::testing {
namespace {

using core::Error;
using namespace core::literals;

constexpr const char* kColumns =
    "product,grid_x,grid_y,config,M,K,N,use_trace,in0_sharded,out_sharded,in0_storage,in1_storage,"
    "out_storage,dtype,math_fidelity,value,unit\n";

Validation validated_rows(const std::vector<std::string>& rows) {
    std::string table = kColumns;
    for (const std::string& row : rows) table += row + "\n";
    return validated(table);
}

JudgedRow only(const std::string& row) {
    const Validation found = validated_rows({row});
    EXPECT_EQ(found.rows.size(), 1u);
    return found.rows.at(0);
}

std::string message_of(const std::string& row) {
    try {
        validated_rows({row});
    } catch (const Error& error) {
        return error.message();
    }
    return "no error";
}

mesh::ChipSpec p150() { return mesh::load_chip(TESSERA_SOURCE_DIR "/topologies/chips/p150.yaml"); }

TEST(ValidateMatmul, a_row_asks_what_tessera_op_asks_and_adds_the_gap_of_a_trace) {
    // One path to a time: the same question gives the same picoseconds.
    const Validation found = validated_rows(
        {"P150,13,10,manually_tuned,2560,3328,4992,True,True,True,L1,DRAM,L1,BFLOAT8_B,LoFi,150000,"
         "ns"});
    const JudgedRow& row = found.rows.at(0);
    const mesh::ChipSpec chip = p150();
    dispatch::MatmulQuestion question{.m = 2560, .k = 3328, .n = 4992};
    question.dtype = tensor::DType::BFloat8_b;
    question.fidelity = mesh::Fidelity::LoFi;
    question.grid = {13, 10};
    question.activations = question.output = mesh::BufferType::L1;
    question.tuning = dispatch::MatmulTuning::Tuned;
    EXPECT_EQ(found.kind, "matmuls");
    EXPECT_EQ(row.verdict, Verdict::Compared);
    EXPECT_DOUBLE_EQ(
        row.predicted_value,
        core::to_us(dispatch::matmul_time(question, chip).total() + chip.launch.traced_gap));
    EXPECT_DOUBLE_EQ(row.measured_value, 150);
    EXPECT_EQ(row.measured, "150.00 us, 567.1 TFLOP/s");  // 2 x 2560 x 3328 x 4992 / 150 us
    EXPECT_EQ(row.group, "value P150 bfp8 LoFi tuned");
    EXPECT_NE(row.asked.find("matmul 2560x3328x4992"), std::string::npos) << row.asked;
    EXPECT_NE(row.asked.find("13x10 cores"), std::string::npos) << row.asked;
}

TEST(ValidateMatmul, every_field_of_the_question_reaches_the_clock) {
    // Each row differs from the first in one field, and so does its time.
    const double base = only(
                            "N150,8,8,out_of_box,2048,2048,3072,True,False,False,DRAM,DRAM,DRAM,"
                            "BFLOAT16,HiFi2,9,us")
                            .predicted_value;
    for (const char* row :
         {"P150,8,8,out_of_box,2048,2048,3072,True,False,False,DRAM,DRAM,DRAM,BFLOAT16,HiFi2,9,us",
          "N150,4,8,out_of_box,2048,2048,3072,True,False,False,DRAM,DRAM,DRAM,BFLOAT16,HiFi2,9,us",
          "N150,8,8,tuned,2048,2048,3072,True,False,False,DRAM,DRAM,DRAM,BFLOAT16,HiFi2,9,us",
          "N150,8,8,out_of_box,1024,2048,3072,True,False,False,DRAM,DRAM,DRAM,BFLOAT16,HiFi2,9,us",
          "N150,8,8,out_of_box,2048,1024,3072,True,False,False,DRAM,DRAM,DRAM,BFLOAT16,HiFi2,9,us",
          "N150,8,8,out_of_box,2048,2048,1024,True,False,False,DRAM,DRAM,DRAM,BFLOAT16,HiFi2,9,us",
          "N150,8,8,out_of_box,2048,2048,3072,True,False,True,DRAM,DRAM,L1,BFLOAT16,HiFi2,9,us",
          "N150,8,8,out_of_box,2048,2048,3072,True,False,False,DRAM,DRAM,DRAM,BFLOAT8_B,HiFi2,9,us",
          "N150,8,8,out_of_box,2048,2048,3072,True,False,False,DRAM,DRAM,DRAM,BFLOAT16,HiFi4,9,"
          "us"}) {
        const JudgedRow judged = only(row);
        EXPECT_EQ(judged.verdict, Verdict::Compared) << row;
        EXPECT_NE(judged.predicted_value, base) << row;
    }
}

TEST(ValidateMatmul, a_table_without_a_grid_is_of_the_workers_of_the_chip) {
    // 8x8 on an N150 (topologies/chips/n150.yaml).
    const std::string terse =
        "product,config,M,K,N,use_trace,in0_storage,in1_storage,out_storage,dtype,math_fidelity,"
        "value,unit\nN150,tuned,512,512,512,True,L1,DRAM,L1,BFLOAT16,HiFi2,20,us\n";
    const JudgedRow whole = only(
        "N150,8,8,manually_tuned,512,512,512,True,True,True,L1,DRAM,L1,BFLOAT16,HiFi2,20000,ns");
    const Validation found = validated(terse);
    EXPECT_EQ(found.rows.at(0).asked, whole.asked);
    EXPECT_EQ(found.rows.at(0).predicted, whole.predicted);
    EXPECT_EQ(found.rows.at(0).measured, whole.measured);
}

TEST(ValidateMatmul, rows_it_has_no_answer_to_are_skipped_with_the_reason) {
    const auto why = [](const std::string& row) {
        const JudgedRow judged = only(row);
        EXPECT_EQ(judged.verdict, Verdict::Skipped) << row;
        return judged.why;
    };
    EXPECT_EQ(why("E150,8,8,tuned,512,512,512,True,,,L1,DRAM,L1,BFLOAT16,HiFi2,20,us"),
              "no system for E150");
    EXPECT_EQ(why("N150,8,8,tuned,512,512,512,True,False,,L1,DRAM,L1,BFLOAT16,HiFi2,20,us"),
              "an operand in interleaved L1");
    EXPECT_EQ(why("N150,8,8,tuned,512,512,512,True,True,,DRAM,DRAM,L1,BFLOAT16,HiFi2,20,us"),
              "a sharded operand in DRAM");
    EXPECT_EQ(why("N150,8,8,tuned,512,512,512,True,,,L1,L1,L1,BFLOAT16,HiFi2,20,us"),
              "weights outside DRAM");
    EXPECT_EQ(why("N150,8,8,tuned,512,512,512,True,,,L1,DRAM,L1,FLOAT7,HiFi2,20,us"),
              "no known dtype");
    EXPECT_EQ(why("N150,8,8,tuned,512,512,512,True,,,L1,DRAM,L1,BFLOAT16,HiFi9,20,us"),
              "no known fidelity");
    EXPECT_EQ(why("N150,8,8,lucky,512,512,512,True,,,L1,DRAM,L1,BFLOAT16,HiFi2,20,us"),
              "neither tuned nor out of the box");
}

TEST(ValidateMatmul, without_a_trace_the_host_sets_the_pace_of_short_matmuls) {
    // GEMM_FLOPS.md, N150 and P150: 20 us of device behind 49 us of calls, more for sharded
    // outputs; long matmuls take what they take with a trace.
    const auto row = [](const char* product, const char* config, int size, const char* traced,
                        const char* place) {
        const std::string side = std::to_string(size) + ",";
        return only(std::string(product) + "," + config + "," + side + side + side + traced +
                    ",,," + place + ",DRAM," + place + ",BFLOAT16,HiFi2,50,us");
    };
    const double short_dram = row("N150,8,8", "out_of_box", 512, "False", "DRAM").predicted_value;
    const double short_l1 = row("N150,8,8", "tuned", 512, "False", "L1").predicted_value;
    EXPECT_NEAR(short_dram, 49.05, 5);
    EXPECT_GT(short_l1, short_dram + 50);
    EXPECT_LT(row("P150,11,10", "out_of_box", 512, "False", "DRAM").predicted_value, short_dram);
    EXPECT_DOUBLE_EQ(row("N150,8,8", "out_of_box", 3072, "False", "DRAM").predicted_value,
                     row("N150,8,8", "out_of_box", 3072, "True", "DRAM").predicted_value);
}

TEST(ValidateMatmul, a_bad_field_is_named_with_what_was_expected) {
    const auto says = [](const std::string& row, const char* column) {
        const std::string message = message_of(row);
        return message.find(column) != std::string::npos ? "yes" : message;
    };
    EXPECT_EQ(says("N150,8,8,tuned,0,512,512,True,,,L1,DRAM,L1,BFLOAT16,HiFi2,20,us", "M"), "yes");
    EXPECT_EQ(says("N150,8,8,tuned,9,9,9999999,True,,,L1,DRAM,L1,BFLOAT16,HiFi2,20,us", "1048576"),
              "yes");
    EXPECT_EQ(says("N150,8,99,tuned,9,9,9,True,,,L1,DRAM,L1,BFLOAT16,HiFi2,20,us", "grid_y"),
              "yes");
    EXPECT_EQ(says("N150,8,,tuned,9,9,9,True,,,L1,DRAM,L1,BFLOAT16,HiFi2,20,us", "grid_y"), "yes");
    EXPECT_EQ(says("N150,8,8,tuned,9,9,9,maybe,,,L1,DRAM,L1,BFLOAT16,HiFi2,20,us", "use_trace"),
              "yes");
    EXPECT_EQ(says("N150,8,8,tuned,9,9,9,True,,,HBM,DRAM,L1,BFLOAT16,HiFi2,20,us", "in0_storage"),
              "yes");
    EXPECT_EQ(says("N150,8,8,tuned,9,9,9,True,,,L1,DRAM,L1,BFLOAT16,HiFi2,0,us", "above 0"), "yes");
    EXPECT_EQ(says("N150,8,8,tuned,9,9,9,True,,,L1,DRAM,L1,BFLOAT16,HiFi2,20,s", "ns or us"),
              "yes");
}

/// A file of tests/data/matmul as published tables have it: a product, a place per operand.
Validation published(const std::string& file, const std::string& product) {
    const core::CsvTable table = [&] {
        std::string text = core::read_text(TESSERA_SOURCE_DIR "/tests/data/matmul/" + file, 1_MiB);
        while (text.starts_with('#')) text.erase(0, text.find('\n') + 1);
        return core::parse_csv(text, file);
    }();
    std::vector<std::string> rows;
    for (const core::CsvRow& row : table.rows) {
        const core::CsvRecord record(table, row);
        const auto field = [&](const char* column) { return record.text(column) + ","; };
        const std::string place = field("activations");
        rows.push_back(product + "," + field("grid_x") + field("grid_y") + field("config") +
                       field("M") + field("K") + field("N") + "True,,," + place + "DRAM," + place +
                       field("dtype") + field("math_fidelity") + field("us") + "us");
    }
    return validated_rows(rows);
}

class PublishedMatmuls : public ::testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(PublishedMatmuls, have_median_errors_within_10_percent_tuned_and_20_out_of_the_box) {
    // The bounds of tests/dispatch/matmul_time_test.cc, reached through the verb's own path.
    const Validation found = published(GetParam().first, GetParam().second);
    EXPECT_EQ(found.scores.rows, 72);
    EXPECT_TRUE(found.skipped.empty());
    EXPECT_EQ(found.groups.size(), 8u);
    EXPECT_LE(found.scores.median_ape_pct.value(), 5.0);
    for (const GroupScores& group : found.groups) {
        const bool tuned = group.name.ends_with(" tuned");
        EXPECT_LE(group.scores.median_ape_pct.value(), tuned ? 10.0 : 20.0) << group.name;
        RecordProperty(group.name, std::to_string(*group.scores.median_ape_pct));
    }
}

INSTANTIATE_TEST_SUITE_P(Tables, PublishedMatmuls,
                         ::testing::Values(std::pair{"gemm_wh.csv", "N150"},
                                           std::pair{"gemm_bh.csv", "P150"}),
                         [](const auto& table) { return std::string(table.param.second); });

}  // namespace
}  // namespace model::testing

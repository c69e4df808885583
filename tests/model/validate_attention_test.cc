// Tables of attention: what a row asks, in which unit it is held, what is skipped, and published
// times of all kinds (tenstorrent/tt-metal: tech_reports/FlashAttention).
#include <gtest/gtest.h>

#include "core/error.h"
#include "dispatch/attention_question.h"
#include "tests/model/validate_fixture.h"

namespace model::testing {
namespace {

constexpr const char* kColumns =
    "op,implementation,product,arch,batch,n_q_heads,n_kv_heads,head_dim,seq_q,kv_len,dtype_q,"
    "dtype_kv,cores,value,unit\n";

Validation validated_rows(const std::vector<std::string>& rows) {
    std::string table = kColumns;
    for (const std::string& row : rows) table += row + "\n";
    return validated(table);
}

JudgedRow only(const std::string& row) { return validated_rows({row}).rows.at(0); }

std::string message_of(const std::string& row) {
    try {
        validated_rows({row});
    } catch (const core::Error& error) {
        return error.message();
    }
    return "no error";
}

TEST(ValidateAttention, a_row_asks_what_tessera_op_asks_and_answers_in_its_unit) {
    // Bytes at one per element: 2 x 32 x 64 x 4096.
    const mesh::ChipSpec chip = mesh::load_chip(TESSERA_SOURCE_DIR "/topologies/chips/n150.yaml");
    dispatch::AttentionQuestion question;
    question.kind = dispatch::AttentionKind::Decode;
    question.of = {8, 1, 64, 64, tensor::DType::BFloat16, tensor::DType::BFloat8_b};
    question.batch = 32;
    question.keys = 4096;
    question.cores = 64;
    question.fidelity = mesh::Fidelity::HiFi4;
    question.config.k_chunk = 512;
    question.config.exp = dispatch::ExpMode::Approximate;
    question.config.reduction = dispatch::Reduction::Linear;
    const double us = core::to_us(attention_answer(question, chip).time.total());
    const JudgedRow rate = only(
        "SDPA decode,FlashDecode,N150,wormhole_b0,32,8,1,64,1,4096,BFLOAT16,BFLOAT8_B (assumed),64,"
        "133.9,GB/s");
    EXPECT_EQ(rate.verdict, Verdict::Compared);
    EXPECT_NEAR(rate.predicted_value, 2.0 * 32 * 64 * 4096 / us * 1e-3, 1e-9);
    EXPECT_NEAR(*rate.error_pct(rate.predicted_value), 0, 15);
    const JudgedRow time = only(
        "SDPA decode,FlashDecode,N150,wormhole_b0,32,8,1,64,1,4096,BFLOAT16,BFLOAT8_B,64,0.1253,"
        "ms");
    EXPECT_DOUBLE_EQ(time.predicted_value, us * 1e-3);
    EXPECT_EQ(time.group, "SDPA decode, fused bfp8, N150");
}

TEST(ValidateAttention, flops_are_half_of_the_scores_where_the_mask_is_causal) {
    // FlashAttention.md: 2 x batch x seq^2 x heads x depth.
    const JudgedRow rate = only(
        "SDPA prefill causal,FlashAttention,N150,wormhole_b0,1,16,,128,16384,16384,BFLOAT8_B,"
        "BFLOAT8_B,64 (assumed 8x8),37.3,TFLOP/s");
    const JudgedRow time = only(
        "SDPA prefill causal,FlashAttention,N150,wormhole_b0,1,16,,128,16384,16384,BFLOAT8_B,"
        "BFLOAT8_B,64 (assumed 8x8),29478,us");
    EXPECT_NEAR(rate.predicted_value * time.predicted_value * 1e6, 2.0 * 16384 * 16384 * 16 * 128,
                1e6);
    EXPECT_NEAR(rate.predicted_value, 37.3, 3.73);
    // Unfused, every score is computed and goes through DRAM: ten times as long and more.
    const JudgedRow unfused = only(
        "SDPA prefill causal,baseline (through DRAM),N150,wormhole_b0,1,16,,128,16384,16384,"
        "BFLOAT8_B,BFLOAT8_B,64,2.6,TFLOP/s");
    EXPECT_NEAR(unfused.predicted_value, 2.6, 0.52);
}

TEST(ValidateAttention, a_ring_is_as_long_as_its_iterations) {
    // mla_100k: the causal iteration takes twice as many steps as each of the others.
    const auto iteration = [](const char* name) {
        return only(std::string("SDPA one ring iteration (mla_100k),") + name +
                    ",QuietBox,blackhole,,29,,,,,,,,1.4,ms")
            .predicted_value;
    };
    EXPECT_NEAR(iteration("iteration 0 device 1"), 2.435, 0.3);
    EXPECT_NEAR(iteration("iteration 2 device 1"), 1.428, 0.2);
    // The queries are read and the kernel started once in both.
    const double ratio = iteration("iteration 0 device 1") / iteration("iteration 3 device 2");
    EXPECT_GT(ratio, 1.8);
    EXPECT_LT(ratio, 2);
    const JudgedRow ring = only(
        "ring joint SDPA prefill,wan2_2_1xGLX q_chunk=288 k_chunk=512 ring of 4,QuietBox,blackhole,"
        ",,,,,,,,,68.9,% math utilization (HiFi2)");
    EXPECT_NEAR(ring.predicted_value, 68.9, 3.5);
}

TEST(ValidateAttention, rows_without_sizes_are_skipped_with_the_reason) {
    const auto why = [](const std::string& row) {
        const JudgedRow judged = only(row);
        EXPECT_EQ(judged.verdict, Verdict::Skipped) << row;
        return judged.why;
    };
    EXPECT_EQ(why("SDPA prefill causal,x,N150,wormhole_b0,1,8,8,128,512,,BFLOAT16,BFLOAT16,,9,us"),
              "no kv_len");
    EXPECT_EQ(why("SDPA prefill causal,x,N150,wormhole_b0,1,8,8,128,512,512,BF,BFLOAT16,,9,us"),
              "no known dtype");
    EXPECT_EQ(why("SDPA prefill causal,q_chunk=33 k_chunk=64,N150,wormhole_b0,1,8,8,128,512,512,"
                  "BFLOAT16,BFLOAT16,,9,us"),
              "chunks that are no whole tiles");
    EXPECT_EQ(why("ring joint SDPA prefill,mla_100k,QuietBox,blackhole,,,,,,,,,,63,% utilization"),
              "no length of the ring");
}

TEST(ValidateAttention, a_bad_field_is_named_with_what_was_expected) {
    const auto says = [](const std::string& row, const char* column) {
        const std::string message = message_of(row);
        return message.find(column) != std::string::npos ? "yes" : message;
    };
    const std::string sizes = ",1,8,8,128,512,512,BFLOAT16,BFLOAT16,,";
    EXPECT_EQ(says("SDPA,x,N150,grayskull" + sizes + "9,us", "arch"), "yes");
    EXPECT_EQ(says("SDPA,x,N150,wormhole_b0" + sizes + "0,us", "above 0"), "yes");
    EXPECT_EQ(says("SDPA,x,N150,wormhole_b0" + sizes + "9,hours", "unit"), "yes");
    EXPECT_EQ(
        says("SDPA,x,N150,wormhole_b0,1,8,3,128,512,512,BFLOAT16,BFLOAT16,,9,us", "n_kv_heads"),
        "yes");
    EXPECT_EQ(says("SDPA,x,N150,wormhole_b0,1,8,8,128,512,256,BFLOAT16,BFLOAT16,,9,us", "kv_len"),
              "yes");
}

}  // namespace
}  // namespace model::testing

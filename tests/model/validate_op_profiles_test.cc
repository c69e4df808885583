// Tables of profiled ops: how operands are read, what a row asks, what is skipped, what is refused.
#include <gtest/gtest.h>

#include "core/error.h"
#include "dispatch/kernel_question.h"
#include "tests/model/validate_fixture.h"

namespace model::testing {
namespace {

using core::Error;

constexpr const char* kColumns =
    "system,arch,op,math_fidelity,core_count,available_cores,input0,input1,input2,output0,"
    "attributes,value,unit\n";
constexpr const char* kTiles = "1[1]x1[1]x7680[7680]x256[256] TILE BFLOAT16 DRAM_INTERLEAVED";
constexpr const char* kRows = "1[1]x1[1]x7680[7680]x256[256] ROW_MAJOR BFLOAT16 DRAM_INTERLEAVED";

std::string row(const std::string& op, const std::string& in, const std::string& out,
                const std::string& attributes = "") {
    return "Blackhole 20 cores,blackhole," + op + ",HiFi4,20,20," + in + ",,," + out + "," +
           attributes + ",46966,ns\n";
}

JudgedRow only(const std::string& text) {
    const Validation found = validated(kColumns + text);
    EXPECT_EQ(found.rows.size(), 1u);
    return found.rows.at(0);
}

std::string message_of(const std::string& text) {
    try {
        validated(kColumns + text);
    } catch (const Error& error) {
        return error.message();
    }
    return "no error";
}

TEST(ValidateOpProfiles, a_row_asks_the_kernel_that_the_simulator_asks) {
    const JudgedRow judged = only(row("UntilizeDeviceOperation", kTiles, kRows));
    const tensor::Shape shape{1, 1, 7680, 256};
    dispatch::KernelQuestion question;
    question.kind = dispatch::KernelKind::Untilize;
    question.in = {dispatch::operand({shape, tensor::DType::BFloat16, tensor::Layout::Tile}, {})};
    question.out =
        dispatch::operand({shape, tensor::DType::BFloat16, tensor::Layout::RowMajor}, {});
    question.cores = 20;
    const mesh::ChipSpec chip = mesh::load_chip(TESSERA_SOURCE_DIR "/topologies/chips/p150.yaml");
    EXPECT_EQ(judged.verdict, Verdict::Compared);
    EXPECT_DOUBLE_EQ(judged.predicted_value,
                     core::to_us(dispatch::kernel_time(question, chip).total()));
    EXPECT_DOUBLE_EQ(judged.measured_value, 46.966);
}

TEST(ValidateOpProfiles, a_cast_to_integers_takes_longer_than_one_between_floats) {
    const std::string integers = "1[1]x1[1]x7680[7680]x256[256] TILE UINT32 DRAM_INTERLEAVED";
    const JudgedRow slow = only(row("TypecastDeviceOperation", kTiles, integers));
    const JudgedRow quick = only(row("TypecastDeviceOperation", kTiles, kTiles));
    EXPECT_GT(slow.predicted_value, 1.5 * quick.predicted_value);
}

TEST(ValidateOpProfiles, what_a_row_does_not_say_enough_about_is_skipped_with_its_name) {
    EXPECT_EQ(only(row("GroupNormDeviceOperation", kTiles, kTiles)).why,
              "the row does not say its groups, window or scale: GroupNorm");
}

TEST(ValidateOpProfiles, a_product_per_head_takes_all_heads_one_after_the_other) {
    const auto product = [](const std::string& heads) {
        const std::string head = "1[1]x" + heads + "x32[19]x64[64] TILE BFLOAT16 DRAM_INTERLEAVED";
        const std::string keys = "1[1]x" + heads + "x64[64]x32[19] TILE BFLOAT16 DRAM_INTERLEAVED";
        return only("Blackhole,blackhole,Matmul,HiFi4,1,64," + head + "," + keys + ",," + head +
                    ",,15969,ns\n");
    };
    const double one = product("1[1]").predicted_value;
    const double two = product("2[2]").predicted_value;
    const double twelve = product("12[12]").predicted_value;
    EXPECT_GT(two, one);
    EXPECT_NEAR(twelve - one, 11 * (two - one), 1e-4);
}

TEST(ValidateOpProfiles, sums_that_are_read_back_and_a_bias_take_longer) {
    // Two blocks of K or more: without packer_l1_acc the sums so far go through the cores again.
    const auto matmul = [](const std::string& bias, const std::string& accumulate) {
        const std::string weight = "1[1]x1[1]x256[256]x256[256] TILE BFLOAT8_B DRAM_INTERLEAVED";
        return only("Blackhole 20 cores,blackhole,Matmul,LoFi,20,20," + std::string(kTiles) + "," +
                    weight + "," + bias + "," + kTiles + ",packer_l1_acc=" + accumulate +
                    ",46966,ns\n")
            .predicted_value;
    };
    const std::string bias = "1[1]x1[1]x32[1]x256[256] TILE BFLOAT8_B DRAM_INTERLEAVED";
    EXPECT_GT(matmul("", "0"), matmul("", "1"));
    EXPECT_GT(matmul(bias, "1"), matmul("", "1"));
}

TEST(ValidateOpProfiles, a_convolution_is_as_deep_as_its_weight_and_tilizes_its_rows) {
    const std::string rows = "1[1]x1[1]x43840[43840]x64[64] ROW_MAJOR BFLOAT16 L1_HEIGHT_SHARDED";
    const std::string out = "1[1]x1[1]x30720[30720]x64[64] TILE BFLOAT16 L1_HEIGHT_SHARDED";
    const auto window = [&](const std::string& depth) {
        const std::string weight = "1[1]x1[1]x" + depth + "x64[64] TILE BFLOAT8_B DRAM_INTERLEAVED";
        const JudgedRow judged =
            only("Blackhole 20 cores,blackhole,Conv2dDeviceOperation,HiFi2,20,20," + rows + "," +
                 weight + ",," + out + ",packer_l1_acc=0,131014,ns\n");
        EXPECT_EQ(judged.group, "convolution");
        return judged.predicted_value;
    };
    EXPECT_GT(window("576[576]"), 2 * window("64[64]"));
}

TEST(ValidateOpProfiles, sizes_that_are_none_are_refused_with_their_place) {
    EXPECT_NE(message_of(row("MoveDeviceOperation", "12xa TILE BFLOAT16 DRAM_INTERLEAVED", kTiles))
                  .find("input0"),
              std::string::npos);
    EXPECT_NE(message_of(row("MoveDeviceOperation", kTiles, "99[0] TILE BFLOAT16 L1_INTERLEAVED"))
                  .find("output0"),
              std::string::npos);
}

TEST(ValidateOpTimes, a_galaxy_row_is_asked_by_its_name_and_others_say_why_not) {
    const std::string head = "system,model,phase,op_name,seq_len,kernel_duration_ns\n";
    const std::string start = "Galaxy 6U,Llama-3.1/3.3-70B,";
    const Validation found =
        validated(head + start + "prefill,typecast_0,4096,84974\n" + start +
                  "prefill,typecast_0,128,4378\n" + start + "decode,TopK_0,1,180000\n");
    ASSERT_EQ(found.rows.size(), 3u);
    EXPECT_GT(found.rows[0].predicted_value, 4 * found.rows[1].predicted_value);
    EXPECT_EQ(found.rows[2].why, "no single kernel of known sizes");
}

TEST(ValidateOpTimes, three_products_of_a_chunk_take_three_times_one) {
    const std::string head = "system,model,layer,prior_context_tokens,chunk_tokens,op,value\n";
    const std::string start = "Blackhole Galaxy,Gemma4-31B,global,0,4096,";
    const Validation found = validated(head + start + "Matmul _x5376x5376,885.8\n" + start +
                                       "Matmul _x5376x4608,283.0\n" + start + "TOTAL,3822\n");
    ASSERT_EQ(found.rows.size(), 3u);
    EXPECT_GT(found.rows[0].predicted_value, 2 * found.rows[1].predicted_value);
    EXPECT_EQ(found.rows[2].verdict, Verdict::Skipped);
}

}  // namespace
}  // namespace model::testing

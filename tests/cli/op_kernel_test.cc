// tessera op of kernels that stream pages: what is asked, and bad input.
#include <gtest/gtest.h>

#include "dispatch/kernel_question.h"
#include "tests/cli/command.h"

namespace {

std::vector<std::string> kernel(const std::string& op, const std::string& rows,
                                const std::string& cols, std::vector<std::string> more = {}) {
    std::vector<std::string> words{"op", op, "--arch", "blackhole", "--rows", rows, "--cols", cols};
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

double time_of(const std::vector<std::string>& words) {
    return document(words).at("time_us").get<double>();
}

TEST(OpKernel, untilize_takes_what_the_simulator_says_and_about_what_was_measured) {
    // 7680x256 bf16 on 20 cores of a Blackhole: 46.97 us (tenstorrent/tt-perf-report: tests/data).
    const Json json = document(kernel("untilize", "7680", "256", {"--cores", "20"}));
    const tensor::Shape shape{7680, 256};
    dispatch::KernelQuestion question;
    question.kind = dispatch::KernelKind::Untilize;
    question.in = {dispatch::operand({shape, tensor::DType::BFloat16, tensor::Layout::Tile}, {})};
    question.out =
        dispatch::operand({shape, tensor::DType::BFloat16, tensor::Layout::RowMajor}, {});
    question.cores = 20;
    const mesh::ChipSpec chip = mesh::load_chip(TESSERA_SOURCE_DIR "/topologies/chips/p150.yaml");
    EXPECT_DOUBLE_EQ(json.at("time_us").get<double>(),
                     core::to_us(dispatch::kernel_time(question, chip).total()));
    EXPECT_NEAR(json.at("time_us").get<double>(), 46.97, 7);
    EXPECT_EQ(json.at("tflops").get<double>(), 0);
}

TEST(OpKernel, every_name_is_answered_on_both_architectures) {
    for (const std::string arch : {"wormhole_b0", "blackhole"}) {
        for (const std::string op : {"rms_norm",  "layer_norm",
                                     "softmax",   "add",
                                     "sub",       "mul",
                                     "relu",      "silu",
                                     "gelu",      "exp",
                                     "sigmoid",   "typecast",
                                     "clone",     "transpose",
                                     "tilize",    "tilize_with_val_padding",
                                     "untilize",  "untilize_with_unpadding",
                                     "embedding", "to_memory_config"}) {
            const auto time = [&](const std::string& rows) {
                return time_of({"op", op, "--arch", arch, "--rows", rows, "--cols", "2048"});
            };
            EXPECT_GT(time("32"), 0) << op;
            EXPECT_GE(time("8192"), time("32")) << op;
        }
    }
}

TEST(OpKernel, what_is_in_the_cores_own_l1_is_quicker_and_two_operands_slower) {
    const std::vector<std::string> shards{"--from", "width-sharded", "--to", "width-sharded"};
    EXPECT_LT(time_of(kernel("add", "32", "2048", shards)), time_of(kernel("add", "32", "2048")));
    EXPECT_LT(time_of(kernel("relu", "8192", "2048")), time_of(kernel("add", "8192", "2048")));
}

TEST(OpKernel, to_memory_config_is_the_move_that_its_places_need) {
    // Into shards and out of them DRAM is read or written once; a copy does both.
    const double in =
        time_of(kernel("to_memory_config", "4096", "2048", {"--to", "block-sharded"}));
    const double copy = time_of(kernel("to_memory_config", "4096", "2048"));
    EXPECT_LT(in, copy);
    const Outcome text =
        tessera(kernel("to_memory_config", "4096", "2048", {"--to", "block-sharded"}));
    EXPECT_TRUE(says(text.out, "GB/s")) << text.out;
}

TEST(OpKernel, bad_input_is_named) {
    EXPECT_TRUE(says(tessera({"op", "add", "--arch", "blackhole", "--rows", "32"}).err, "--cols"));
    EXPECT_TRUE(says(tessera(kernel("add", "32", "32", {"--m", "32"})).err, "--m"));
    EXPECT_TRUE(says(tessera(kernel("add", "32", "32", {"--cores", "1000"})).err, "--cores"));
    const Outcome rows = tessera(kernel("tilize", "32", "32", {"--dtype", "bfp8"}));
    EXPECT_EQ(rows.exit_code, 2);
    EXPECT_TRUE(says(rows.err, "--dtype")) << rows.err;
    EXPECT_EQ(tessera(kernel("add", "0", "32")).exit_code, 2);
    EXPECT_EQ(tessera(kernel("add", "32", "32", {"--from", "sram"})).exit_code, 2);
}

}  // namespace

// tessera op sdpa and sdpa-decode: times near published ones, and bad input.
#include <gtest/gtest.h>

#include "tests/cli/command.h"

namespace {

using Words = std::vector<std::string>;

Words op(const std::string& name, Words more) {
    Words words{"op", name, "--arch", "wormhole_b0", "--heads", "8", "--head-dim", "128"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

TEST(OpAttention, a_long_prompt_is_near_its_published_time) {
    // 16 heads of 16384 rows, bfp8: 37.3 TFLOP/s on an N150 (FlashAttention.md, figure 6).
    const Json json =
        document({"op", "sdpa", "--arch", "wormhole_b0", "--heads", "16", "--head-dim", "128",
                  "--seq", "16384", "--dtype", "bfp8", "--exp", "approximate", "--tuned"});
    EXPECT_NEAR(json.at("tflops").get<double>(), 37.3, 3.7);
    EXPECT_EQ(json.at("bound"), "compute");
}

TEST(OpAttention, decode_reads_its_cache_at_the_rate_of_the_banks) {
    // 32 users of 8192 positions of 8 KV heads: 2 x 32 x 8 x 8192 x 128 elements of 1088/1024 B.
    const Json json = document(op("sdpa-decode", {"--batch", "32", "--kv-len", "8192"}));
    EXPECT_EQ(json.at("bound"), "dram");
    const double bytes = 2.0 * 32 * 8 * 8192 * 128 * 1088 / 1024;
    EXPECT_NEAR(json.at("time_us").get<double>(), bytes / 190e3, 0.1 * bytes / 190e3);
}

TEST(OpAttention, options_of_other_ops_and_missing_ones_are_named) {
    const auto fails = [](const Words& words, const char* option) {
        const Outcome outcome = tessera(words);
        EXPECT_EQ(outcome.exit_code, 2) << outcome.out;
        return says(outcome.err, option);
    };
    EXPECT_TRUE(fails(op("sdpa", {}), "--seq"));
    EXPECT_TRUE(fails(op("sdpa-decode", {}), "--kv-len"));
    EXPECT_TRUE(fails(op("sdpa", {"--seq", "64", "--m", "32"}), "--m"));
    EXPECT_TRUE(fails(op("sdpa-decode", {"--kv-len", "64", "--q-chunk", "32"}), "--q-chunk"));
    EXPECT_TRUE(fails({"op", "matmul", "--arch", "blackhole", "--m", "32", "--k", "32"}, "--n"));
    EXPECT_TRUE(fails(op("sdpa", {"--seq", "64", "--kv-heads", "3"}), "--kv-heads"));
    EXPECT_TRUE(fails(op("sdpa", {"--seq", "64", "--kv-len", "32"}), "--kv-len"));
    EXPECT_TRUE(fails(op("sdpa", {"--seq", "64", "--q-chunk", "32"}), "--k-chunk"));
    EXPECT_TRUE(fails(op("sdpa", {"--seq", "64", "--q-chunk", "33", "--k-chunk", "32"}), "32"));
    EXPECT_TRUE(fails(op("sdpa", {"--seq", "64", "--cores", "65"}), "--cores"));
    EXPECT_TRUE(fails(op("sdpa", {"--seq", "64", "--mask", "odd"}), "--mask"));
}

}  // namespace

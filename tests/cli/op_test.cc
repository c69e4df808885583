// tessera op: the time of one matmul, its shape of JSON, and bad input.
#include <gtest/gtest.h>

#include "tests/cli/command.h"

namespace {

std::vector<std::string> matmul(const std::string& arch, const std::string& m, const std::string& k,
                                const std::string& n, std::vector<std::string> more = {}) {
    std::vector<std::string> words{"op", "matmul", "--arch", arch, "--m", m, "--k", k, "--n", n};
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

double time_of(const std::vector<std::string>& words) {
    return document(words).at("time_us").get<double>();
}

TEST(Op, a_large_matmul_is_near_its_published_time) {
    // 2048^3 bf16 HiFi4 in L1, tuned, on an N150: 332.5 us
    // (tenstorrent/tt-metal tech_reports/GEMM_FLOPS/GEMM_FLOPS.md).
    const Json json = document(matmul("wormhole_b0", "2048", "2048", "2048",
                                      {"--fidelity", "hifi4", "--in0", "l1", "--tuned"}));
    EXPECT_NEAR(json.at("time_us").get<double>(), 332.5, 33.25);
    EXPECT_EQ(json.at("bound"), "compute");
    EXPECT_NEAR(json.at("tflops").get<double>() * json.at("time_us").get<double>(),
                2.0 * 2048 * 2048 * 2048 * 1e-6, 1);
}

TEST(Op, dram_sharded_decode_is_bound_by_the_banks_or_by_their_cores) {
    // One core per bank: 512 more tiles of K on 32 columns are a bfp4 tile each that takes 28.8 ns
    // to read and 32 ns to multiply at HiFi2.
    const auto decode = [](const char* k, const char* fidelity) {
        return document(matmul("wormhole_b0", "32", k, "12288",
                               {"--dtype", "bfp4", "--fidelity", fidelity, "--in0", "l1",
                                "--weights", "dram-sharded"}));
    };
    const auto more = [&](const char* fidelity) {
        return decode("32768", fidelity).at("time_us").get<double>() -
               decode("16384", fidelity).at("time_us").get<double>();
    };
    EXPECT_EQ(decode("16384", "lofi").at("bound"), "dram");
    EXPECT_NEAR(more("lofi"), 512 * 32 * 0.0288, 1e-2);
    EXPECT_EQ(decode("16384", "hifi2").at("bound"), "compute");
    EXPECT_NEAR(more("hifi2"), 512 * 32 * 0.032, 1e-2);
}

TEST(Op, tuning_and_a_lower_fidelity_are_never_slower) {
    // Laws, on both architectures.
    for (const std::string arch : {"wormhole_b0", "blackhole"}) {
        const double out_of_box = time_of(matmul(arch, "1024", "2048", "3072"));
        const double tuned = time_of(matmul(arch, "1024", "2048", "3072", {"--tuned"}));
        const double low =
            time_of(matmul(arch, "1024", "2048", "3072", {"--tuned", "--fidelity", "lofi"}));
        EXPECT_LE(tuned, out_of_box);
        EXPECT_LE(low, tuned);
        EXPECT_GT(low, 0);
    }
}

TEST(Op, bad_input_is_named) {
    // Exit code 2, and the option at fault.
    const Outcome arch = tessera(matmul("grayskull", "32", "32", "32"));
    EXPECT_EQ(arch.exit_code, 2);
    EXPECT_TRUE(says(arch.err, "--arch")) << arch.err;
    EXPECT_EQ(tessera(matmul("blackhole", "0", "32", "32")).exit_code, 2);
    EXPECT_EQ(tessera(matmul("blackhole", "32", "32", "9999999")).exit_code, 2);
    EXPECT_EQ(tessera(matmul("blackhole", "32", "32", "32", {"--dtype", "fp8"})).exit_code, 2);
    EXPECT_EQ(tessera({"op", "conv", "--arch", "blackhole"}).exit_code, 2);
}

TEST(Op, the_shape_of_its_json_is_the_contract) {
    // Keys in order and kinds of values, as tests/data/cli/op.json lists them.
    const Json json = document(matmul("blackhole", "1024", "1024", "1024"));
    const Json golden = Json::parse(read_file(TESSERA_SOURCE_DIR "/tests/data/cli/op.json"));
    EXPECT_EQ(json.size(), golden.size());
    auto key = golden.begin();
    for (const auto& [name, value] : json.items()) {
        ASSERT_NE(key, golden.end());
        EXPECT_EQ(name, key.key());
        const std::string kind = value.is_number_integer() ? "integer"
                                 : value.is_number()       ? "number"
                                                           : "text";
        if (value.is_object()) {
            EXPECT_EQ(value.size(), key.value().size());
            for (const auto& [part, time] : value.items()) {
                EXPECT_TRUE(time.is_number()) << part;
                EXPECT_EQ(key.value().at(part), "number");
            }
        } else {
            EXPECT_EQ(key.value(), kind) << name;
        }
        ++key;
    }
}

}  // namespace

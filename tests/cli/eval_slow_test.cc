// `tessera eval` over all 576 positions of the reference: a long cache, eight chips and 32.
#include <gtest/gtest.h>

#include "tests/cli/command.h"

namespace {

Json eval_all(const std::string& mesh, const std::string& precision) {
    return document({"eval", kDemo, "--mesh", mesh, "--reference", kReference, "--prefill", "64",
                     "--precision", precision});
}

class EvalAllPositions : public testing::TestWithParam<const char*> {};

TEST_P(EvalAllPositions, fp32_logits_stay_within_two_thousandths) {
    // Errors must not grow with the position: 512 tokens are decoded one by one.
    const Json json = eval_all(GetParam(), "fp32");
    EXPECT_EQ(json.at("positions"), 513);
    EXPECT_LE(json.at("max_abs_error").get<double>(), 2e-3);
    EXPECT_EQ(json.at("top1"), 100.0);
}

INSTANTIATE_TEST_SUITE_P(Meshes, EvalAllPositions, testing::Values("n150", "t3k", "p150x8"),
                         [](const auto& parameter) { return std::string(parameter.param); });

TEST(EvalAllPositionsOnT3k, bf16_logits_correlate) {
    // The threshold of the published tests of these models in bf16.
    EXPECT_GE(eval_all("t3k", "bf16").at("pcc").at("logits").get<double>(), 0.9995);
}

TEST(EvalAllPositionsOnT3k, performance_logits_correlate) {
    // Block floats throughout; the text stays the text.
    const Json json = eval_all("t3k", "performance");
    EXPECT_GE(json.at("pcc").at("logits").get<double>(), 0.98);
    EXPECT_GE(json.at("top5").get<double>(), 97.0);
}

}  // namespace

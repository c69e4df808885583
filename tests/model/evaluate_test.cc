#include "model/evaluate.h"

#include "tests/model/replica_fixture.h"

namespace model::testing {
namespace {

Reference layers_reference() {
    return Reference::open(project_file("models/tiny-shakespeare/reference_layers.safetensors"));
}

/// The demo model against 128 positions of the float32 reference, the last 8 of them decoded.
EvaluateReport evaluated(std::string_view mesh, std::string_view precision,
                         const std::function<void(std::int64_t)>& progress = {}) {
    DeploymentOptions options = demo_options(1);
    options.taps = PartitionOptions::Taps::HiddenStates;
    const auto deployment = demo_on(mesh_named(mesh), precision, options);
    std::vector<std::unique_ptr<Replica>> replicas;
    replicas.push_back(
        std::make_unique<Replica>(*deployment, demo_checkpoint(), Replica::Trace::Off));
    return evaluate(replicas, layers_reference(), {.prefill = 120}, progress);
}

TEST(Evaluate, float32_is_the_reference_to_rounding) {
    // Another implementation's logits and residual streams, sharded over 8 chips. Only sums are in
    // another order: 64 x 2^-24 (agreement_test.cc) of logits up to 16 and hidden values up to 53.
    std::vector<std::int64_t> heard;
    const EvaluateReport report =
        evaluated("t3k", "fp32", [&heard](std::int64_t position) { heard.push_back(position); });
    EXPECT_EQ(report.shortage, "");
    EXPECT_EQ(report.positions, 9);  // rows 119 to 127
    EXPECT_EQ(report.top1, 100.0);
    EXPECT_EQ(report.top5, 100.0);
    EXPECT_GT(report.pcc_logits, 0.999999);
    EXPECT_LT(report.max_abs_error, 6e-5);
    ASSERT_EQ(report.pcc_hidden_states.size(), 4u);
    for (const double pcc : report.pcc_hidden_states) EXPECT_GT(pcc, 0.999999);
    EXPECT_LT(report.max_abs_error_hidden, 2e-4);
    EXPECT_EQ(heard, (std::vector<std::int64_t>{121, 122, 123, 124, 125, 126, 127, 128}));
}

TEST(Evaluate, narrower_formats_are_farther_from_the_reference) {
    // The order users expect: fp32, bf16, then bfp4 feed-forwards; all still correlate.
    const EvaluateReport full = evaluated("n150", "fp32");
    const EvaluateReport half = evaluated("n150", "bf16");
    const EvaluateReport blocks = evaluated("n150", "performance");
    EXPECT_LT(full.max_abs_error, half.max_abs_error);
    EXPECT_LT(half.max_abs_error, blocks.max_abs_error);
    EXPECT_GT(half.pcc_logits, blocks.pcc_logits);
    EXPECT_GT(half.pcc_logits, 0.999);
    EXPECT_GT(blocks.pcc_logits, 0.9);
    EXPECT_LT(blocks.pcc_hidden_states[3], half.pcc_hidden_states[3]);
}

TEST(Evaluate, a_reference_of_another_model_is_refused) {
    // Comparing with the wrong file must not print a low score instead.
    Config config = demo_config();
    config.vocab_size = 1024;
    std::string text = error_text([&] { check_reference(config, layers_reference(), 120); });
    EXPECT_NE(text.find("logits: expected 1024 columns, got 2048"), text.npos) << text;

    config = demo_config();
    config.num_hidden_layers = 3;
    text = error_text([&] { check_reference(config, layers_reference(), 120); });
    EXPECT_NE(text.find("hidden_states: expected [3, T, 256], got [4, T, 256]"), text.npos) << text;
}

TEST(Evaluate, the_prompt_is_a_part_of_the_reference) {
    // At least one position is prefilled and no more than there are.
    for (const std::int64_t prefill : {0, 129}) {
        const std::string text =
            error_text([&] { check_reference(demo_config(), layers_reference(), prefill); });
        EXPECT_NE(text.find("--prefill"), text.npos) << text;
        EXPECT_NE(text.find("1 to 128 positions"), text.npos) << text;
    }
}

}  // namespace
}  // namespace model::testing

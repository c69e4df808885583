#include "model/estimate.h"

#include <numeric>

#include "tests/model/model_fixture.h"

namespace model::testing {
namespace {

Estimate estimated(const LlamaSizes& sizes, std::string_view mesh, std::int64_t batch,
                   const EstimateOptions& options = {}, std::int64_t context = 1024) {
    DeploymentOptions deployment_options;
    deployment_options.batch = batch;
    deployment_options.context = context;
    deployment_options.device.trace_region_size = core::Bytes{100'000'000};
    Deployment deployment = deployed(sizes, mesh, "Llama-3.2-3B", deployment_options);
    Estimate result = estimate(deployment, options);
    EXPECT_EQ(result.shortage, "");
    return result;
}

core::Picoseconds sum(const std::map<std::string, core::Picoseconds>& parts) {
    return std::accumulate(
        parts.begin(), parts.end(), core::Picoseconds{},
        [](core::Picoseconds so_far, const auto& part) { return so_far + part.second; });
}

TEST(Estimate, a_step_is_never_faster_than_its_bytes) {
    // The bound: every weight and cached position once, at the DRAM's peak.
    for (const char* mesh : {"n150", "n300", "t3k", "galaxy"}) {
        SCOPED_TRACE(mesh);
        const Estimate result = estimated(kLlama3B, mesh, 1);
        EXPECT_GT(result.roofline_step.count(), 0);
        EXPECT_GT(result.decode_step, result.roofline_step);
        EXPECT_GT(result.time_to_first_token, result.decode_step);
    }
}

TEST(Estimate, the_parts_of_a_step_are_its_kernels) {
    // One breakdown by op and one by bound of the same kernels; gaps and the host are the rest.
    const Estimate result = estimated(kLlama3B, "n300", 1);
    EXPECT_GT(result.breakdown.at("Matmul").count(), 0);
    EXPECT_GT(result.breakdown.at("all_gather").count(), 0);
    EXPECT_GT(result.breakdown.at("reduce_scatter").count(), 0);
    EXPECT_EQ(sum(result.breakdown), sum(result.by_bound));
    EXPECT_EQ(sum(result.breakdown), sum(result.by_layer));
    EXPECT_LT(sum(result.breakdown), result.decode_step);
    EXPECT_GT(sum(result.breakdown), result.decode_step / 2);
}

TEST(Estimate, the_parts_of_a_prompt_are_its_kernels) {
    // What a first token waits for beside them is the host; of a replay it is the gaps alone.
    EstimateOptions traced;
    traced.traced_prefills = {128};
    traced.sampling = EstimateOptions::Sampling::Host;
    const Estimate result = estimated(kLlama3B, "n300", 1, traced);
    EXPECT_GT(result.prefill.at("Matmul").count(), 0);
    EXPECT_EQ(result.prefill.count("SdpaDecode"), 0u);
    EXPECT_LT(sum(result.prefill), result.time_to_first_token);
    EXPECT_GT(sum(result.prefill), result.time_to_first_token / 2);
}

TEST(Estimate, more_chips_more_speed_and_less_to_read) {
    // Tensor parallelism divides the bytes of a step.
    const Estimate one = estimated(kLlama3B, "n150", 1);
    const Estimate two = estimated(kLlama3B, "n300", 1);
    const Estimate eight = estimated(kLlama3B, "t3k", 1);
    EXPECT_GT(one.roofline_step, two.roofline_step);
    EXPECT_GT(two.roofline_step, eight.roofline_step);
    EXPECT_GT(one.decode_step, two.decode_step);
}

TEST(Estimate, longer_contexts_are_never_faster) {
    // Attention reads the cache of every position.
    EstimateOptions near;
    near.osl = 1;
    EstimateOptions far = near;
    far.isl = 16384;
    const Estimate short_run = estimated(kLlama3B, "n150", 1, near, 32768);
    const Estimate long_run = estimated(kLlama3B, "n150", 1, far, 32768);
    EXPECT_GT(long_run.decode_step, short_run.decode_step);
    EXPECT_GT(long_run.time_to_first_token, short_run.time_to_first_token);
}

TEST(Estimate, a_traced_step_saves_the_hosts_time) {
    // Eagerly the host enqueues hundreds of programs; a replay is one command.
    EstimateOptions eager;
    eager.trace = EstimateOptions::Trace::Off;
    EXPECT_LT(estimated(kLlama3B, "t3k", 1).decode_step,
              estimated(kLlama3B, "t3k", 1, eager).decode_step);
}

TEST(Estimate, counts_the_commands_it_simulated) {
    // Traced: the prompt, the step that compiles, and eight replays over the generation.
    DeploymentOptions options;
    options.device.trace_region_size = core::Bytes{100'000'000};
    Deployment deployment = deployed(kLlama3B, "t3k", "Llama-3.2-3B", options);
    const Estimate result = estimate(deployment, {});
    const std::int64_t prefill = deployment.prefill(128, StepShape::Chunk::First)->command_count();
    EXPECT_EQ(result.events, prefill + 9 * deployment.decode()->command_count());
}

TEST(Estimate, the_same_input_gives_the_same_digest) {
    // Another mesh or length is another run.
    const Estimate first = estimated(kLlama3B, "n300", 4);
    EXPECT_EQ(estimated(kLlama3B, "n300", 4).digest, first.digest);
    EXPECT_EQ(estimated(kLlama3B, "n300", 4).decode_step, first.decode_step);
    EXPECT_NE(estimated(kLlama3B, "n150", 4).digest, first.digest);
    EstimateOptions longer;
    longer.isl = 500;
    EXPECT_NE(estimated(kLlama3B, "n300", 4, longer).digest, first.digest);
}

TEST(Estimate, what_does_not_fit_is_an_answer) {
    // 70B on two Wormhole chips: the buffer and the text of the real stack.
    Deployment deployment = deployed(kLlama70B, "n300", "Llama-3.1-70B");
    const Estimate result = estimate(deployment, {});
    EXPECT_NE(result.shortage.find(": Out of Memory: Not enough space to allocate "),
              result.shortage.npos)
        << result.shortage;
    EXPECT_EQ(result.decode_step.count(), 0);
}

}  // namespace
}  // namespace model::testing

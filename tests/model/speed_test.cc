// What is around the kernels of a step: the host, sampling, data-parallel groups, queues, layers,
// and what is printed beside the estimate.
#include <algorithm>

#include "model/estimate.h"
#include "model/roofline.h"
#include "model/speed_errors.h"
#include "tests/model/model_fixture.h"

namespace model::testing {
namespace {

constexpr core::Picoseconds kMicrosecond{1'000'000};

Deployment of(const LlamaSizes& sizes, std::string_view mesh, std::int64_t batch,
              dispatch::Release release) {
    DeploymentOptions options;
    options.batch = batch;
    options.device.release = release;
    options.device.trace_region_size = core::Bytes{100'000'000};
    return deployed(sizes, mesh, "Llama-3.2-3B", options);
}

Estimate estimated(std::string_view mesh, std::int64_t batch, const EstimateOptions& options,
                   dispatch::Release release = dispatch::Release::R2025) {
    Deployment deployment = of(kLlama3B, mesh, batch, release);
    Estimate result = estimate(deployment, options);
    EXPECT_EQ(result.shortage, "");
    return result;
}

HostCosts costs() { return {1000 * kMicrosecond, 100 * kMicrosecond, core::Picoseconds{1000}}; }

TEST(Speed, a_step_is_measured_after_the_compile_run_is_done) {
    // The host runs ahead of the chips: what they still owe is not part of the first step.
    EstimateOptions options;
    options.osl = 1;
    const Estimate result = estimated("n150", 1, options);
    EXPECT_EQ(result.first_step, result.decode_step);
    core::Picoseconds kernels{};
    for (const auto& [kind, time] : result.breakdown) kernels += time;
    EXPECT_LT(result.decode_step, kernels + kernels / 10);
}

TEST(Speed, the_host_serves_groups_one_after_another) {
    // Chips of four groups work at the same time; the host's share is paid four times.
    EstimateOptions one;
    one.host = costs();
    EstimateOptions four = one;
    four.groups = 4;
    const Estimate alone = estimated("n300", 1, one);
    const Estimate together = estimated("n300", 1, four);
    core::Picoseconds of_group{};
    for (const auto& [part, time] : alone.host) {
        if (part != "python, per step") of_group += time;
    }
    EXPECT_EQ(together.decode_step - alone.decode_step, 3 * of_group);
    EXPECT_EQ(together.chips, alone.chips);
}

TEST(Speed, software_of_2025_samples_one_user_on_the_device_and_many_on_the_host) {
    // demo/simple_text_demo.py; later releases sample wherever a chip has at most 64k columns.
    using dispatch::Release;
    EXPECT_EQ(usual_sampler(of(kLlama3B, "n150", 1, Release::R2025)), SampledOn::Device);
    EXPECT_EQ(usual_sampler(of(kLlama3B, "n150", 32, Release::R2025)), SampledOn::Host);
    // 128256 / 2 = 64128 columns of a half on one chip.
    EXPECT_EQ(usual_sampler(of(kLlama3B, "n150", 32, Release::R2026_05)), SampledOn::Device);
}

TEST(Speed, what_the_device_cannot_choose_is_the_hosts) {
    // Servers fall back for min_p and log-probabilities; a draw is more than an argmax.
    using dispatch::Release;
    SamplingParams drawn;
    drawn.temperature = 0.8;
    drawn.top_k = 20;
    SamplingParams min_p = drawn;
    min_p.min_p = 0.1;
    EXPECT_EQ(wanted_of({}, -1, 8), Wanted::Likeliest);
    EXPECT_EQ(wanted_of(drawn, -1, 8), Wanted::Drawn);
    EXPECT_EQ(wanted_of(drawn, 1, 8), Wanted::Drawn);
    EXPECT_EQ(wanted_of(drawn, 2, 8), Wanted::MoreThanDevice);
    EXPECT_EQ(wanted_of(drawn, 0, 1), Wanted::MoreThanDevice);
    EXPECT_EQ(wanted_of(min_p, -1, 8), Wanted::MoreThanDevice);
    const Deployment later = of(kLlama3B, "t3k", 8, Release::R2026_09);
    EXPECT_EQ(usual_sampler(later, Wanted::Drawn), SampledOn::Device);
    EXPECT_EQ(usual_sampler(later, Wanted::MoreThanDevice), SampledOn::Host);
    EXPECT_EQ(usual_sampler(of(kLlama3B, "n150", 1, Release::R2025), Wanted::Drawn),
              SampledOn::Host);
    EXPECT_GT(
        sampling_time(later, SampledOn::Device, costs(), Wanted::Drawn).device.count("Sampling"),
        0u);
}

TEST(Speed, the_host_reads_the_logits_of_one_chip_as_bfloat16) {
    // 32 rows of 128256 columns: 8,208,384 bytes, whatever the batch is and however many chips.
    const Deployment deployment = of(kLlama3B, "t3k", 8, dispatch::Release::R2025);
    const SamplingTime time = sampling_time(deployment, SampledOn::Host, costs());
    const mesh::ChipSpec& chip = deployment.mesh().system.chip;
    EXPECT_EQ(time.host.at("logits to host"),
              chip.launch.host_read + core::Bytes{8'208'384} / chip.pcie.read);
    EXPECT_EQ(time.host.at("sampling").count(), std::int64_t{32} * 128256 * 1000);
    EXPECT_EQ(time.host.at("inputs to chips"), 4 * 8 * chip.launch.host_write);
    EXPECT_EQ(time.host.count("tokens to host"), 0u);
    EXPECT_EQ(time.device.count("ArgMax"), 0u);
}

TEST(Speed, tokens_sampled_on_the_device_are_all_that_is_read) {
    // Candidates of every chip, a gather, a draw; later the likeliest token has no candidates.
    using dispatch::Release;
    const Deployment later = of(kLlama3B, "t3k", 8, Release::R2026_09);
    const SamplingTime greedy = sampling_time(later, SampledOn::Device, costs());
    EXPECT_GT(greedy.device.at("ArgMax").count(), 0);
    EXPECT_EQ(greedy.device.count("TopK"), 0u);
    const Deployment deployment = of(kLlama3B, "t3k", 8, Release::R2026_05);
    const SamplingTime time = sampling_time(deployment, SampledOn::Device, costs());
    const mesh::ChipSpec& chip = deployment.mesh().system.chip;
    EXPECT_EQ(time.host.at("tokens to host"), 8 * chip.launch.host_read);
    EXPECT_EQ(time.host.count("sampling"), 0u);
    EXPECT_GT(time.device.at("TopK").count(), 0);
    EXPECT_GT(time.device.at("all_gather").count(), 0);
}

TEST(Speed, candidates_of_a_width_that_is_no_power_of_two_come_from_one_core) {
    // 128256 columns: halves of 64128 on one chip stay on one core and take longer than a step of
    // a small model; 16032 on each of eight chips are padded to 16384 and dealt over many.
    const auto top_k = [](const char* mesh) {
        const Deployment deployment = of(kLlama3B, mesh, 1, dispatch::Release::R2026_05);
        return sampling_time(deployment, SampledOn::Device, costs()).device.at("TopK");
    };
    const fabric::Mesh n150 = mesh_named("n150");
    const mesh::KernelSpec& kernels = *n150.system.chip.kernels;
    EXPECT_EQ(top_k("n150"), kernels.top_k.one_core_tile * (2 * 2004));
    EXPECT_EQ(top_k("n300"), kernels.top_k.one_core_tile * 2004);
    EXPECT_EQ(top_k("t3k"), kernels.sampling.top_k_tile * 512);
}

TEST(Speed, the_first_token_is_chosen_where_the_others_are) {
    // Later releases sample a prompt's token on the device too; 2025 did it on the host.
    using dispatch::Release;
    EstimateOptions device;
    device.osl = 1;
    EstimateOptions host = device;
    host.sampling = EstimateOptions::Sampling::Host;
    const auto time = [](const EstimateOptions& options, Release release) {
        return estimated("n150", 1, options, release).time_to_first_token;
    };
    const Deployment deployment = of(kLlama3B, "n150", 1, Release::R2026_05);
    core::Picoseconds choice{};
    for (const auto& [op, part] : sampling_time(deployment, SampledOn::Device, {}).device) {
        choice += part;
    }
    EXPECT_EQ(time(device, Release::R2026_05), time(host, Release::R2026_05) + choice);
    EXPECT_EQ(time(device, Release::R2025), time(host, Release::R2025));
}

TEST(Speed, prompts_of_groups_overlap_since_the_host_does_not_wait_for_each) {
    // Traced, the host's calls are nothing: four groups take a quarter of the time per user. In
    // 2025 the host waited for every user.
    using dispatch::Release;
    EstimateOptions one;
    one.osl = 1;
    one.traced_prefills = {128};
    EstimateOptions four = one;
    four.groups = 4;
    const auto alone = estimated("n150", 1, one, Release::R2026_05).time_to_first_token;
    const auto shared = estimated("n150", 1, four, Release::R2026_05).time_to_first_token;
    EXPECT_EQ(shared, alone / 4);
    EXPECT_EQ(estimated("n150", 1, four).time_to_first_token,
              estimated("n150", 1, one).time_to_first_token);
}

TEST(Speed, only_users_that_are_there_share_a_prefill) {
    // One request in 32 slots is prefilled alone; 32 are one program unless they are told apart.
    using dispatch::Release;
    EstimateOptions lonely;
    lonely.osl = 1;
    lonely.active_users = 1;
    EstimateOptions full = lonely;
    full.active_users = 32;
    EstimateOptions in_turn = full;
    in_turn.prefill = EstimateOptions::Prefill::OneByOne;
    const auto one = estimated("n150", 32, lonely, Release::R2026_05);
    const auto all = estimated("n150", 32, full, Release::R2026_05);
    const auto each = estimated("n150", 32, in_turn, Release::R2026_05);
    EXPECT_FALSE(one.is_prefill_batched);
    EXPECT_TRUE(all.is_prefill_batched);
    EXPECT_LT(all.time_to_first_token, one.time_to_first_token);
    EXPECT_EQ(each.time_to_first_token, one.time_to_first_token);
}

TEST(Speed, a_second_queue_hides_the_host_behind_sampled_tokens_only) {
    // With tokens on the device the next step does not wait for the host; sampled logits do.
    EstimateOptions one;
    one.host = costs();
    EstimateOptions two = one;
    two.queues = EstimateOptions::Queues::Two;
    EXPECT_LT(estimated("n150", 1, two).decode_step, estimated("n150", 1, one).decode_step);
    one.sampling = two.sampling = EstimateOptions::Sampling::Host;
    EXPECT_EQ(estimated("n150", 1, two).decode_step, estimated("n150", 1, one).decode_step);
}

TEST(Speed, a_traced_prompt_does_not_wait_for_the_host) {
    // 128 is a traced length; 1024 is not in the list and stays as it was.
    EstimateOptions eager;
    eager.host = costs();
    EstimateOptions traced = eager;
    traced.traced_prefills = {128};
    EXPECT_LT(estimated("t3k", 1, traced).time_to_first_token,
              estimated("t3k", 1, eager).time_to_first_token);
    EXPECT_TRUE(estimated("t3k", 1, traced).is_prefill_traced);
    eager.isl = traced.isl = 500;
    EXPECT_EQ(estimated("t3k", 1, traced).time_to_first_token,
              estimated("t3k", 1, eager).time_to_first_token);
}

TEST(Speed, idle_slots_cost_no_attention) {
    // A server decodes all slots of a batch; those without a request read no cache.
    EstimateOptions one;
    one.active_users = 1;
    const Estimate few = estimated("n150", 32, one);
    const Estimate all = estimated("n150", 32, {});
    EXPECT_LT(few.step_bytes.value, all.step_bytes.value);
    EXPECT_LE(few.decode_step, all.decode_step);
}

TEST(Speed, every_layer_has_its_time) {
    // 28 layers, the embedding before them, the head after them.
    const Estimate result = estimated("n150", 1, {});
    EXPECT_EQ(result.by_layer.size(), 30u);
    EXPECT_GT(result.by_layer.at("head"), result.by_layer.at("layer 0"));
    EXPECT_GT(result.by_layer.at("layer 27"), result.by_layer.at("embedding"));
}

TEST(Speed, published_theoretical_speeds_follow_one_rule) {
    // tt-inference-server, model_performance_reference.json, 128/128 at concurrency 1.
    const TargetRule rule = load_target_rule(project_file("topologies/validation/targets.yaml"));
    const auto rate = [&](std::string_view model, std::string_view mesh) {
        return theoretical_rate(rule, nominal_parameters(model).value(), mesh_named(mesh));
    };
    EXPECT_NEAR(rate("Llama-3.1-8B-Instruct", "n150"), 21, 0.5);
    EXPECT_NEAR(rate("Llama-3.1-8B-Instruct", "p150"), 37, 0.5);
    EXPECT_NEAR(rate("Qwen2.5-0.5B-Instruct", "p100"), 522, 5);
    EXPECT_NEAR(rate("Llama-3.2-1B-Instruct", "n150"), 168, 1);
    EXPECT_FALSE(nominal_parameters("phi-4").has_value());
}

TEST(Speed, bounties_pay_from_25_50_and_70_percent) {
    EXPECT_EQ(bounty_tier(0.70), "hard");
    EXPECT_EQ(bounty_tier(0.69), "medium");
    EXPECT_EQ(bounty_tier(0.49), "easy");
    EXPECT_EQ(bounty_tier(0.24), "none");
}

TEST(Speed, errors_are_those_of_the_same_conditions_or_none) {
    // What was measured at 128 tokens says nothing of 4096.
    const std::vector<SpeedErrors> groups{
        {"tok_s_user", "N150", "performance", 2, 5, 9},
        {"tok_s_user", "N150", "short-context batch-32", 1, 3, 3}};
    const auto median = [&](std::string_view precision, std::int64_t batch, std::int64_t isl) {
        const auto found =
            errors_of(groups, "tok_s_user", {"N150", std::string(precision), batch, isl, 4096});
        return found ? found->median_pct : -1;
    };
    EXPECT_EQ(median("performance", 1, 128), 5);
    EXPECT_EQ(median("performance", 16, 128), 3);
    EXPECT_EQ(median("performance", 1, 4096), -1);
    EXPECT_EQ(median("bf16", 1, 128), -1);
    EXPECT_FALSE(errors_of(groups, "tok_s_user", {"N150", "performance", 1, 128, 128}).has_value());
    EXPECT_FALSE(errors_of(groups, "tok_s_user", {"T3K", "performance", 1, 128, 4096}).has_value());
}

TEST(Speed, the_errors_that_are_shipped_can_be_read) {
    // Written by scripts/accuracy.sh.
    const auto groups = load_speed_errors(project_file("topologies/validation/speed.yaml"));
    EXPECT_TRUE(errors_of(groups, "tok_s_user", {"N150", "performance", 1, 128, 4096}).has_value());
}

}  // namespace
}  // namespace model::testing

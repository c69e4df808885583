// Times of llama-galaxy against the published ones of a 70B on a Galaxy with torus cables
// (tenstorrent/tt-metal models/demos/llama3_70b_galaxy/tests/decoder_perf_targets_6u.json, tree of
// 2026-05-23; README.md: 72.5 tokens per second of a user), and the prefetcher's part in them.
#include <gtest/gtest.h>

#include "model/estimate.h"
#include "tests/model/model_fixture.h"

namespace model::testing {
namespace {

Estimate timed(fabric::Mesh mesh, EstimateOptions run = {}) {
    DeploymentOptions options;
    options.software = "llama-galaxy";
    options.batch = 32;
    options.context = 1024;
    const Config config = llama(kLlama70B);
    Precision precision = precision_preset("performance", "Llama-3.3-70B",
                                           static_cast<std::int32_t>(config.num_hidden_layers));
    Deployment deployment(config, std::move(precision), mesh, options);
    run.isl = 127;
    run.osl = 1;
    return estimate(deployment, run);
}

TEST(GalaxySpeed, a_layer_takes_the_published_time_within_a_tenth) {
    // 153.9 us of kernels and 16 gaps: 165.5 us from one layer to the next.
    const Estimate run = timed(mesh_named("galaxy-torus-xy"));
    const fabric::Mesh mesh = mesh_named("galaxy-torus-xy");
    const double gaps = 16 * core::to_us(mesh.system.chip.launch.traced_gap);
    EXPECT_NEAR((core::to_us(run.by_layer.at("layer 40")) + gaps) / 165.5, 1, 0.1);
    EXPECT_NEAR(72.5 * core::to_seconds(run.decode_step), 1, 0.1);
}

TEST(GalaxySpeed, without_the_cables_the_rings_become_lines) {
    // More hops, and more bytes over the one in the middle.
    EXPECT_GT(timed(mesh_named("galaxy")).decode_step,
              timed(mesh_named("galaxy-torus-xy")).decode_step);
}

TEST(GalaxySpeed, the_prefetcher_streams_the_weights_of_a_layer_beside_it) {
    // Tiles of 32 x 32: wqkv 64 x 48, wo 32 x 72, w2 120 x 72 in bfp8, w1 and w3 64 x 120 in bfp4.
    const std::int64_t bytes = (64 * 48 + 32 * 72 + 120 * 72) * 1088 + 2 * 64 * 120 * 576;
    const fabric::Mesh mesh = mesh_named("galaxy-torus-xy");
    const Estimate run = timed(mesh);
    ASSERT_TRUE(run.prefetcher.has_value());
    const double streamed = core::to_us(core::Bytes{bytes} / mesh.system.chip.dram.sharded) * 80;
    EXPECT_NEAR(core::to_us(run.prefetcher->busy) / streamed, 1, 1e-3);
    EXPECT_LT(run.prefetcher->busy, run.chips);
}

TEST(GalaxySpeed, a_slow_stream_sets_the_pace) {
    // A quarter of the rate: a step takes what the stream takes, longer by what products wait.
    fabric::Mesh slow = mesh_named("galaxy-torus-xy");
    slow.system.chip.dram.sharded.value /= 4;
    const Estimate run = timed(slow);
    EXPECT_GT(run.prefetcher->busy * 100, run.chips * 90);
    const Estimate usual = timed(mesh_named("galaxy-torus-xy"));
    const core::Picoseconds head = run.by_layer.at("head") - usual.by_layer.at("head");
    const core::Picoseconds longer = run.chips - usual.chips - head;  // it reads DRAM itself
    EXPECT_NEAR(core::to_ms(run.prefetcher->waited) / core::to_ms(longer), 1, 0.05);
    EXPECT_GT(run.by_bound.at("prefetcher").count(), 0);
}

TEST(GalaxySpeed, prompts_are_gathered_in_persistent_buffers_by_relays) {
    // llama_ccl.py keeps them for every traced length. What all-gathers of tt_transformers cost
    // more along one axis in 2025 is not theirs, so a prompt takes what it takes later.
    DeploymentOptions options;
    options.software = "llama-galaxy";
    options.batch = 32;
    options.context = 1024;
    options.device.trace_region_size = core::Bytes{100'000'000};
    const Config config = llama(kLlama70B);
    Deployment deployment(config, precision_preset("performance", "Llama-3.3-70B", 80),
                          mesh_named("galaxy-torus-xy"), options);
    int collectives = 0;
    const auto program = deployment.prefill(128, StepShape::Chunk::First);
    for (const dispatch::Segment& segment : program->segments) {
        for (const dispatch::Command& command : segment.commands) {
            const auto* body = std::get_if<dispatch::CollectiveCommand>(&command.body);
            if (body == nullptr) continue;
            ++collectives;
            EXPECT_EQ(body->collective.buffers, ccl::Buffers::Persistent) << command.label;
            EXPECT_NE(body->collective.algorithm, ccl::Algorithm::Direct) << command.label;
        }
    }
    EXPECT_GT(collectives, 8);
    const auto gathers_of = [&](dispatch::Release release) {
        options.device.release = release;
        Deployment dated(config, precision_preset("performance", "Llama-3.3-70B", 80),
                         mesh_named("galaxy-torus-xy"), options);
        EstimateOptions run;
        run.osl = 1;
        return estimate(dated, run).prefill.at("all_gather");
    };
    EXPECT_EQ(gathers_of(dispatch::Release::R2025), gathers_of(dispatch::Release::R2026_05));
}

TEST(GalaxySpeed, the_stream_is_a_lane_of_its_own) {
    // One program on sub-device 1 that begins with the step and ends with the last weight.
    Recording recording;
    EstimateOptions options;
    options.record = &recording;
    timed(mesh_named("galaxy-torus-xy"), options);
    const RecordedStep* step = recording.find(kDecodeStep);
    ASSERT_NE(step, nullptr);
    const RecordedCommand& first = step->commands.front();
    EXPECT_EQ(first.label(), "prefetcher");
    EXPECT_EQ(first.item.command->sub_device, dispatch::SubDeviceId{1});
    core::SimTime last_product{};
    for (const RecordedCommand& command : step->commands) {
        if (command.item.command->prefetched.weight.value > 0) {
            last_product = command.chips.front().end;
        }
    }
    const RecordedSpan& lane = first.chips.front();
    EXPECT_LE(lane.end, last_product);
    EXPECT_GT(lane.duration() * 10, step->commands.back().chips.front().end - lane.start);
}

}  // namespace
}  // namespace model::testing

// The segments of a program: layers that are alike are one, and nothing outlives a step.
#include <map>

#include "tests/model/model_fixture.h"

namespace model::testing {
namespace {

TEST(PartitionSegments, layers_that_are_alike_are_written_once) {
    // A 126-layer step is a few dozen commands, repeated.
    const auto program =
        deployed(kLlama405B, "galaxy", "Llama-3.1-405B", demo_options(32, 1024)).decode();
    ASSERT_EQ(program->segments.size(), 3u);
    EXPECT_EQ(program->segments[1].name, "layers 0-125");
    EXPECT_EQ(program->segments[1].repeat, 126);
    EXPECT_LE(program->segments[1].commands.size(), 45u);
    EXPECT_EQ(program->command_count(),
              static_cast<std::int64_t>(program->segments[0].commands.size() +
                                        126 * program->segments[1].commands.size() +
                                        program->segments[2].commands.size()));
}

TEST(PartitionSegments, layers_of_another_precision_are_a_segment_with_weights_of_their_own) {
    // Llama-3.1-8B in performance mode: w1 and w3 are bfp4 but for layer 31, which is bfp8.
    const auto program = deployed(kLlama8B, "n150", "Llama-3.1-8B", demo_options(1, 1024)).decode();
    ASSERT_EQ(program->segments.size(), 4u);
    EXPECT_EQ(program->segments[1].name, "layers 0-30");
    EXPECT_EQ(program->segments[1].repeat, 31);
    EXPECT_EQ(program->segments[2].name, "layers 31-31");
    EXPECT_EQ(program->segments[2].first_layer, 31);
    const auto w1_of = [&](std::size_t segment) -> const dispatch::Buffer& {
        for (const dispatch::Command& command : program->segments[segment].commands) {
            if (command.label != "feed_forward.w1") continue;
            return program->buffer(std::get<dispatch::OpCommand>(command.body).inputs[1]);
        }
        throw core::Error("no w1");
    };
    EXPECT_EQ(w1_of(1).spec.dtype, tensor::DType::BFloat4_b);
    EXPECT_EQ(w1_of(2).spec.dtype, tensor::DType::BFloat8_b);
    EXPECT_EQ(w1_of(1).instances, 31);
    EXPECT_EQ(w1_of(2).instances, 1);
    EXPECT_EQ(w1_of(1).name, "layers.0-30.feed_forward.w1");
    EXPECT_EQ(w1_of(2).name, "layers.31-31.feed_forward.w1");
}

TEST(PartitionSegments, what_a_program_allocates_it_releases) {
    // Every temporary lives from its first write to its last use; nothing is left after a step.
    for (const char* mesh : {"n150", "t3k", "galaxy"}) {
        SCOPED_TRACE(mesh);
        Deployment deployment = deployed(kLlama8B, mesh, "Llama-3.1-8B", demo_options(8, 1024));
        for (const auto& program :
             {deployment.decode(), deployment.prefill(128, StepShape::Chunk::First)}) {
            std::map<std::pair<std::int32_t, std::int32_t>, int> live;
            std::int64_t allocations = 0;
            program->for_each([&](const dispatch::Command& command, std::int32_t layer) {
                const auto key = [&](dispatch::BufferRef ref) {
                    return std::make_pair(ref.buffer, dispatch::instance_of(program->buffer(ref),
                                                                            ref.instance, layer));
                };
                for (const auto ref : command.allocates) EXPECT_EQ(++live[key(ref)], 1);
                for (const auto ref : command.releases) EXPECT_EQ(--live[key(ref)], 0);
                allocations += static_cast<std::int64_t>(command.allocates.size());
            });
            EXPECT_GT(allocations, 32 * 10);
            for (const auto& [ref, count] : live) {
                EXPECT_EQ(count, 0) << program->buffers[static_cast<std::size_t>(ref.first)].name;
            }
        }
    }
}

TEST(PartitionSegments, taps_read_the_residual_stream_after_every_layer) {
    // `eval` compares hidden states; a plain step reads nothing.
    DeploymentOptions options = demo_options(1, 1024);
    const auto reads = [](const dispatch::Program& program) {
        std::int64_t count = 0;
        program.for_each([&count](const dispatch::Command& command, std::int32_t) {
            if (std::holds_alternative<dispatch::ReadCommand>(command.body)) ++count;
        });
        return count;
    };
    EXPECT_EQ(reads(*deployed(kLlama8B, "t3k", "Llama-3.1-8B", options).decode()), 0);
    options.taps = PartitionOptions::Taps::HiddenStates;
    EXPECT_EQ(reads(*deployed(kLlama8B, "t3k", "Llama-3.1-8B", options).decode()), 32);
}

}  // namespace
}  // namespace model::testing

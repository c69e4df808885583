// Programs of llama-galaxy against the 16 programs of a decoder layer that the real demo runs:
// tenstorrent/tt-metal models/demos/llama3_70b_galaxy/tests/decoder_perf_targets_6u.json (tree of
// 2026-05-23), in the order of tt/llama_decoder.py. A step with a `why` differs, and says how.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/model/sequence_fixture.h"

namespace model::testing {
namespace {

/// A program on the device by its published name, and the commands that are its parts.
struct Launch {
    std::string published;
    Lines parts;
    const char* why = "";
};
using Launches = std::vector<Launch>;

Launches attention() {
    return {{"RMSAllGather",
             {"LayerNormPreAllGather [32, 32] bf16 L1_INTERLEAVED",
              "all_gather [32, 128] bf16 L1_WIDTH_SHARDED 4",
              "LayerNormPostAllGather [32, 2048] bf16 L1_WIDTH_SHARDED 32"},
             "the residual is added by the layer before, in a part of the same program"},
            {"Matmul QKV_MM", {"Matmul [32, 1280] bfp8"}},
            {"LlamaReduceScatterCreateHeads",
             {"all_gather [4, 32, 1280] bfp8", "FastReduceNC [32, 1280] bfp8",
              "Matmul [8, 1280] bf16", "NLPCreateQKVHeadsDecode [8, 8, 128] bf16"},
             "the real one scatters sums of users; here rows of all users are gathered, summed and "
             "cut, which moves the same tiles"},
            {"RotaryEmbeddingLlamaFusedQK",
             {"RotaryEmbeddingLlama [8, 8, 128] bf16", "RotaryEmbeddingLlama [8, 1, 128] bf16"}},
            {"PagedFusedUpdateCache",
             {"PagedUpdateCache [8, 1, 1024, 128] bfp8", "PagedUpdateCache [8, 1, 1024, 128] bfp8"},
             "K and V in one program: PagedUpdateCacheDeviceOperation in the table"},
            {"SdpaDecode", {"SdpaDecode [8, 8, 128] bf16 L1_HEIGHT_SHARDED 8"}},
            {"AllGatherConcat",
             {"all_gather [32, 8, 128] bf16", "NLPConcatHeadsDecode [32, 1024] bf16"}},
            {"Matmul DO_MM", {"Matmul [32, 2048] bfp8"}},
            {"AllReduceAsync", {"all_gather [8, 32, 2048] bfp8", "FastReduceNC [32, 2048] bfp8"}}};
}

Launches feed_forward() {
    return {{"RMSAllGather",
             {"BinaryNg [32, 2048] bf16 L1_WIDTH_SHARDED 16",
              "LayerNormPreAllGather [32, 32] bf16 L1_INTERLEAVED",
              "all_gather [32, 128] bf16 L1_WIDTH_SHARDED 4",
              "LayerNormPostAllGather [32, 2048] bf16 L1_WIDTH_SHARDED 32"}},
            {"Matmul_RS",
             {"Matmul [32, 3840] bfp8", "reduce_scatter [32, 960] bfp8", "Matmul [32, 3840] bfp8"},
             "w1 and w3 with the reduce-scatter of the first"},
            {"reduce_scatter", {"reduce_scatter [32, 960] bfp8"}},
            {"BinaryNg", {"BinaryNg [32, 960] bfp8"}},
            {"all_gather", {"all_gather [32, 3840] bfp8"}},
            {"Matmul FF2_MM", {"Matmul [32, 2048] bfp8"}},
            {"AllReduceAsync", {"all_gather [8, 32, 2048] bfp8", "FastReduceNC [32, 2048] bfp8"}}};
}

Launches layer() {
    Launches all = attention();
    for (Launch& launch : feed_forward()) all.push_back(std::move(launch));
    return all;
}

/// Neighbours of one program together; a program of one command by the command's name.
Launches launches_of(const dispatch::Program& program, const dispatch::Segment& segment) {
    Launches all;
    std::string before;
    for (const dispatch::Command& command : segment.commands) {
        const std::string line = line_of(program, command);
        const std::string& fused = command.fused.program;
        if (fused.empty() || fused != before) {
            all.push_back({fused.empty() ? line.substr(0, line.find(' ')) : fused, {}});
        }
        all.back().parts.push_back(line);
        before = fused;
    }
    return all;
}

Deployment galaxy(std::int64_t batch = 32) {
    DeploymentOptions options;
    options.software = "llama-galaxy";
    options.batch = batch;
    options.context = 1024;
    return deployed(kLlama70B, "galaxy", "Llama-3.3-70B", options);
}

/// Where the programs of a layer are not those that were published, one line each.
Lines differences(const Launches& ours) {
    const Launches published = layer();
    Lines all;
    for (std::size_t i = 0; i < std::max(ours.size(), published.size() + 1); ++i) {
        if (i == published.size() && i < ours.size()) {
            // The last sum of the layer begins the next layer's RMSAllGather.
            const bool next =
                ours[i].published == "RMSAllGather" && ops_of(ours[i].parts) == Lines{"BinaryNg"};
            if (!next) all.push_back(ours[i].published + " ends the layer");
            continue;
        }
        if (i >= ours.size() || i >= published.size()) {
            all.push_back("programs: " + std::to_string(ours.size()));
            break;
        }
        const std::string name = published[i].published.substr(0, published[i].published.find(' '));
        if (ours[i].published != name) all.push_back(ours[i].published + " is not " + name);
        if (ours[i].parts.size() != published[i].parts.size()) {
            all.push_back(name + " has " + std::to_string(ours[i].parts.size()) + " parts");
            continue;
        }
        for (std::size_t part = 0; part < ours[i].parts.size(); ++part) {
            if (ours[i].parts[part].starts_with(published[i].parts[part])) continue;
            all.push_back(ours[i].parts[part] + " is not " + published[i].parts[part]);
        }
    }
    return all;
}

TEST(GalaxySequence, a_layer_is_the_sixteen_published_programs_in_order) {
    // Every kernel of the decoder's profile, and none beside them.
    const Deployment deployment = galaxy();
    const auto program = deployment.decode();
    EXPECT_EQ(layer().size(), 16u);
    EXPECT_EQ(differences(launches_of(*program, program->segments.at(1))), Lines{});
}

TEST(GalaxySequence, a_layer_without_any_one_command_is_another) {
    // The comparison sees every op, move and collective.
    const Deployment deployment = galaxy();
    const auto program = deployment.decode();
    const dispatch::Segment& whole = program->segments.at(1);
    for (std::size_t gone = 0; gone < whole.commands.size(); ++gone) {
        dispatch::Segment cut = whole;
        cut.commands.erase(cut.commands.begin() + static_cast<std::ptrdiff_t>(gone));
        EXPECT_NE(differences(launches_of(*program, cut)), Lines{}) << whole.commands[gone].label;
    }
}

TEST(GalaxySequence, weights_of_layers_are_prefetched_and_padded_for_the_ring) {
    // model_config.py: qkv_shape_ring is (8192 / 4, 12288 / 8); the feed-forward is 3840 per chip.
    const Deployment deployment = galaxy();
    const auto program = deployment.decode();
    std::vector<std::int64_t> sizes;
    for (const dispatch::Segment& segment : program->segments) {
        for (const dispatch::Command& command : segment.commands) {
            if (command.prefetched.weight.value > 0) {
                sizes.push_back(command.prefetched.weight.value);
                EXPECT_EQ(command.prefetched.room.value, 24 * 728 * 1088);
                EXPECT_EQ(std::get<dispatch::OpCommand>(command.body).plan.cores, 24);
            }
        }
    }
    constexpr std::int64_t kTile8 = 1088;
    constexpr std::int64_t kTile4 = 576;
    const std::vector<std::int64_t> published{64 * 48 * kTile8, 32 * 72 * kTile8, 64 * 120 * kTile4,
                                              64 * 120 * kTile4, 120 * 72 * kTile8};
    const dispatch::Command& prefetcher = program->segments.front().commands.front();
    const auto& op = std::get<dispatch::OpCommand>(prefetcher.body);
    EXPECT_EQ(std::get<tensor::Prefetch>(op.op).weights, 80 * 5);
    EXPECT_EQ(op.inputs.size(), 5u);
    EXPECT_EQ(op.plan.cores, 12);
    EXPECT_EQ(prefetcher.completion, dispatch::Command::Completion::Streams);
    EXPECT_EQ(prefetcher.sub_device, dispatch::SubDeviceId{1});
    EXPECT_EQ(program->sub_devices.size(), 2u);
    ASSERT_GE(sizes.size(), published.size());
    EXPECT_EQ(std::vector(sizes.begin(), sizes.begin() + 5), published);
}

TEST(GalaxySequence, other_meshes_chips_and_batches_are_refused_by_name) {
    // The demo is written for 32 Wormhole chips and 32 slots.
    const auto on = [](const char* mesh, std::int64_t batch) {
        return error_text([&] {
            DeploymentOptions options;
            options.software = "llama-galaxy";
            options.batch = batch;
            deployed(kLlama70B, mesh, "Llama-3.3-70B", options);
        });
    };
    EXPECT_NE(on("t3k", 32).find("expected 8x4 Wormhole chips (--mesh galaxy), got 1x8"),
              std::string::npos)
        << on("t3k", 32);
    EXPECT_NE(on("bh-galaxy", 32).find("8x4 Wormhole chips"), std::string::npos);
    EXPECT_NE(on("galaxy:4x8", 32).find("got 4x8"), std::string::npos);
    EXPECT_NE(on("galaxy", 33).find("at most 32 users with llama-galaxy"), std::string::npos);
    EXPECT_EQ(galaxy(1).slots(), 32);
}

}  // namespace
}  // namespace model::testing

// The two questions asked of every architecture that runs, against an independent float32
// implementation (tests/data/fixtures). Who includes this says on which meshes.
#pragma once

#include <cmath>
#include <tuple>

#include "model/evaluate.h"
#include "tests/model/model_fixture.h"

namespace model::testing {

using Case = std::tuple<const char*, const char*>;  // fixture, mesh

/// A fixture on a mesh in fp32: the reference's prompt of `prefill` tokens, then token by token.
inline EvaluateReport evaluated(const std::string& fixture, const char* mesh, std::int64_t prefill,
                                std::int64_t chunk, std::int64_t block_size) {
    const std::string folder = TESSERA_SOURCE_DIR "/tests/data/fixtures/" + fixture;
    const Config config = load_config(folder);
    const Reference reference = Reference::open(folder + "/reference.safetensors");
    DeploymentOptions options;
    options.context = 128;
    options.block_size = block_size;
    options.prefill_chunk = chunk;
    options.taps = PartitionOptions::Taps::HiddenStates;
    const auto layers = static_cast<std::int32_t>(config.num_hidden_layers);
    Deployment deployment(config, precision_preset("fp32", fixture, layers), mesh_named(mesh),
                          options);
    const Checkpoint checkpoint = Checkpoint::open(folder);
    Replica replica(deployment, checkpoint, Replica::Trace::Off);
    return evaluate(replica, deployment, reference, prefill, {});
}

/// The largest error allowed: 2e-3 of the logits' standard deviation.
inline double tolerance(const std::string& fixture) {
    const Reference reference = Reference::open(TESSERA_SOURCE_DIR "/tests/data/fixtures/" +
                                                fixture + "/reference.safetensors");
    double sum = 0;
    double squares = 0;
    double count = 0;
    for (std::int64_t t = 0; t < reference.positions(); ++t) {
        for (const float logit : reference.logits(t)) {
            sum += logit;
            squares += static_cast<double>(logit) * logit;
            ++count;
        }
    }
    return 2e-3 * std::sqrt(squares / count - sum / count * sum / count);
}

class Architectures : public ::testing::TestWithParam<Case> {};

TEST_P(Architectures, give_the_reference_in_fp32) {
    // Logits and every layer, with prompts around the edges of a tile.
    const auto [fixture, mesh] = GetParam();
    for (const std::int64_t prefill : {1, 33, 96}) {
        const EvaluateReport report = evaluated(fixture, mesh, prefill, 4096, 0);
        ASSERT_EQ(report.shortage, "");
        EXPECT_EQ(report.positions, 98 - prefill);
        EXPECT_LE(report.max_abs_error, tolerance(fixture)) << prefill;
        EXPECT_LE(report.max_abs_error_hidden, 2e-3) << prefill;
    }
}

TEST_P(Architectures, chunks_and_pages_change_nothing) {
    // A prompt of 64 in chunks of 32, over pages of 32 positions.
    const auto [fixture, mesh] = GetParam();
    const EvaluateReport report = evaluated(fixture, mesh, 64, 32, 32);
    ASSERT_EQ(report.shortage, "");
    EXPECT_LE(report.max_abs_error, tolerance(fixture));
}

}  // namespace model::testing

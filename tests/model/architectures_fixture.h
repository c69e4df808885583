// The two questions asked of every architecture that runs, against an independent float32
// implementation (tests/data/fixtures). Who includes this says on which meshes.
#pragma once

#include <cmath>
#include <optional>
#include <tuple>

#include "model/evaluate.h"
#include "model/head_padding.h"
#include "tests/model/model_fixture.h"

namespace model::testing {

using Case = std::tuple<const char*, const char*>;  // fixture, mesh

/// How a fixture is run: the reference's prompt of `prefill` tokens, then token by token.
struct FixtureRun {
    EvaluateOptions evaluation;
    std::int64_t chunk = 4096;
    std::int64_t block_size = 0;
    std::optional<std::uint64_t> page_seed = {};
    std::int64_t groups = 1;
    std::int64_t pad_over = 0;  // chips that heads are padded for; 0: they are not
    const char* software = "tt-transformers";
};

/// A fixture on a mesh in fp32.
inline EvaluateReport evaluated(const std::string& fixture, const char* mesh,
                                const FixtureRun& run) {
    const std::string folder = TESSERA_SOURCE_DIR "/tests/data/fixtures/" + fixture;
    Config config = load_config(folder);
    if (run.pad_over > 0) config = pad_heads(config, run.pad_over);
    const Reference reference = Reference::open(folder + "/reference.safetensors");
    DeploymentOptions options;
    options.software = run.software;
    options.batch = run.evaluation.users;
    options.context = 128;
    options.block_size = run.block_size;
    options.page_seed = run.page_seed;
    options.prefill_chunk = run.chunk;
    options.taps = PartitionOptions::Taps::HiddenStates;
    const auto layers = static_cast<std::int32_t>(config.num_hidden_layers);
    const Precision precision = precision_preset("fp32", fixture, layers);
    const Checkpoint checkpoint = Checkpoint::open(folder);
    std::vector<std::unique_ptr<Deployment>> deployments;
    std::vector<std::unique_ptr<Replica>> replicas;
    for (const fabric::Mesh& group : data_parallel_groups(mesh_named(mesh), run.groups)) {
        deployments.push_back(std::make_unique<Deployment>(config, precision, group, options));
        replicas.push_back(
            std::make_unique<Replica>(*deployments.back(), checkpoint, Replica::Trace::Off));
    }
    return evaluate(replicas, reference, run.evaluation, {});
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

}  // namespace model::testing

// How fast this host decodes and simulates. Decode: tokens of the demo model per second of wall
// time, batch 1, precision `performance`, values and clock together. Simulate: specs only, a
// prefill and the decode steps of a model with the shape of Llama-3.1-70B on a Galaxy.
// What the simulated chips would need is no result here; `tessera sim` says it.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/units.h"
#include "fabric/mesh.h"
#include "model/config.h"
#include "model/deployment.h"
#include "model/estimate.h"
#include "model/precision.h"
#include "model/replica.h"
#include "model/safetensors.h"

namespace {

const std::string kDemo = TESSERA_SOURCE_DIR "/models/tiny-shakespeare";
const std::vector<std::int32_t> kPrompt{2040, 870, 25};  // "ROMEO:"

fabric::Mesh mesh_named(const std::string& name) {
    auto opened = fabric::open_mesh({TESSERA_SOURCE_DIR "/topologies"}, name);
    if (std::holds_alternative<fabric::MeshFailure>(opened)) {
        throw std::runtime_error("no mesh " + name);
    }
    return std::get<fabric::Mesh>(std::move(opened));
}

model::Deployment deploy(const model::Config& config, const std::string& base_model,
                         const std::string& mesh, std::int64_t batch, std::int64_t context) {
    model::DeploymentOptions options;
    options.batch = batch;
    options.context = context;
    options.device.trace_region_size = core::Bytes{50'000'000};
    auto layers = static_cast<std::int32_t>(config.num_hidden_layers);
    return {config, model::precision_preset("performance", base_model, layers), mesh_named(mesh),
            options};
}

/// One token per iteration, positions from the prompt's end to the end of the context and again.
void decode(benchmark::State& state, const std::string& mesh) {
    constexpr std::int64_t kContext = 1024;
    const model::Config config = model::load_config(kDemo);
    model::Deployment deployment = deploy(config, "tiny-shakespeare", mesh, 1, kContext);
    const model::Checkpoint checkpoint = model::Checkpoint::open(kDemo);
    model::Replica replica(deployment, checkpoint, model::Replica::Trace::On);
    replica.prefill(0, kPrompt);
    const auto slots = static_cast<std::size_t>(deployment.slots());
    std::vector<std::int32_t> tokens(slots, 0);
    std::vector<std::int32_t> positions(slots, -1);
    const auto step = [&](std::int64_t index) {
        const auto room = kContext - static_cast<std::int64_t>(kPrompt.size());
        positions[0] =
            static_cast<std::int32_t>(static_cast<std::int64_t>(kPrompt.size()) + index % room);
        tokens[0] = static_cast<std::int32_t>(index % config.vocab_size);
        return replica.decode(tokens, positions);
    };
    step(0);  // compiles and captures
    std::int64_t index = 1;
    for (auto _ : state) benchmark::DoNotOptimize(step(index++));
    state.SetItemsProcessed(state.iterations());
}

// Sizes of meta-llama/Llama-3.1-70B-Instruct config.json.
model::Config seventy_billion() {
    model::Config config;
    config.hidden_size = 8192;
    config.intermediate_size = 28672;
    config.num_hidden_layers = 80;
    config.num_attention_heads = 64;
    config.num_key_value_heads = 8;
    config.head_dim = 128;
    config.vocab_size = 128256;
    config.max_position_embeddings = 131072;
    config.rms_norm_eps = 1e-5;
    config.rope_theta = 500000;
    config.torch_dtype = model::StoredType::BF16;
    return config;
}

/// Builds, plans and times a deployment; items are simulated commands.
void simulate(benchmark::State& state, const std::string& mesh, std::int64_t batch) {
    const model::Config config = seventy_billion();
    std::int64_t events = 0;
    double step_ms = 0;
    for (auto _ : state) {
        model::Deployment deployment = deploy(config, "Llama-3.1-70B", mesh, batch, 256);
        const model::Estimate estimate = model::estimate(deployment, model::EstimateOptions{});
        if (!estimate.shortage.empty()) return state.SkipWithError(estimate.shortage.c_str());
        events += estimate.events;
        step_ms = core::to_ms(estimate.decode_step);
    }
    state.SetItemsProcessed(events);
    state.counters["simulated_step_ms"] = step_ms;
}

BENCHMARK_CAPTURE(decode, n150, "n150")->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(decode, t3k, "t3k")->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(decode, galaxy, "galaxy")->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(simulate, 70b_t3k, "t3k", 32)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(simulate, 70b_galaxy, "galaxy", 32)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace

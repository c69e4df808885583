// How fast this host answers "does it fit": one plan, folded and unrolled; a whole check with its
// searches; and every configuration of models/configs on every system, as `tessera check` asks it
// (performance mode, one user, the model's whole context).
#include <benchmark/benchmark.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/error.h"
#include "fabric/mesh.h"
#include "model/config.h"
#include "model/fit.h"
#include "model/precision.h"
#include "model/split.h"

namespace {

const fabric::Catalog kCatalog{TESSERA_SOURCE_DIR "/topologies"};
const std::filesystem::path kConfigs = TESSERA_SOURCE_DIR "/models/configs";

std::optional<fabric::Mesh> mesh_named(const std::string& name) {
    auto opened = fabric::open_mesh(kCatalog, name);
    if (std::holds_alternative<fabric::MeshFailure>(opened)) return std::nullopt;
    return std::get<fabric::Mesh>(std::move(opened));
}

struct Model {
    std::string name;
    model::Config config;
    model::Precision precision;
};

Model load(const std::string& name) {
    Model loaded{name, model::load_config(kConfigs / name), {}};
    loaded.precision =
        model::precision_preset("performance", model::base_model_name(name),
                                static_cast<std::int32_t>(loaded.config.num_hidden_layers));
    return loaded;
}

model::DeploymentOptions whole_context(const model::Config& config) {
    model::DeploymentOptions options;
    options.context = config.max_position_embeddings;
    options.device.trace_region_size = core::Bytes{50'000'000};
    return options;
}

void plan(benchmark::State& state, const std::string& name, const std::string& mesh,
          dispatch::Rounds rounds) {
    const Model model = load(name);
    const fabric::Mesh on = mesh_named(mesh).value();
    model::DeploymentOptions options = whole_context(model.config);
    options.context = 8192;
    for (auto _ : state) {
        model::Deployment deployment(model.config, model.precision, on, options);
        benchmark::DoNotOptimize(deployment.plan_memory(dispatch::Detail::Report, rounds));
    }
}

void check(benchmark::State& state, const std::string& name, const std::string& mesh) {
    std::int64_t plans = 0;
    for (auto _ : state) {
        const Model model = load(name);
        const fabric::Mesh on = mesh_named(mesh).value();
        plans = model::fit(model.config, model.precision, on, whole_context(model.config)).plans;
    }
    state.counters["plans"] = static_cast<double>(plans);
}

/// All pairs that split; pairs that do not are a report without a plan.
void check_all(benchmark::State& state) {
    std::vector<Model> models;
    for (const auto& entry : std::filesystem::directory_iterator(kConfigs)) {
        if (entry.is_directory()) models.push_back(load(entry.path().filename().string()));
    }
    std::ranges::sort(models, {}, &Model::name);
    std::vector<model::NamedMesh> systems;
    for (const char* name : {"n150", "p100", "p150", "n300", "p300", "n150x4", "p150x4", "p300x2",
                             "t3k", "p150x8", "tg", "galaxy", "bh-galaxy"}) {
        if (auto mesh = mesh_named(name)) systems.push_back({name, *std::move(mesh)});
    }
    std::int64_t planned = 0;
    std::int64_t refused = 0;
    std::int64_t plans = 0;
    for (auto _ : state) {
        planned = refused = plans = 0;
        for (const Model& model : models) {
            for (const model::NamedMesh& system : systems) {
                try {
                    if (!model::split_problems(model.config, system.mesh).empty()) {
                        ++refused;
                        continue;
                    }
                    plans += model::fit(model.config, model.precision, system.mesh,
                                        whole_context(model.config))
                                 .plans;
                    ++planned;
                } catch (const core::Error&) {
                    ++refused;  // an architecture or a size that cannot be laid out
                }
            }
        }
    }
    state.counters["planned"] = static_cast<double>(planned);
    state.counters["refused"] = static_cast<double>(refused);
    state.counters["plans"] = static_cast<double>(plans);
}

using dispatch::Rounds;
BENCHMARK_CAPTURE(plan, 405b_galaxy_folded, "Llama-3.1-405B", "galaxy", Rounds::Folded)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(plan, 405b_galaxy_unrolled, "Llama-3.1-405B", "galaxy", Rounds::Unrolled)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(check, 405b_galaxy, "Llama-3.1-405B", "galaxy")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(check, 70b_t3k, "Llama-3.1-70B-Instruct", "t3k")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(check, 8b_n150, "Llama-3.1-8B-Instruct", "n150")->Unit(benchmark::kMillisecond);
BENCHMARK(check_all)->Unit(benchmark::kSecond)->UseRealTime();

}  // namespace

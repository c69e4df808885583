// How fast this host simulates: one decode step of a 70B on a Galaxy, a whole estimate of it, and
// every row of a folder of measurements. Large rings of collectives are in ccl_bench.cc. What the
// simulated chips would need is no result here.
// TESSERA_TABLES names the folder of tables; without it the two that are in the tree are read.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "dispatch/session.h"
#include "dispatch/simulator.h"
#include "model/deployment.h"
#include "model/estimate.h"
#include "model/validate.h"

namespace {

const fabric::Catalog kCatalog{TESSERA_SOURCE_DIR "/topologies"};
const std::filesystem::path kModels = TESSERA_SOURCE_DIR "/models";

/// Llama-3.1-70B, 32 users, on a Galaxy.
model::Deployment seventy_billion() {
    auto opened = fabric::open_mesh(kCatalog, "galaxy");
    if (std::holds_alternative<fabric::MeshFailure>(opened)) {
        throw std::runtime_error("no galaxy");
    }
    const model::Config config = model::load_config(kModels / "configs/Llama-3.1-70B-Instruct");
    model::DeploymentOptions options;
    options.batch = 32;
    options.context = 256;
    options.device.trace_region_size = core::Bytes{50'000'000};
    const auto layers = static_cast<std::int32_t>(config.num_hidden_layers);
    return {config, model::precision_preset("performance", "Llama-3.1-70B", layers),
            std::get<fabric::Mesh>(std::move(opened)), options};
}

/// All commands of a step on the clock, 32 chips; programs are built and placed before.
void decode_step(benchmark::State& state) {
    constexpr dispatch::QueueId kQueue{0};
    const model::Deployment deployment = seventy_billion();
    dispatch::MeshDevice device(0, deployment.mesh(), deployment.options().device);
    dispatch::Simulator simulator(deployment.mesh(), {});
    device.attach(simulator);
    dispatch::Session session(device);
    if (session.place(deployment.decode())) return state.SkipWithError("does not fit");
    const auto slots = static_cast<std::size_t>(deployment.slots());
    const auto bindings = deployment.decode_bindings(std::vector<std::int32_t>(slots, 128));
    dispatch::HostTensors host;
    for (auto _ : state) {
        if (session.run(deployment.decode(), bindings, host, kQueue)) {
            return state.SkipWithError("does not fit");
        }
    }
    state.SetItemsProcessed(simulator.commands_run());
}
BENCHMARK(decode_step)->Unit(benchmark::kMillisecond);

/// What `tessera sim` does: builds the programs, a prompt of 128 tokens, 128 tokens generated.
void generation(benchmark::State& state) {
    for (auto _ : state) {
        model::Deployment deployment = seventy_billion();
        const model::Estimate estimate = model::estimate(deployment, {});
        if (!estimate.shortage.empty()) return state.SkipWithError(estimate.shortage.c_str());
        benchmark::DoNotOptimize(estimate.decode_step);
    }
}
BENCHMARK(generation)->Unit(benchmark::kMillisecond);

std::vector<core::CsvTable> tables() {
    const char* folder = std::getenv("TESSERA_TABLES");
    std::vector<core::CsvTable> found;
    const std::filesystem::path path =
        folder != nullptr ? folder : TESSERA_SOURCE_DIR "/tests/data/measurements";
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
        if (entry.path().extension() != ".csv") continue;
        core::CsvTable table = core::read_csv(entry.path());
        if (model::is_known(table)) found.push_back(std::move(table));
    }
    return found;
}

void validate_tables(benchmark::State& state) {
    const std::vector<core::CsvTable> all = tables();
    std::int64_t rows = 0;
    for (auto _ : state) {
        const model::ModelLibrary library(kCatalog, kModels / "configs", kModels / "aliases.yaml");
        for (const core::CsvTable& table : all) {
            rows += model::validate(table, library).scores.rows;
        }
    }
    state.SetItemsProcessed(rows);
    state.counters["tables"] = static_cast<double>(all.size());
}
BENCHMARK(validate_tables)->Unit(benchmark::kSecond)->UseRealTime();

}  // namespace

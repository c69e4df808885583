#include "cli/finding.h"

#include <tbb/info.h>

#include <algorithm>

#include "core/parallel.h"
#include "model/not_computed.h"

namespace cli {
namespace {

model::SplitReport split_of(const CheckOptions& options, const Setup& setup, std::int64_t context) {
    model::SplitQuestion question;
    question.base_model = setup.base_model;
    question.software = options.model.software;
    question.dp = static_cast<std::int64_t>(setup.groups.size());
    question.batch = options.model.batch;
    question.context = context;
    question.prefill_chunk = options.model.prefill_chunk;
    question.pad_mlp_cores = setup.pad_mlp_cores;
    question.limits =
        options.strict ? model::SplitQuestion::Limits::Strict : model::SplitQuestion::Limits::Ours;
    // What tt_transformers pads by itself is the report's to say.
    const model::Config& config = options.model.pad_heads ? setup.config : setup.published;
    return model::split_report(config, setup.precision, setup.mesh, question);
}

// One copy of the model as it was asked for, on any system.
void look_elsewhere(Finding& finding, const model::DeploymentOptions& options,
                    std::span<const model::NamedMesh> systems, int threads) {
    const Setup& setup = finding.setup;
    finding.smallest = model::smallest_system(setup.published, setup.precision, systems, options);
    finding.replicas = model::replicas(setup.published, setup.precision, setup.mesh, options);
    const int workers = threads > 0 ? threads : tbb::info::default_concurrency();
    finding.host = model::host_memory(setup.published, setup.precision, workers);
}

}  // namespace

std::vector<model::NamedMesh> all_systems(const World& world) {
    std::vector<std::string> names = fabric::system_names(world.catalog);
    std::erase_if(names, [](const std::string& name) { return name.find("torus") != name.npos; });
    std::vector<model::NamedMesh> systems(names.size());
    // Most of it is reading YAML.
    core::parallel_for(names.size(), [&](std::size_t i) {
        systems[i] = {names[i], open_mesh(world, names[i])};
    });
    std::stable_sort(systems.begin(), systems.end(), [](const auto& a, const auto& b) {
        return a.mesh.chip_count() < b.mesh.chip_count();
    });
    return systems;
}

Finding find(const CheckOptions& options, const World& world, const model::Config& config,
             const fabric::Mesh& mesh, std::span<const model::NamedMesh> systems, Depth depth) {
    ModelOptions asked = options.model;
    Finding finding;
    finding.setup = set_up(asked, world, config, mesh);
    const Setup& setup = finding.setup;
    finding.not_computed = model::not_computed(setup.config);
    finding.context = asked.context > 0 ? asked.context : config.max_position_embeddings;
    finding.split = split_of(options, setup, finding.context);
    const model::DeploymentOptions deployment = deployment_options(asked, setup, finding.context);
    if (depth == Depth::Full) look_elsewhere(finding, deployment, systems, asked.threads);
    // What only the real stack refuses can be planned all the same.
    if (!model::split_problems(setup.config, setup.group(), asked.software).empty()) return finding;
    finding.fit = model::fit(setup.config, setup.precision, setup.group(), deployment,
                             finding.smallest ? &*finding.smallest : nullptr);
    if (depth == Depth::Full) {
        model::Deployment built(setup.config, setup.precision, setup.group(), deployment);
        const std::vector<model::Capture> captures =
            model::captured_shapes(setup.trace_defaults, setup.base_model, built);
        finding.traces = model::trace_region_report(built, captures);
    }
    return finding;
}

}  // namespace cli

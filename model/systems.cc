#include "model/systems.h"

#include <algorithm>

#include "core/error.h"
#include "model/split.h"

namespace model {
namespace {

SystemFit plan_on(const Config& config, const Precision& precision, std::string name,
                  const fabric::Mesh& mesh, const DeploymentOptions& options) {
    SystemFit fit;
    fit.name = std::move(name);
    fit.chips = mesh.chip_count();
    fit.problems = split_problems(config, mesh);
    if (!fit.problems.empty()) return fit;
    try {
        Deployment deployment(config, precision, mesh, options);
        const dispatch::MemoryPlan plan = deployment.plan_memory(dispatch::Detail::Verdict);
        fit.fits = plan.fits();
        fit.failed_buffer = plan.failed_buffer;
        fit.free = plan.dram.free;
    } catch (const core::Error& error) {
        // Something else than the heads does not divide here: a reason like the others.
        fit.problems.push_back(error.message());
    }
    return fit;
}

bool can_cut(const fabric::Mesh& mesh, std::int32_t groups) {
    if (mesh.chip_count() % groups != 0) return false;
    return mesh.shape.rows % groups == 0 || groups % mesh.shape.rows == 0;
}

}  // namespace

SmallestSystem smallest_system(const Config& config, const Precision& precision,
                               std::span<const NamedMesh> systems,
                               const DeploymentOptions& options) {
    SmallestSystem smallest;
    for (const NamedMesh& system : systems) {
        smallest.tried.push_back(plan_on(config, precision, system.name, system.mesh, options));
        if (smallest.tried.back().fits) break;
    }
    return smallest;
}

std::vector<Replicas> replicas(const Config& config, const Precision& precision,
                               const fabric::Mesh& mesh, const DeploymentOptions& options) {
    std::vector<Replicas> cuts;
    for (std::int32_t dp = 1; dp <= mesh.chip_count(); ++dp) {
        if (!can_cut(mesh, dp)) continue;
        const fabric::Mesh group = data_parallel_groups(mesh, dp).front();
        cuts.push_back({dp, group.chip_count(), group.shape,
                        plan_on(config, precision, "--dp " + std::to_string(dp), group, options)});
    }
    return cuts;
}

std::int64_t most_replicas(std::span<const Replicas> cuts) {
    std::int64_t most = 0;
    for (const Replicas& cut : cuts) {
        if (cut.group.fits) most = std::max(most, cut.dp);
    }
    return most;
}

}  // namespace model

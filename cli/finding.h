// What `check` finds out about one model on one system: split, memory, and what would work. The
// table of many models and the answer for one are the same finding.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/setup.h"
#include "model/fit.h"
#include "model/host_memory.h"
#include "model/split.h"
#include "model/systems.h"
#include "model/trace_region.h"

namespace cli {

struct CheckOptions {
    ModelOptions model;
    bool strict = false;  // narrower limits of the real stack are a no
    std::string all;      // folder of models
    std::string systems = "all";
    std::string html;
};

/// Solvers beside the plan that was asked for.
enum class Depth {
    Table,  // the most that fits
    Full,   // also smallest system, replicas, trace region, host memory, suggestions
};

struct Finding {
    Setup setup;
    model::SplitReport split;
    std::vector<std::string> not_computed;  // planned by sizes, never run
    std::int64_t context = 0;
    // When it splits:
    std::optional<model::FitReport> fit;
    std::optional<model::TraceRegionReport> traces;
    // Depth::Full:
    std::optional<model::SmallestSystem> smallest;
    std::vector<model::Replicas> replicas;
    std::optional<model::HostMemory> host;

    bool splits() const { return split.splits(); }
    bool fits() const { return fit && fit->fits(); }
};

/// The systems of the catalog by chip count, then by name; cabling variants are left out.
std::vector<model::NamedMesh> all_systems(const World& world);

Finding find(const CheckOptions& options, const World& world, const model::Config& config,
             const fabric::Mesh& mesh, std::span<const model::NamedMesh> systems, Depth depth);

}  // namespace cli

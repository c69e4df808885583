// Where a model fits: the smallest of several systems, and how many copies of it a system holds.
// Every yes is a memory plan of one group that was made; a no has its reason.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/deployment.h"

namespace model {

struct NamedMesh {
    std::string name;  // as --mesh takes it
    fabric::Mesh mesh;
};

/// One system, or one way to cut it into groups.
struct SystemFit {
    std::string name;
    std::int64_t chips = 0;
    std::vector<std::string> problems;  // why it does not split; empty: it does
    bool fits = false;
    std::string failed_buffer;  // of a plan that does not fit
    core::Bytes free;           // of a chip, at the peak
};

struct SmallestSystem {
    std::vector<SystemFit> tried;  // in order; the last one fits, if any does
    bool found() const { return !tried.empty() && tried.back().fits; }
};

/// The first of `systems` (ordered by chip count) on which one group splits and fits.
SmallestSystem smallest_system(const Config& config, const Precision& precision,
                               std::span<const NamedMesh> systems,
                               const DeploymentOptions& options);

/// `dp` copies, each tensor parallel over `tp` chips; the options are those of one copy.
struct Replicas {
    std::int64_t dp = 1;
    std::int64_t tp = 1;
    mesh::Shape shape;  // of one group
    SystemFit group;
};

/// Every cut of `mesh` into equal groups, fewest copies first.
std::vector<Replicas> replicas(const Config& config, const Precision& precision,
                               const fabric::Mesh& mesh, const DeploymentOptions& options);
/// Most copies that split and fit; 0: none.
std::int64_t most_replicas(std::span<const Replicas> cuts);

}  // namespace model

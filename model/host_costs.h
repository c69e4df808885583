// What the host does in a step beside enqueueing programs: Python of the software around the
// model. Read from topologies/software/host_costs.yaml, one entry per software profile.
// Times are of one host thread; what crosses PCIe is the chip's (mesh/chip_spec.h).
#pragma once

#include <filesystem>
#include <string_view>

#include "core/units.h"

namespace model {

struct HostCosts {
    core::Picoseconds step{};   // once per decode step or prefill
    core::Picoseconds group{};  // per data-parallel group of a decode step
    core::Picoseconds logit{};  // per logit that the host samples from
};

/// Throws core::Error: file, key, expected, found; also for a software without an entry.
HostCosts load_host_costs(const std::filesystem::path& file, std::string_view software);

}  // namespace model

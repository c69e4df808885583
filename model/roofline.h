// What is published as "theoretical maximum" of a model on a device, and the tiers of it that the
// bounties pay for. The rows of tt-inference-server's model_performance_reference.json follow one
// rule: every parameter of the nominal size in the name ("8B") is read once per token in bfp8, at
// 62 % of the DRAM bandwidth of all chips; links cost nothing. A bound of the hardware is
// Estimate::roofline_step: the bytes a step really reads, at the full rate.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

#include "fabric/mesh.h"

namespace model {

/// 8e9 of "Llama-3.1-8B-Instruct": the last number before a B; nullopt where there is none.
std::optional<double> nominal_parameters(std::string_view model);

struct TargetRule {
    double dram_share = 0;  // of the peak
};
/// topologies/validation/targets.yaml. Throws core::Error.
TargetRule load_target_rule(const std::filesystem::path& file);

/// Tokens per second of a user.
double theoretical_rate(const TargetRule& rule, double parameters, const fabric::Mesh& mesh);

/// "hard" from 70 %, "medium" from 50 %, "easy" from 25 %, else "none"
/// (tenstorrent/tt-metal issues #19416, #19418, #19420).
std::string_view bounty_tier(double share);

}  // namespace model

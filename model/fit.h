// Does it fit, and what is the most that would: every answer is a memory plan that was made, not a
// formula. Memory only grows with context, batch and chunk, so the largest is found by bisection.
#pragma once

#include <cstdint>

#include "model/deployment.h"

namespace model {

struct FitReport {
    dispatch::MemoryPlan plan;     // as asked
    std::int64_t max_context = 0;  // positions, at the asked batch; 0: none fits
    std::int64_t max_batch = 0;    // users, 1 to 32, at the asked context; 0: none fits
    std::int64_t prefill_chunk =
        0;  // largest power of two, tokens, at the asked context; 0: none fits
    bool fits() const { return plan.fits(); }
};

/// Granularity of max_context: positions.
inline constexpr std::int64_t kContextStep = 128;
/// The most users of a group that is looked for.
inline constexpr std::int64_t kMostUsers = 32;

/// Plans `options` and what is next to it. Throws core::Error when the heads do not split.
FitReport fit(const Config& config, const Precision& precision, const fabric::Mesh& mesh,
              const DeploymentOptions& options);

}  // namespace model

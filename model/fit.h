// Does it fit, what is the most that would, and what to change when it does not: every answer is a
// memory plan that was made, not a formula.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/deployment.h"
#include "model/planner.h"
#include "model/suggest.h"

namespace model {

struct FitReport {
    dispatch::MemoryPlan plan;     // as asked
    std::int64_t max_context = 0;  // positions, at the asked batch; 0: none fits
    std::int64_t max_batch = 0;    // users, 1 to 32, at the asked context; 0: none fits
    std::int64_t most_users = 0;   // as max_batch, looked for up to 256 once 32 fit
    std::int64_t prefill_chunk =
        0;  // largest power of two, tokens, at the asked context; 0: none fits
    std::vector<Suggestion> suggestions;  // when it does not fit: what would
    std::int64_t plans = 0;               // made for these answers
    bool fits() const { return plan.fits(); }
};

/// The most users of a group that is looked for.
inline constexpr std::int64_t kMostUsers = 32;
/// Beyond a tile of users; `most_users` ends here.
inline constexpr std::int64_t kUsersBeyond = 256;

/// Plans `options` and what is next to it; `smallest`, where it is known, is suggested when it does
/// not fit. Throws core::Error when the heads do not split.
FitReport fit(const Config& config, const Precision& precision, const fabric::Mesh& mesh,
              const DeploymentOptions& options, const SmallestSystem* smallest = nullptr);

}  // namespace model

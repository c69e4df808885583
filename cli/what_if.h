// What a deployment's speed would be with one thing changed: each line is the estimate of the
// changed input, nothing is scaled.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/setup.h"
#include "model/estimate.h"

namespace cli {

struct WhatIf {
    std::string change;  // "links twice as fast"
    std::optional<double> tokens_per_second_per_user;
    std::string obstacle;  // why there is no answer
};

std::vector<WhatIf> what_if(const World& world, const Setup& setup,
                            const model::DeploymentOptions& deployment,
                            const model::EstimateOptions& options);

}  // namespace cli

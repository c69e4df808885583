// The demo model running on a mesh, and short runs of it to compare.
#pragma once

#include <algorithm>
#include <cmath>

#include "tests/model/model_fixture.h"

namespace model::testing {

/// A deployment of the demo model and its replica.
struct Running {
    Running(std::string_view mesh, std::string_view precision, const DeploymentOptions& options,
            Replica::Trace trace = Replica::Trace::On)
        : Running(mesh_named(mesh), precision, options, trace) {}
    Running(const fabric::Mesh& mesh, std::string_view precision, const DeploymentOptions& options,
            Replica::Trace trace = Replica::Trace::On)
        : deployment(demo_on(mesh, precision, options)),
          replica(*deployment, demo_checkpoint(), trace) {}

    /// Slot s feeds tokens[s] at positions[s]; the other slots are idle.
    std::vector<Logits> decode(std::vector<std::int32_t> tokens,
                               std::vector<std::int32_t> positions) {
        tokens.resize(static_cast<std::size_t>(deployment->slots()), 0);
        positions.resize(static_cast<std::size_t>(deployment->slots()), -1);
        return replica.decode(tokens, positions);
    }

    std::unique_ptr<Deployment> deployment;
    Replica replica;
};

inline double largest_difference(const Logits& a, const Logits& b) {
    core::require(a.size() == b.size() && !a.empty(), "both are rows of logits");
    double largest = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        largest =
            std::max(largest, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
    }
    return largest;
}

/// Prompts of two users and three decode steps; every row of logits of them.
inline std::vector<Logits> a_short_run(Running& run) {
    std::vector<Logits> all;
    all.push_back(run.replica.prefill(0, made_prompt(70)));
    all.push_back(run.replica.prefill(1, made_prompt(33, 1)));
    for (std::int32_t step = 0; step < 3; ++step) {
        const std::vector<Logits> rows =
            run.decode({500 + step, 600 + step}, {70 + step, 33 + step});
        all.push_back(rows.at(0));
        all.push_back(rows.at(1));
    }
    return all;
}

}  // namespace model::testing

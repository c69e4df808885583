#include "model/fit.h"

#include <algorithm>
#include <functional>

namespace model {
namespace {

constexpr std::int64_t kSmallestChunk = 128;
constexpr std::int64_t kLargestChunk = 128 * 1024;  // MAX_PREFILL_CHUNK_SIZE tables end at 128k

// The largest n in [1, most] for which `holds(n)`, or 0. Requires: holds is monotone.
std::int64_t largest(std::int64_t most, const std::function<bool(std::int64_t)>& holds) {
    if (most < 1 || !holds(1)) return 0;
    if (holds(most)) return most;
    std::int64_t yes = 1;
    std::int64_t no = most;
    while (no - yes > 1) {
        const std::int64_t middle = yes + (no - yes) / 2;
        (holds(middle) ? yes : no) = middle;
    }
    return yes;
}

class Planner {
public:
    Planner(const Config& config, const Precision& precision, const fabric::Mesh& mesh)
        : config_(config), precision_(precision), mesh_(mesh) {}

    dispatch::MemoryPlan plan(const DeploymentOptions& options) const {
        return Deployment(config_, precision_, mesh_, options).plan_memory();
    }

    std::int64_t max_context(DeploymentOptions options) const {
        const std::int64_t most = config_.max_position_embeddings;
        options.context = most;
        if (plan(options).fits()) return most;
        return kContextStep * largest(most / kContextStep, [&](std::int64_t steps) {
                   options.context = steps * kContextStep;
                   return plan(options).fits();
               });
    }

    std::int64_t max_batch(DeploymentOptions options) const {
        return largest(kMostUsers, [&](std::int64_t users) {
            options.batch = users;
            return plan(options).fits();
        });
    }

    std::int64_t prefill_chunk(DeploymentOptions options) const {
        for (std::int64_t chunk = kLargestChunk; chunk >= kSmallestChunk; chunk /= 2) {
            // A chunk beyond the padded context is the whole context.
            if (chunk / 2 >= padded_prefill_length(options.context)) continue;
            options.prefill_chunk = chunk;
            if (plan(options).fits()) return chunk;
        }
        return 0;
    }

private:
    const Config& config_;
    const Precision& precision_;
    const fabric::Mesh& mesh_;
};

}  // namespace

FitReport fit(const Config& config, const Precision& precision, const fabric::Mesh& mesh,
              const DeploymentOptions& options) {
    const Planner planner(config, precision, mesh);
    return {planner.plan(options), planner.max_context(options), planner.max_batch(options),
            planner.prefill_chunk(options)};
}

}  // namespace model

// Memory plans of one model on one mesh, remembered by the options that change them, and the
// searches on them. Every answer is a plan that was made: a guess from the free bytes of one plan
// only says which to make next.
// Invariant: memory grows with context, users and chunk, so a largest one is found by halving.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <tuple>

#include "model/deployment.h"

namespace model {

/// What a search needs of a plan; bytes of one chip.
struct Verdict {
    bool fits = false;
    core::Bytes free;         // at the peak
    core::Bytes kv_cache;     // grows with users and context
    core::Bytes rope_tables;  // grow with context
};

/// What a search found at one size: does it fit, and by its free bytes how many sizes more may.
struct Probe {
    bool fits = false;
    std::optional<std::int64_t> more;
};

/// The largest n in [1, most] that fits, or 0; `start` is looked at early.
/// Requires: what does not fit at n does not fit at n + 1.
std::int64_t largest_that_fits(std::int64_t most, std::int64_t start,
                               const std::function<Probe(std::int64_t)>& probe);

class Planner {
public:
    Planner(const Config& config, const Precision& precision, const fabric::Mesh& mesh)
        : config_(config), precision_(precision), mesh_(mesh) {}

    Verdict verdict(const DeploymentOptions& options);
    /// Remembers a plan that was made elsewhere.
    void remember(const DeploymentOptions& options, const dispatch::MemoryPlan& plan);
    /// Plans made so far.
    std::int64_t plans() const { return plans_; }

    /// Positions at the asked batch, in steps of kContextStep or all the model has; 0: none.
    std::int64_t max_context(DeploymentOptions options);
    /// Users at the asked context, at most `most`; with a pool of blocks all of them must reach it.
    std::int64_t max_users(DeploymentOptions options, std::int64_t most);
    /// Largest power of two at the asked context and batch; 0: none.
    std::int64_t prefill_chunk(DeploymentOptions options);
    /// Largest trace region in whole megabytes, at least `least`; nullopt: none.
    std::optional<core::Bytes> trace_region(DeploymentOptions options, core::Bytes least);

private:
    // Context, batch, chunk, blocks of the pool, trace region; the rest never changes.
    using Key = std::tuple<std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t>;
    static Key key_of(const DeploymentOptions& options);
    bool smallest_fits(DeploymentOptions options);

    const Config& config_;
    const Precision& precision_;
    const fabric::Mesh& mesh_;
    std::map<Key, Verdict> known_;
    std::int64_t plans_ = 0;
};

/// Granularity of max_context: positions.
inline constexpr std::int64_t kContextStep = 128;

}  // namespace model

#include "model/planner.h"

#include <algorithm>
#include <bit>

namespace model {
namespace {

constexpr std::int64_t kSmallestChunk = 128;
constexpr std::int64_t kLargestChunk = 128 * 1024;  // MAX_PREFILL_CHUNK_SIZE tables end at 128k
constexpr int kGuesses = 8;                         // then halving alone
constexpr std::int64_t kTraceStep = 1'000'000;      // trace_region_size is written in megabytes

core::Bytes owned(const dispatch::MemoryPlan& plan, dispatch::Owner owner) {
    const auto found = plan.dram.live.find(owner);
    return found == plan.dram.live.end() ? core::Bytes{} : found->second;
}

// How many units more the free bytes hold when `bytes` are what `units` take now.
std::optional<std::int64_t> room_for(core::Bytes free, core::Bytes bytes, std::int64_t units) {
    const double each = static_cast<double>(bytes.value) / static_cast<double>(units);
    if (each <= 0) return std::nullopt;
    return static_cast<std::int64_t>(static_cast<double>(free.value) / each);
}

}  // namespace

std::int64_t largest_that_fits(std::int64_t most, std::int64_t start,
                               const std::function<Probe(std::int64_t)>& probe) {
    if (most < 1) return 0;
    if (probe(most).fits) return most;
    std::int64_t no = most;
    std::int64_t yes = std::clamp<std::int64_t>(start, 1, most);
    Probe last = probe(yes);
    if (!last.fits) {
        no = yes;
        yes = 1;
        if (no == 1 || !(last = probe(1)).fits) return 0;
    }
    std::int64_t back = 0;  // what a guess that did not fit was too far
    for (int tries = 0; no - yes > 1; ++tries) {
        std::int64_t next = yes + (no - yes) / 2;
        if (last.more && tries < kGuesses) {
            next = std::clamp(yes + *last.more - back, yes + 1, no - 1);
        }
        const Probe there = probe(next);
        if (there.fits) {
            yes = next;
            last = there;
            back = 0;
        } else {
            no = next;
            back = std::max<std::int64_t>(1, 2 * back);
        }
    }
    return yes;
}

Planner::Key Planner::key_of(const DeploymentOptions& options) {
    return {options.context, options.batch, options.prefill_chunk, options.max_num_blocks,
            options.device.trace_region_size.value};
}

void Planner::remember(const DeploymentOptions& options, const dispatch::MemoryPlan& plan) {
    using dispatch::Owner;
    known_[key_of(options)] = {plan.fits(), plan.dram.free, owned(plan, Owner::KvCache),
                               owned(plan, Owner::RopeTables)};
    ++plans_;
}

Verdict Planner::verdict(const DeploymentOptions& options) {
    const Key key = key_of(options);
    if (const auto found = known_.find(key); found != known_.end()) return found->second;
    Deployment deployment(config_, precision_, mesh_, options);
    remember(options, deployment.plan_memory(dispatch::Detail::Verdict));
    return known_.at(key);
}

// One plan that answers all searches with "none" when the weights alone are too much.
bool Planner::smallest_fits(DeploymentOptions options) {
    options.context = std::min(options.context, kContextStep);
    options.prefill_chunk = std::min(options.prefill_chunk, kSmallestChunk);
    options.batch = 1;
    return verdict(options).fits;
}

std::int64_t Planner::max_context(DeploymentOptions options) {
    const std::int64_t asked = options.context;
    if (!verdict(options).fits && !smallest_fits(options)) return 0;
    std::int64_t most = config_.max_position_embeddings;
    if (options.max_num_blocks > 0) {
        const std::int64_t columns = software_profile(options.software, config_, mesh_).is_2d()
                                         ? std::int64_t{mesh_.shape.cols}
                                         : std::int64_t{1};
        most = std::min(most, options.max_num_blocks / columns * options.block_size);
    }
    options.context = most;
    if (verdict(options).fits) return most;
    const bool pool = options.max_num_blocks > 0;
    return kContextStep *
           largest_that_fits(most / kContextStep, asked / kContextStep, [&](std::int64_t steps) {
               options.context = steps * kContextStep;
               const Verdict found = verdict(options);
               const core::Bytes grows =
                   found.rope_tables + (pool ? core::Bytes{} : found.kv_cache);
               return Probe{found.fits, room_for(found.free, grows, steps)};
           });
}

std::int64_t Planner::max_users(DeploymentOptions options, std::int64_t most) {
    if (!verdict(options).fits && !smallest_fits(options)) return 0;
    const std::int64_t slots = software_profile(options.software, config_, mesh_).slots;
    if (slots > 0) most = std::min(most, slots);
    if (options.max_num_blocks > 0) {
        const std::int64_t each = core::ceil_div(options.context, options.block_size);
        most = std::min(most, options.max_num_blocks / each);
    }
    return largest_that_fits(most, options.batch, [&](std::int64_t users) {
        options.batch = users;
        const Verdict found = verdict(options);
        return Probe{found.fits, room_for(found.free, found.kv_cache, users)};
    });
}

std::int64_t Planner::prefill_chunk(DeploymentOptions options) {
    if (!verdict(options).fits && !smallest_fits(options)) return 0;
    const auto log2 = [](std::int64_t n) {
        return static_cast<std::int64_t>(std::bit_width(static_cast<std::uint64_t>(n))) - 1;
    };
    // A chunk beyond the padded context is the whole context.
    const std::int64_t top = std::min(kLargestChunk, padded_prefill_length(options.context));
    const std::int64_t below = log2(kSmallestChunk) - 1;
    const std::int64_t start = log2(std::max(options.prefill_chunk, kSmallestChunk)) - below;
    const std::int64_t power =
        largest_that_fits(log2(top) - below, start, [&](std::int64_t exponent) {
            options.prefill_chunk = std::int64_t{1} << (exponent + below);
            return Probe{verdict(options).fits, std::nullopt};
        });
    return power == 0 ? 0 : std::int64_t{1} << (power + below);
}

std::optional<core::Bytes> Planner::trace_region(DeploymentOptions options, core::Bytes least) {
    // Counted down from what was asked: one step less, two steps less, ...
    const std::int64_t asked = options.device.trace_region_size.value;
    const std::int64_t steps = (asked - least.value) / kTraceStep;
    const auto fits = [&](std::int64_t less) {
        options.device.trace_region_size = core::Bytes{asked - less * kTraceStep};
        return verdict(options).fits;
    };
    if (steps < 1 || !fits(steps)) return std::nullopt;
    const std::int64_t most_kept = largest_that_fits(steps, 1, [&](std::int64_t n) {
        return Probe{fits(steps + 1 - n), std::nullopt};
    });
    return core::Bytes{asked - (steps + 1 - most_kept) * kTraceStep};
}

}  // namespace model

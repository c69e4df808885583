// The planner as tables of fit ask it: one model on one data-parallel group, a context that is the
// KV pool of all its users too, and a prefill chunk. Every answer is a memory plan that was made.
// These functions are the only place where the tables meet the planner and the split rules.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dispatch/memory_plan.h"
#include "model/validate.h"
#include "model/validate_models.h"

namespace model {

/// tt_transformers refuses a prefill chunk below 2048 (tenstorrent/tt-metal:
/// models/tt_transformers/ tt/generator.py, PR #34913); its table of chunks ends at 128k.
inline constexpr std::int64_t kSmallestPublishedChunk = 2048;
inline constexpr std::int64_t kLargestPublishedChunk = 128 * 1024;

struct Placing {
    KnownModel model;
    std::string device;  // as the table spells it
    fabric::Mesh mesh;   // of one data-parallel group
    std::int64_t groups = 1;
    std::int64_t users = 1;  // of this group
    std::string precision = "performance";
    core::Bytes trace_region;

    /// "QwQ-32B (Qwen2.5-32B-Instruct) on T3K, 32 users, performance".
    std::string text() const;
};

/// Why the heads (or anything else) do not divide; empty when they do.
std::vector<std::string> layout_reasons(const Placing& placing);
/// layout_reasons, and what tt_transformers refuses by name.
std::vector<std::string> split_reasons(const Placing& placing);
/// `context` positions per user, and as many tokens in the pool that all users share.
dispatch::MemoryPlan plan(const Placing& placing, std::int64_t context, std::int64_t chunk);
/// The largest power of two from 2048 to 128k, but not above the context, that fits; 0: none does.
std::int64_t largest_chunk(const Placing& placing, std::int64_t context);

/// "weights.lm_head: Out of Memory ...", or the clash; "free 308,964,096 B" when it fits.
std::string outcome_text(const dispatch::MemoryPlan& plan);

/// `ask` with what it throws for a bad or unsupported configuration as `unanswered`.
Answer guarded(const std::function<Answer()>& ask);

}  // namespace model

// What to change when a model does not fit: each suggestion is one change, spelled as a user types
// it, and was planned: it fits.
// Order: what costs nothing in quality first (chunk, trace region), then fewer positions or users,
// then narrower weights, then more chips.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/deployment.h"
#include "model/planner.h"
#include "model/systems.h"

namespace model {

struct Suggestion {
    enum class Kind { PrefillChunk, TraceRegion, Context, Batch, Precision, System };

    Kind kind = Kind::Context;
    std::string text;  // "--context 32768"
    core::Bytes free;  // of a chip, at the peak of that plan
    bool operator==(const Suggestion&) const = default;
};
/// "prefill_chunk", "trace_region", "context", "batch", "precision", "system".
std::string to_text(Suggestion::Kind kind);

/// What does not fit, and the smallest system that was found for it.
struct Question {
    const Config& config;
    const Precision& precision;
    const fabric::Mesh& mesh;
    const DeploymentOptions& options;
    const SmallestSystem* smallest = nullptr;  // where else it runs; null: nowhere was looked
};

/// What the searches found for it; 0: nothing.
struct Found {
    std::int64_t max_context = 0;
    std::int64_t max_batch = 0;
    std::int64_t prefill_chunk = 0;
};

/// Requires: `question` was planned and does not fit; `planner` plans the same model and mesh.
std::vector<Suggestion> suggest(const Question& question, const Found& found, Planner& planner);

/// The formats of `precision` with one tensor group narrower, gentlest first, as --precision takes
/// them: "precision_cfg = {ff1_3: bfp4, kv_cache: bfp8}". Groups that stay at bfp8, the default,
/// are left out. Where layers differ, what most of them have counts.
std::vector<std::string> narrower_precisions(const Precision& precision);

}  // namespace model

// What the verbs that run a model share: prompts of a file as token ids of every user, and the
// deployments and replicas of all data-parallel groups.
// Prompt files are those of tenstorrent/tt-metal models/tt_transformers/demo/sample_prompts: a JSON
// list of {prompt, context, max_length}, or of strings.
#pragma once

#include <tbb/global_control.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cli/options.h"
#include "cli/setup.h"
#include "core/error.h"
#include "model/chat_template.h"
#include "model/generate.h"
#include "model/tokenizer.h"

namespace cli {

using TokenRows = std::vector<std::vector<std::int32_t>>;

/// Keeps the host to so many threads while it lives; 0: all cores.
std::unique_ptr<tbb::global_control> limit_threads(int threads);

/// How a context comes before its prompt (simple_text_demo.py, load_inputs): Instruct puts it in a
/// block before the prompt, Plain continues the context and leaves the prompt away.
enum class ContextStyle { Instruct, Plain };

/// Throws core::Error: a context is a file, beside the prompt file or of its full path; nothing is
/// downloaded.
std::vector<std::string> read_prompts(const std::string& file, ContextStyle style);

/// Token ids of `users` users, to whom the texts are dealt cyclically. Throws core::Error when the
/// tokenizer gives no token or one beyond the vocabulary. `chat` puts them as turns of a user.
TokenRows encode_prompts(const std::vector<std::string>& texts, std::int64_t users,
                         const model::Tokenizer& tokenizer, const model::Config& config,
                         const std::string& model, const model::ChatTemplate* chat = nullptr);

std::int64_t longest(const TokenRows& prompts);
std::int64_t shortest(const TokenRows& prompts);
/// Keeps the last `keep` tokens of every prompt.
void clip_left(TokenRows& prompts, std::int64_t keep);
/// The assertion of tt_transformers' demo, as core::Error.
core::Error too_long(std::int64_t prompt, std::int64_t generated, std::int64_t context);

/// Deployments and replicas of all data-parallel groups.
struct Fleet {
    std::unique_ptr<model::WeightCache> cache;  // shared by the groups; null: none
    std::vector<std::unique_ptr<model::Deployment>> deployments;
    std::vector<std::unique_ptr<model::Replica>> replicas;

    const model::Deployment& first() const { return *deployments.front(); }
    std::int32_t chips() const;
    dispatch::MemoryPlan plan_memory() const { return deployments.front()->plan_memory(); }
    /// Of the values and times of all replicas.
    std::string digest() const;
};

struct FleetOptions {
    std::string weight_cache;  // its root folder; "off" or empty: none
    model::DeploymentOptions laid;
    model::Replica::Trace trace = model::Replica::Trace::On;
    std::int64_t prompt = 0;     // longest, tokens
    std::int64_t generated = 0;  // most, tokens
};

/// Throws NotPossible where heads do not split or memory runs short, core::Error where the pool of
/// blocks is too small for the users.
Fleet start_fleet(const World& world, const Setup& setup, const model::Checkpoint& checkpoint,
                  const FleetOptions& options);

}  // namespace cli

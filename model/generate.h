// Generation: prompts prefilled user by user, then all users decoded together, one token a step,
// on one or several data-parallel replicas.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/units.h"
#include "model/replica.h"
#include "model/sampling.h"

namespace model {

struct GenerateOptions {
    std::int64_t max_new_tokens = 200;
    SamplingParams sampling;
    /// A seed for each user, dealt cyclically; empty: sampling.seed, from which all users draw
    /// differently.
    std::vector<std::uint64_t> seeds;
    std::vector<std::int32_t> eos_token_ids;
    /// On: a prompt takes the whole blocks of its prefix from an earlier user's cache.
    enum class PrefixCaching { Off, On } prefix_caching = PrefixCaching::Off;
    /// Stay: every step is at the first position after the prompt.
    enum class Positions { Advance, Stay } positions = Positions::Advance;
    /// Log-probabilities of every token and of this many of the likeliest; nullopt: none.
    std::optional<std::int64_t> logprobs;
};

struct GenerateReport {
    std::vector<std::vector<std::int32_t>> token_ids;  // generated, per user, eos included
    std::vector<std::vector<TokenLogprobs>> logprobs;  // per user and token, when asked for
    core::Picoseconds time_to_first_token{};  // prefill time of all users / users, slowest replica
    core::Picoseconds decode_step{};          // mean over the steps, slowest replica
    std::int64_t decode_steps = 0;
    std::vector<core::Picoseconds> step_times;  // per decode step, slowest replica
    std::vector<std::int64_t> cached_tokens;    // per user: of its prompt, not computed again
    std::string shortage;                       // what did not fit; empty when all did

    double tokens_per_second_per_user() const;
};

/// Called for every new token with the user's index (over all replicas).
using OnToken = std::function<void(std::int64_t user, std::int32_t token)>;

/// `prompts`: token ids of every user; user u runs on replica u / users-per-replica.
/// Requires: prompts.size() is a multiple of the number of replicas, none is empty.
GenerateReport generate(std::span<const std::unique_ptr<Replica>> replicas,
                        const std::vector<std::vector<std::int32_t>>& prompts, std::int64_t slots,
                        const GenerateOptions& options, const OnToken& on_token);

}  // namespace model

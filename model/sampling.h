// How the next token is picked from logits: greedy, or temperature, top-k and top-p.
// Invariant: the same seed, user and logits give the same tokens on every machine; the draws are
// splitmix64 of a counter, not a standard-library distribution.
// Rule: penalties, softmax(logits / T), drop what is less likely than min_p times the likeliest,
// keep the k likeliest and renormalise, then drop where the cumulative probability minus the
// token's own exceeds top_p (so the first always stays), renormalise, draw. Source:
// tenstorrent/tt-metal models common sample_top_p; penalties and min_p: vllm-project/vllm
// vllm/model_executor/layers/utils.py apply_penalties, v1/sample; generator: Vigna's splitmix64.c.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

namespace model {

struct SamplingParams {
    double temperature = 0;  // 0: greedy
    double top_p = 1;        // 1: off
    int top_k = 0;           // 0: off
    std::uint64_t seed = 0;
    double min_p = 0;  // 0: off
    // Of tokens seen before: a positive logit is divided by the repetition penalty and a negative
    // one multiplied with it (prompt and output); presence and frequency (per occurrence) are
    // subtracted (output only).
    double repetition_penalty = 1;  // 1: off
    double presence_penalty = 0;
    double frequency_penalty = 0;
};

/// Throws core::Error when a number is out of range or not finite.
void check(const SamplingParams& params);

/// Picks the tokens of one user; one draw per token, none when greedy.
class Sampler {
public:
    /// Users of one seed draw differently. Throws core::Error as check().
    explicit Sampler(const SamplingParams& params, std::uint64_t user = 0);

    /// The tokens of the prompt, which the repetition penalty counts.
    void see_prompt(std::span<const std::int32_t> tokens);

    /// The next token id; among equal logits the lowest id counts first.
    /// Throws core::Error when `logits` is empty, holds NaN or +infinity, or only -infinity.
    int next(std::span<const float> logits);

private:
    struct Seen {
        std::int64_t in_output = 0;
    };

    int pick(std::span<const float> logits);
    std::span<const float> penalised(std::span<const float> logits);
    double draw();

    SamplingParams params_;
    std::map<std::int32_t, Seen> seen_;  // kept with penalties only
    std::vector<float> adjusted_;
    std::uint64_t key_ = 0;
    std::uint64_t draws_ = 0;
};

/// Log-probabilities of one generated token, of the model's own logits (before penalties and
/// temperature, as vLLM's default).
struct TokenLogprobs {
    float own = 0;                                    // of the token that was picked
    std::vector<std::pair<std::int32_t, float>> top;  // the likeliest, first ones first
};
/// Requires: 0 <= token < logits.size(), top >= 0.
TokenLogprobs logprobs(std::span<const float> logits, std::int32_t token, std::int64_t top);

}  // namespace model

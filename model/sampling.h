// How the next token is picked from logits: greedy, or temperature, top-k and top-p.
// Invariant: the same seed, user and logits give the same tokens on every machine; the draws are
// splitmix64 of a counter, not a standard-library distribution.
// Rule: softmax(logits / T), keep the k likeliest and renormalise, then drop where the cumulative
// probability minus the token's own exceeds top_p (so the first always stays), renormalise, draw.
// Source: tenstorrent/tt-metal models common sample_top_p; generator: Vigna's splitmix64.c.
#pragma once

#include <cstdint>
#include <span>

namespace model {

struct SamplingParams {
    double temperature = 0;  // 0: greedy
    double top_p = 1;        // 1: off
    int top_k = 0;           // 0: off
    std::uint64_t seed = 0;
};

/// Throws core::Error when a number is out of range or not finite.
void check(const SamplingParams& params);

/// Picks the tokens of one user; one draw per token, none when greedy.
class Sampler {
public:
    /// Users of one seed draw differently. Throws core::Error as check().
    explicit Sampler(const SamplingParams& params, std::uint64_t user = 0);

    /// The next token id; among equal logits the lowest id counts first.
    /// Throws core::Error when `logits` is empty, holds NaN or +infinity, or only -infinity.
    int next(std::span<const float> logits);

private:
    double draw();

    SamplingParams params_;
    std::uint64_t key_ = 0;
    std::uint64_t draws_ = 0;
};

}  // namespace model

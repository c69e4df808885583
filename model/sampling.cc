#include "model/sampling.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "core/error.h"

namespace model {

namespace {

using core::Error;

constexpr double kMaxTemperature = 100;
constexpr double kMaxPenalty = 2;  // presence and frequency, either sign, as vLLM checks
constexpr double kMaxRepetition = 100;
constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15ULL;

/// The output function of splitmix64: a bijection that scrambles all 64 bits.
std::uint64_t mix(std::uint64_t value) {
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
    return value ^ (value >> 31);
}

struct Candidate {
    double weight = 0;  // unnormalised probability
    int token = 0;
};

bool likelier(const Candidate& a, const Candidate& b) {
    return a.weight != b.weight ? a.weight > b.weight : a.token < b.token;
}

/// The first maximum; also checks every value.
int greedy(std::span<const float> logits) {
    if (logits.empty()) throw Error::mismatch("logits", "", "at least one value", "none");
    std::size_t best = 0;
    for (std::size_t i = 0; i < logits.size(); ++i) {
        if (std::isnan(logits[i]) || logits[i] == std::numeric_limits<float>::infinity()) {
            throw Error::mismatch("logits", "token " + std::to_string(i), "a number",
                                  std::isnan(logits[i]) ? "NaN" : "infinity")
                .hint("the weights or the number format overflow");
        }
        if (logits[i] > logits[best]) best = i;
    }
    if (std::isinf(logits[best])) {
        throw Error::mismatch("logits", "", "one finite value", "-infinity only");
    }
    return static_cast<int>(best);
}

/// Likeliest first: exp((logit - max) / T), at most `top_k` of them when top_k > 0.
std::vector<Candidate> ranked(std::span<const float> logits, double max, double temperature,
                              int top_k) {
    std::vector<Candidate> candidates(logits.size());
    for (std::size_t i = 0; i < logits.size(); ++i) {
        candidates[i] = {std::exp((static_cast<double>(logits[i]) - max) / temperature),
                         static_cast<int>(i)};
    }
    const auto kept = static_cast<std::size_t>(top_k);
    if (kept > 0 && kept < candidates.size()) {
        const auto cut = candidates.begin() + static_cast<std::ptrdiff_t>(kept);
        std::nth_element(candidates.begin(), cut, candidates.end(), likelier);
        candidates.resize(kept);
    }
    std::sort(candidates.begin(), candidates.end(), likelier);
    return candidates;
}

void drop_unlikely(std::vector<Candidate>& candidates, double min_p) {
    // Likeliest first, with weight 1.
    const double limit = min_p * candidates.front().weight;
    const auto end = std::find_if(candidates.begin(), candidates.end(),
                                  [limit](const Candidate& c) { return c.weight < limit; });
    candidates.erase(end, candidates.end());
}

double total(const std::vector<Candidate>& candidates) {
    double sum = 0;
    for (const Candidate& candidate : candidates) sum += candidate.weight;
    return sum;
}

void drop_tail(std::vector<Candidate>& candidates, double top_p) {
    const double limit = top_p * total(candidates);
    double before = 0;  // cumulative minus own
    std::size_t kept = 0;
    while (kept < candidates.size() && !(before > limit)) before += candidates[kept++].weight;
    candidates.resize(kept);
}

void check_number(const char* key, double value, double min, double max) {
    if (value >= min && value <= max) return;
    std::string expected = "a number from " + std::to_string(min) + " to " + std::to_string(max);
    throw Error::mismatch("sampling", key, expected, std::to_string(value));
}

}  // namespace

void check(const SamplingParams& params) {
    check_number("temperature", params.temperature, 0, kMaxTemperature);
    check_number("top_p", params.top_p, 0, 1);
    check_number("min_p", params.min_p, 0, 1);
    check_number("repetition_penalty", params.repetition_penalty, 1 / kMaxRepetition,
                 kMaxRepetition);
    check_number("presence_penalty", params.presence_penalty, -kMaxPenalty, kMaxPenalty);
    check_number("frequency_penalty", params.frequency_penalty, -kMaxPenalty, kMaxPenalty);
    if (params.top_k < 0) {
        throw Error::mismatch("sampling", "top_k", "0 (off) or more", std::to_string(params.top_k));
    }
}

Sampler::Sampler(const SamplingParams& params, std::uint64_t user) : params_(params) {
    check(params);
    key_ = mix(mix(params.seed + kGolden) + user * kGolden);
}

void Sampler::see_prompt(std::span<const std::int32_t> tokens) {
    if (params_.repetition_penalty == 1) return;
    for (const std::int32_t token : tokens) seen_.try_emplace(token);
}

int Sampler::next(std::span<const float> logits) {
    const int token = pick(penalised(logits));
    const bool counts = params_.repetition_penalty != 1 || params_.presence_penalty != 0 ||
                        params_.frequency_penalty != 0;
    if (counts) ++seen_[token].in_output;
    return token;
}

std::span<const float> Sampler::penalised(std::span<const float> logits) {
    if (seen_.empty()) return logits;
    adjusted_.assign(logits.begin(), logits.end());
    for (const auto& [token, seen] : seen_) {
        if (token < 0 || static_cast<std::size_t>(token) >= adjusted_.size()) continue;
        float& logit = adjusted_[static_cast<std::size_t>(token)];
        double value = logit;
        value = value > 0 ? value / params_.repetition_penalty : value * params_.repetition_penalty;
        if (seen.in_output > 0) {
            value -= params_.presence_penalty;
            value -= params_.frequency_penalty * static_cast<double>(seen.in_output);
        }
        logit = static_cast<float>(value);
    }
    return adjusted_;
}

int Sampler::pick(std::span<const float> logits) {
    const int best = greedy(logits);
    if (params_.temperature == 0) return best;
    const auto max = static_cast<double>(logits[static_cast<std::size_t>(best)]);
    std::vector<Candidate> candidates = ranked(logits, max, params_.temperature, params_.top_k);
    if (params_.min_p > 0) drop_unlikely(candidates, params_.min_p);
    if (params_.top_p < 1) drop_tail(candidates, params_.top_p);

    const double target = draw() * total(candidates);
    double reached = 0;
    for (const Candidate& candidate : candidates) {
        reached += candidate.weight;
        if (reached > target) return candidate.token;
    }
    // The same sum in the same order, and draw() < 1: only a rounding to 1 gets here.
    return candidates.front().token;
}

double Sampler::draw() {
    ++draws_;
    // 53 random bits: every multiple of 2^-53 in [0, 1).
    return static_cast<double>(mix(key_ + draws_ * kGolden) >> 11) * 0x1p-53;
}

TokenLogprobs logprobs(std::span<const float> logits, std::int32_t token, std::int64_t top) {
    core::require(token >= 0 && static_cast<std::size_t>(token) < logits.size() && top >= 0,
                  "a token of the vocabulary has a log-probability");
    const double max = *std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - max);
    const double norm = max + std::log(sum);
    const auto of = [&](std::size_t id) {
        return static_cast<float>(static_cast<double>(logits[id]) - norm);
    };
    TokenLogprobs result;
    result.own = of(static_cast<std::size_t>(token));
    std::vector<std::int32_t> ids(logits.size());
    std::iota(ids.begin(), ids.end(), 0);
    const auto kept = std::min(ids.size(), static_cast<std::size_t>(top));
    std::partial_sort(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(kept), ids.end(),
                      [&](std::int32_t a, std::int32_t b) {
                          const float x = logits[static_cast<std::size_t>(a)];
                          const float y = logits[static_cast<std::size_t>(b)];
                          return x != y ? x > y : a < b;
                      });
    for (std::size_t i = 0; i < kept; ++i) {
        result.top.emplace_back(ids[i], of(static_cast<std::size_t>(ids[i])));
    }
    return result;
}

}  // namespace model

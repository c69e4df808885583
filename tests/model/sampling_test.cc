#include "model/sampling.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "core/error.h"
#include "tests/core/temp_folder.h"

namespace {

using core::Error;
using model::Sampler;
using model::SamplingParams;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<int> draw(const SamplingParams& params, const std::vector<float>& logits, int count,
                      std::uint64_t user = 0) {
    Sampler sampler(params, user);
    std::vector<int> tokens;
    for (int i = 0; i < count; ++i) tokens.push_back(sampler.next(logits));
    return tokens;
}

std::set<int> support(const SamplingParams& params, const std::vector<float>& logits) {
    const std::vector<int> tokens = draw(params, logits, 2000);
    return {tokens.begin(), tokens.end()};
}

TEST(Sampler, greedy_takes_the_first_maximum) {
    // Equal logits happen in bf16; every reader of the logits must break the tie alike.
    EXPECT_EQ(draw({}, {1.0f, 3.0f, 3.0f, -kInfinity}, 2), (std::vector<int>{1, 1}));
    EXPECT_EQ(draw({}, {-5.0f}, 1), std::vector<int>{0});
}

TEST(Sampler, frequencies_follow_softmax_at_the_temperature) {
    // 20,000 draws: four standard deviations of a share p are 4 sqrt(p (1-p) / n) <= 0.0142.
    const std::vector<float> logits{1.0f, 0.0f, 2.0f, -1.0f};
    for (const double temperature : {0.5, 1.0, 2.0}) {
        std::array<double, 4> expected{};
        double sum = 0;
        for (std::size_t i = 0; i < 4; ++i) {
            sum += expected[i] = std::exp(static_cast<double>(logits[i]) / temperature);
        }
        std::array<double, 4> seen{};
        for (const int token : draw({.temperature = temperature, .seed = 3}, logits, 20'000)) {
            seen[static_cast<std::size_t>(token)] += 1.0 / 20'000;
        }
        for (std::size_t i = 0; i < 4; ++i) {
            EXPECT_NEAR(seen[i], expected[i] / sum, 0.0142) << temperature << " " << i;
        }
    }
}

TEST(Sampler, top_k_keeps_the_k_likeliest) {
    // Among equals the lower ids stay.
    const std::vector<float> logits{0.0f, 0.5f, 0.0f, 0.5f, 0.0f};
    EXPECT_EQ(support({.temperature = 1, .top_k = 3}, logits), (std::set<int>{0, 1, 3}));
    EXPECT_EQ(support({.temperature = 1, .top_k = 1}, logits), (std::set<int>{1}));
    EXPECT_EQ(support({.temperature = 1, .top_k = 99}, logits).size(), 5u);
    EXPECT_EQ(support({.temperature = 1, .top_k = 0}, logits).size(), 5u);
}

TEST(Sampler, top_p_drops_where_the_sum_before_exceeds_it) {
    // Four equal tokens: before the third stands exactly 0.5, which does not exceed 0.5.
    const std::vector<float> logits(4, 1.0f);
    EXPECT_EQ(support({.temperature = 1, .top_p = 0.5}, logits), (std::set<int>{0, 1, 2}));
    EXPECT_EQ(support({.temperature = 1, .top_p = 0.49}, logits), (std::set<int>{0, 1}));
    EXPECT_EQ(support({.temperature = 1, .top_p = 0}, logits), (std::set<int>{0}));
}

TEST(Sampler, top_p_counts_in_what_top_k_left) {
    // Of four equal tokens k = 2 leaves two of 0.5 each; p = 0.4 then drops the second.
    const std::vector<float> logits(4, 1.0f);
    EXPECT_EQ(support({.temperature = 1, .top_p = 0.4, .top_k = 2}, logits), (std::set<int>{0}));
    EXPECT_EQ(support({.temperature = 1, .top_p = 0.4}, logits), (std::set<int>{0, 1}));
}

TEST(Sampler, the_same_seed_gives_the_same_tokens_everywhere) {
    // With 1000 equal logits a draw u in [0, 1) picks floor(1000 u). The eight numbers were worked
    // out apart from this code, by splitmix64 in Python's unbounded integers.
    const std::vector<float> logits(1000, 0.0f);
    const SamplingParams params{.temperature = 1, .seed = 42};
    EXPECT_EQ(draw(params, logits, 8), draw(params, logits, 8));
    EXPECT_EQ(draw(params, logits, 8), (std::vector<int>{772, 381, 705, 601, 17, 905, 521, 175}));
    EXPECT_NE(draw(params, logits, 8), draw({.temperature = 1, .seed = 43}, logits, 8));
    EXPECT_NE(draw(params, logits, 8), draw(params, logits, 8, 1));
}

TEST(Sampler, users_draw_independently_of_each_other) {
    // A batch of 32 with one seed must not repeat one user's text: 2 of 1000 chance hits each.
    const std::vector<float> logits(1000, 0.0f);
    const SamplingParams params{.temperature = 1, .seed = 1};
    std::set<std::vector<int>> different;
    for (std::uint64_t user = 0; user < 32; ++user) different.insert(draw(params, logits, 4, user));
    EXPECT_EQ(different.size(), 32u);
}

TEST(Sampler, masked_tokens_are_never_drawn) {
    // -infinity is how a mask says "not this one".
    EXPECT_EQ(support({.temperature = 100}, {-kInfinity, 0.0f, -kInfinity, 1.0f}),
              (std::set<int>{1, 3}));
}

TEST(Sampler, extreme_temperatures_stay_finite) {
    // exp(logit / T) itself overflows; the maximum is subtracted first.
    EXPECT_EQ(support({.temperature = 1e-300}, {3e38f, -3e38f, 2e38f}), (std::set<int>{0}));
    EXPECT_EQ(support({.temperature = 100}, {1000.0f, 999.0f}).size(), 2u);
}

TEST(Sampler, unusable_logits_are_errors) {
    // A NaN would otherwise make token 0 win every time.
    Sampler sampler(SamplingParams{});
    const auto next = [&](std::vector<float> logits) {
        return message_of<Error>([&] { sampler.next(logits); });
    };
    EXPECT_PRED2(contains, next({0.0f, std::nanf("")}), "token 1: expected a number, got NaN");
    EXPECT_PRED2(contains, next({kInfinity}), "token 0: expected a number, got infinity");
    EXPECT_PRED2(contains, next({-kInfinity, -kInfinity}), "got -infinity only");
    EXPECT_PRED2(contains, next({}), "expected at least one value, got none");
}

TEST(SamplingParams, values_out_of_range_are_errors) {
    // They come from the command line and from HTTP requests.
    const double nan = std::nan("");
    for (const double bad : {-0.1, 101.0, nan, HUGE_VAL}) {
        EXPECT_PRED2(contains, message_of<Error>([&] { model::check({.temperature = bad}); }),
                     "sampling: temperature: expected a number from 0")
            << bad;
    }
    for (const double bad : {-0.1, 1.1, nan}) {
        EXPECT_PRED2(contains, message_of<Error>([&] { Sampler({.top_p = bad}); }),
                     "sampling: top_p: expected a number from 0")
            << bad;
    }
    EXPECT_PRED2(contains, message_of<Error>([] { model::check({.top_k = -1}); }),
                 "sampling: top_k: expected 0 (off) or more, got -1");
}

TEST(Sampler, min_p_keeps_what_is_near_the_likeliest) {
    // Probabilities 8 : 4 : 2 : 1; half and a quarter of the likeliest stay, an eighth goes.
    const std::vector<float> logits{std::log(8.0f), std::log(4.0f), std::log(2.0f), 0.0f};
    EXPECT_EQ(support({.temperature = 1, .min_p = 0.2}, logits), (std::set<int>{0, 1, 2}));
    EXPECT_EQ(support({.temperature = 1, .min_p = 1}, logits), std::set<int>{0});
    EXPECT_EQ(support({.temperature = 1, .min_p = 0}, logits).size(), 4U);
}

TEST(Sampler, presence_is_subtracted_once_and_frequency_each_time) {
    // Greedy from {1.0, 0.4}: presence 0.5 makes the first fall behind once it was taken.
    EXPECT_EQ(draw({.presence_penalty = 0.5}, {1.0f, 0.4f}, 4), (std::vector<int>{0, 0, 0, 0}));
    EXPECT_EQ(draw({.presence_penalty = 0.7}, {1.0f, 0.4f}, 4), (std::vector<int>{0, 1, 0, 0}));
    EXPECT_EQ(draw({.frequency_penalty = 0.5}, {1.0f, 0.4f}, 5), (std::vector<int>{0, 0, 1, 0, 1}));
}

TEST(Sampler, repetition_counts_the_prompt_and_pushes_either_sign_down) {
    Sampler sampler({.repetition_penalty = 2});
    sampler.see_prompt(std::vector<std::int32_t>{0, 99});
    EXPECT_EQ(sampler.next(std::vector<float>{1.0f, 0.6f}), 1);           // 0.5 against 0.6
    EXPECT_EQ(sampler.next(std::vector<float>{-1.0f, -1.5f, -2.5f}), 0);  // -2, -3, -2.5
}

TEST(Sampler, logprobs_are_of_the_logits_themselves) {
    const std::vector<float> logits{std::log(2.0f), std::log(5.0f), std::log(3.0f)};
    const model::TokenLogprobs found = model::logprobs(logits, 2, 2);
    EXPECT_NEAR(found.own, std::log(0.3), 1e-6);
    ASSERT_EQ(found.top.size(), 2U);
    EXPECT_EQ(found.top[0].first, 1);
    EXPECT_NEAR(found.top[0].second, std::log(0.5), 1e-6);
    EXPECT_EQ(found.top[1].first, 2);
    EXPECT_EQ(model::logprobs(logits, 0, 10).top.size(), 3U);
}

TEST(Sampler, penalties_out_of_range_are_named) {
    for (const SamplingParams& bad :
         {SamplingParams{.min_p = 1.5}, SamplingParams{.repetition_penalty = 0},
          SamplingParams{.presence_penalty = 3}, SamplingParams{.frequency_penalty = -2.5}}) {
        EXPECT_THROW(model::check(bad), Error);
    }
}

}  // namespace

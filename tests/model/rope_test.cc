#include "model/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "tests/model/model_fixture.h"

namespace model::testing {
namespace {

/// Heads of 32 with the usual theta.
Config small_config() {
    Config config;
    config.head_dim = 32;
    config.max_position_embeddings = 512;
    config.rope_theta = 10000;
    return config;
}

TEST(RopeFrequencies, fall_from_one_by_powers_of_theta) {
    // 1 / theta^(2i / head_dim), head_dim / 2 of them.
    const std::vector<double> frequencies = rope_table(small_config(), 1024).frequencies;
    ASSERT_EQ(frequencies.size(), 16u);
    EXPECT_DOUBLE_EQ(frequencies[0], 1.0);
    EXPECT_DOUBLE_EQ(frequencies[8], 0.01);
    EXPECT_NEAR(frequencies[15], std::pow(10000.0, -30.0 / 32.0), 1e-15);
}

TEST(RopeFrequencies, linear_scaling_divides_them_all) {
    // Positions are squeezed by the factor.
    Config config = small_config();
    config.rope_scaling.kind = RopeKind::Linear;
    config.rope_scaling.factor = 4;
    EXPECT_DOUBLE_EQ(rope_table(config, 1024).frequencies[0], 0.25);
    EXPECT_DOUBLE_EQ(rope_table(config, 1024).frequencies[8], 0.0025);
}

TEST(RopeFrequencies, llama3_keeps_short_waves_and_divides_long_ones) {
    // Llama-3.1: factor 8, bands at 8192 / 4 and 8192 / 1 positions, a blend between them.
    Config config = llama(kLlama8B);
    const std::vector<double> plain = rope_table(config, 1024).frequencies;
    config.rope_scaling = {.kind = RopeKind::Llama3,
                           .factor = 8,
                           .low_freq_factor = 1,
                           .high_freq_factor = 4,
                           .original_max_position_embeddings = 8192,
                           .attention_factor = {},
                           .short_factor = {},
                           .long_factor = {}};
    const std::vector<double> scaled = rope_table(config, 1024).frequencies;
    int kept = 0;
    int blended = 0;
    int divided = 0;
    for (std::size_t i = 0; i < plain.size(); ++i) {
        const double wavelength = 2 * M_PI / plain[i];
        if (wavelength < 2048) {
            EXPECT_DOUBLE_EQ(scaled[i], plain[i]);
            ++kept;
        } else if (wavelength > 8192) {
            EXPECT_DOUBLE_EQ(scaled[i], plain[i] / 8);
            ++divided;
        } else {
            const double smooth = (8192 / wavelength - 1) / 3;
            EXPECT_NEAR(scaled[i], (1 - smooth) * plain[i] / 8 + smooth * plain[i], 1e-15);
            ++blended;
        }
    }
    EXPECT_EQ(kept, 29);
    EXPECT_EQ(blended, 6);
    EXPECT_EQ(divided, 29);
}

TEST(RopeFrequencies, a_scaling_that_cannot_run_is_refused) {
    // Wrong angles would only show as bad text.
    Config config = small_config();
    config.rope_scaling.kind = RopeKind::Proportional;
    const std::string text = error_text([&] { rope_table(config, 1024); });
    EXPECT_NE(text.find("rope_scaling.rope_type"), text.npos) << text;
    EXPECT_NE(text.find("proportional"), text.npos) << text;
}

TEST(RopeTable, yarn_keeps_fast_pairs_divides_slow_ones_and_scales_cos_and_sin) {
    // Original length 128, factor 4: by the published formula pairs turn 32 times below index -2
    // and once at index 5.2, so the ramp runs from 0 to 6.
    Config config = small_config();
    const std::vector<double> plain = rope_table(config, 512).frequencies;
    config.rope_scaling.kind = RopeKind::Yarn;
    config.rope_scaling.factor = 4;
    config.rope_scaling.original_max_position_embeddings = 128;
    const RopeTable table = rope_table(config, 512);
    EXPECT_DOUBLE_EQ(table.frequencies[0], plain[0]);
    EXPECT_NEAR(table.frequencies[3], plain[3] * (0.5 + 0.5 / 4), 1e-15);
    EXPECT_DOUBLE_EQ(table.frequencies[6], plain[6] / 4);
    EXPECT_DOUBLE_EQ(table.frequencies[15], plain[15] / 4);
    EXPECT_DOUBLE_EQ(table.scale, 0.1 * std::log(4.0) + 1.0);
    config.rope_scaling.attention_factor = 1.25;
    EXPECT_DOUBLE_EQ(rope_table(config, 512).scale, 1.25);
}

TEST(RopeTable, longrope_takes_its_long_factors_beyond_the_original_context) {
    // The choice is the run's longest context, not the position.
    Config config = small_config();
    config.rope_scaling.kind = RopeKind::LongRope;
    config.rope_scaling.original_max_position_embeddings = 64;
    config.rope_scaling.short_factor.assign(16, 1.0);
    config.rope_scaling.long_factor.assign(16, 2.0);
    EXPECT_DOUBLE_EQ(rope_table(config, 64).frequencies[0], 1.0);
    EXPECT_DOUBLE_EQ(rope_table(config, 65).frequencies[0], 0.5);
    EXPECT_DOUBLE_EQ(rope_table(config, 65).scale, std::sqrt(1.0 + std::log(8.0) / std::log(64.0)));
}

TEST(RopeTable, yarn_may_keep_fractions_of_pairs_and_weigh_its_attention_factor) {
    // modeling_rope_utils.py: "truncate", and get_mscale(factor, mscale) / get_mscale(factor,
    // mscale_all_dim) where both are given.
    Config config = small_config();
    config.rope_scaling.kind = RopeKind::Yarn;
    config.rope_scaling.factor = 4;
    config.rope_scaling.original_max_position_embeddings = 64;
    const RopeTable whole = rope_table(config, 512);
    config.rope_scaling.truncate = false;
    config.rope_scaling.mscale = 0.5;
    config.rope_scaling.mscale_all_dim = 2;
    const RopeTable table = rope_table(config, 512);
    EXPECT_DOUBLE_EQ(table.scale, (0.05 * std::log(4.0) + 1) / (0.2 * std::log(4.0) + 1));
    const auto dims = 2.0 * static_cast<double>(table.frequencies.size());
    const auto pair_of = [&](double rotations) {
        return dims * std::log(64 / (rotations * 2 * std::numbers::pi)) /
               (2 * std::log(config.rope_theta));
    };
    const double low = std::max(pair_of(32), 0.0);
    const double high = pair_of(1);
    int between = 0;
    for (std::size_t i = 0; i < table.frequencies.size(); ++i) {
        const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
        const double plain = std::pow(config.rope_theta, -2.0 * static_cast<double>(i) / dims);
        EXPECT_NEAR(table.frequencies[i], plain * (1 - ramp) + plain / 4 * ramp, 1e-12);
        if (std::abs(table.frequencies[i] - whole.frequencies[i]) > 1e-6) ++between;
    }
    EXPECT_GT(between, 0);
}

TEST(RopeTable, a_run_within_the_original_context_keeps_the_short_factors) {
    // Buffers are rounded up to tiles; positions that are never reached do not count.
    Config config = small_config();
    EXPECT_EQ(context_of_run(config, 1024, 40), 1024);
    config.rope_scaling.kind = RopeKind::LongRope;
    config.rope_scaling.original_max_position_embeddings = 48;
    EXPECT_EQ(context_of_run(config, 64, 40), 48);
    EXPECT_EQ(context_of_run(config, 64, 48), 48);
    EXPECT_EQ(context_of_run(config, 64, 49), 64);
    EXPECT_EQ(context_of_run(config, 32, 20), 32);
}

TEST(RopeTable, a_part_of_the_head_turns_where_the_config_says_so) {
    // Half of 32 channels: 8 pairs, with exponents over the turning channels alone.
    Config config = small_config();
    config.partial_rotary_factor = 0.5;
    const std::vector<double> frequencies = rope_table(config, 512).frequencies;
    ASSERT_EQ(frequencies.size(), 8u);
    EXPECT_DOUBLE_EQ(frequencies[4], 0.01);
}

}  // namespace
}  // namespace model::testing

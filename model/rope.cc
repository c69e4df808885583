#include "model/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.h"

namespace model {
namespace {

constexpr double kTurn = 2.0 * std::numbers::pi;

void scale_llama3(const RopeScaling& scaling, std::vector<double>& frequencies) {
    const auto original = static_cast<double>(scaling.original_max_position_embeddings);
    for (double& frequency : frequencies) {
        const double wavelength = kTurn / frequency;
        if (wavelength > original / scaling.low_freq_factor) {
            frequency /= scaling.factor;
        } else if (wavelength >= original / scaling.high_freq_factor) {
            const double smooth = (original / wavelength - scaling.low_freq_factor) /
                                  (scaling.high_freq_factor - scaling.low_freq_factor);
            frequency = (1.0 - smooth) * frequency / scaling.factor + smooth * frequency;
        }
    }
}

double yarn_attention(const RopeScaling& scaling) {
    const auto grown = [&](double mscale) {
        return scaling.factor > 1 ? 0.1 * mscale * std::log(scaling.factor) + 1.0 : 1.0;
    };
    if (scaling.attention_factor) return *scaling.attention_factor;
    const bool both = scaling.mscale > 0 && scaling.mscale_all_dim > 0;
    return both ? grown(scaling.mscale) / grown(scaling.mscale_all_dim) : grown(1);
}

// Fast pairs keep their frequency, slow ones are divided, those between are blended.
double scale_yarn(const RopeScaling& scaling, double theta, std::vector<double>& frequencies) {
    const auto dims = 2.0 * static_cast<double>(frequencies.size());
    const auto original = static_cast<double>(scaling.original_max_position_embeddings);
    const auto pair_of = [&](double rotations) {
        return dims * std::log(original / (rotations * kTurn)) / (2.0 * std::log(theta));
    };
    double low = pair_of(scaling.beta_fast);
    double high = pair_of(scaling.beta_slow);
    if (scaling.truncate) {
        low = std::floor(low);
        high = std::ceil(high);
    }
    low = std::max(low, 0.0);
    high = std::min(high, dims - 1.0);
    if (low == high) high += 0.001;
    for (std::size_t i = 0; i < frequencies.size(); ++i) {
        const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
        frequencies[i] = frequencies[i] / scaling.factor * ramp + frequencies[i] * (1.0 - ramp);
    }
    return yarn_attention(scaling);
}

double scale_longrope(const Config& config, std::int64_t context,
                      std::vector<double>& frequencies) {
    const RopeScaling& scaling = config.rope_scaling;
    const bool is_long = context > scaling.original_max_position_embeddings;
    const std::vector<double>& factors = is_long ? scaling.long_factor : scaling.short_factor;
    core::require(factors.size() == frequencies.size(), "longrope has a factor per pair");
    for (std::size_t i = 0; i < frequencies.size(); ++i) frequencies[i] /= factors[i];
    const auto original = static_cast<double>(scaling.original_max_position_embeddings);
    // Where the config does not say how far it was trained, "factor" is how far it is stretched.
    const double factor = config.max_position_embeddings == scaling.original_max_position_embeddings
                              ? scaling.factor
                              : static_cast<double>(config.max_position_embeddings) / original;
    return scaling.attention_factor.value_or(
        factor > 1 ? std::sqrt(1.0 + std::log(factor) / std::log(original)) : 1.0);
}

}  // namespace

RopeTable rope_table(const Config& config, std::int64_t context) {
    RopeTable table;
    const auto dims = static_cast<std::int64_t>(static_cast<double>(config.head_dim) *
                                                config.partial_rotary_factor);
    for (std::int64_t i = 0; i < dims; i += 2) {
        const double exponent = static_cast<double>(i) / static_cast<double>(dims);
        table.frequencies.push_back(1.0 / std::pow(config.rope_theta, exponent));
    }
    const RopeScaling& scaling = config.rope_scaling;
    switch (scaling.kind) {
        case RopeKind::None:
            break;
        case RopeKind::Linear:
            for (double& frequency : table.frequencies) frequency /= scaling.factor;
            break;
        case RopeKind::Llama3:
            scale_llama3(scaling, table.frequencies);
            break;
        case RopeKind::Yarn:
            table.scale = scale_yarn(scaling, config.rope_theta, table.frequencies);
            break;
        case RopeKind::LongRope:
            table.scale = scale_longrope(config, context, table.frequencies);
            break;
        case RopeKind::Proportional:
            throw core::Error::mismatch("config.json", "rope_scaling.rope_type",
                                        "default, linear, llama3, yarn or longrope",
                                        std::string(name(scaling.kind)));
    }
    return table;
}

std::int64_t context_of_run(const Config& config, std::int64_t wanted, std::int64_t needed) {
    const RopeScaling& scaling = config.rope_scaling;
    const std::int64_t original = scaling.original_max_position_embeddings;
    const bool short_factors = scaling.kind == RopeKind::LongRope && needed <= original;
    return short_factors ? std::min(wanted, original) : wanted;
}

}  // namespace model

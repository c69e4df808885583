// Rotary positions of a config.json: base frequency, stretching, and the part of a head that turns.
// Invariant: an even number of values turns, and factors are as many as pairs.
// Rules: huggingface/transformers: src/transformers/modeling_rope_utils.py.
#include <array>

#include "core/error.h"
#include "model/config_reader.h"

namespace model {

namespace {

struct RopeRow {
    RopeKind kind;
    std::string_view name;
};
// The first row of a kind is its name; the others are older spellings.
constexpr std::array kRopes{
    RopeRow{RopeKind::None, "none"},     RopeRow{RopeKind::None, "default"},
    RopeRow{RopeKind::Linear, "linear"}, RopeRow{RopeKind::Llama3, "llama3"},
    RopeRow{RopeKind::Yarn, "yarn"},     RopeRow{RopeKind::LongRope, "longrope"},
    RopeRow{RopeKind::LongRope, "su"},   RopeRow{RopeKind::Proportional, "proportional"},
};

}  // namespace

std::string_view name(RopeKind kind) {
    for (const RopeRow& row : kRopes) {
        if (row.kind == kind) return row.name;
    }
    core::require(false, "every RopeKind has a row");
    return {};
}

namespace config_reader {

namespace {

using core::Error;
using core::JsonObject;

RopeKind read_rope_kind(const JsonObject& rope) {
    // transformers renamed "type" to "rope_type"; both are in the wild.
    const std::string_view key = rope.has("rope_type") ? "rope_type" : "type";
    const std::string found = rope.text(key);
    for (const RopeRow& row : kRopes) {
        if (row.name == found) return row.kind;
    }
    throw rope.unexpected(key, "one of " + known(kRopes));
}

std::vector<double> read_factors(const JsonObject& rope, std::string_view key,
                                 const Config& config) {
    const std::int64_t count = rotary_dims(config) / 2;
    const nlohmann::json& list = rope.array(key);
    if (static_cast<std::int64_t>(list.size()) != count) {
        throw rope.unexpected(key, std::to_string(count) + (config.partial_rotary_factor == 1
                                                                ? " entries (head_dim / 2)"
                                                                : " entries (rotary dims / 2)"));
    }
    std::vector<double> factors;
    for (const nlohmann::json& entry : list) {
        const double value = entry.is_number() ? entry.get<double>() : 0;
        if (!(value > 0 && value <= kMaxFactor)) {
            throw Error::mismatch(rope.where(), rope.path_of(key), "numbers above 0",
                                  core::describe(entry));
        }
        factors.push_back(value);
    }
    return factors;
}

void read_llama3(const JsonObject& rope, RopeScaling& scaling) {
    scaling.low_freq_factor = rope.number("low_freq_factor", 1e-6, kMaxFactor);
    scaling.high_freq_factor = rope.number("high_freq_factor", 1e-6, kMaxFactor);
    // The blend between the two divides by their difference.
    if (scaling.high_freq_factor <= scaling.low_freq_factor) {
        throw rope.unexpected("high_freq_factor", "a number above low_freq_factor (" +
                                                      rope.find("low_freq_factor")->dump() + ")");
    }
}

void read_yarn(const JsonObject& rope, RopeScaling& scaling) {
    scaling.beta_fast = rope.optional_number("beta_fast", 1e-6, kMaxFactor).value_or(32);
    scaling.beta_slow = rope.optional_number("beta_slow", 1e-6, kMaxFactor).value_or(1);
    scaling.mscale = rope.optional_number("mscale", 0, kMaxFactor).value_or(0);
    scaling.mscale_all_dim = rope.optional_number("mscale_all_dim", 0, kMaxFactor).value_or(0);
    scaling.truncate = rope.optional_boolean("truncate").value_or(true);
}

/// Positions before stretching. Phi-3 keeps them beside rope_scaling, the others inside; Llama 3
/// must say them, of the others a longer context than the trained one would.
std::int64_t read_original(const JsonObject& rope, const JsonObject& text, const Config& config,
                           RopeKind kind) {
    constexpr std::string_view kKey = "original_max_position_embeddings";
    const JsonObject& holder = !rope.has(kKey) && text.has(kKey) ? text : rope;
    if (kind == RopeKind::Llama3 || holder.has(kKey)) {
        return holder.integer(kKey, 1, kMaxPositions);
    }
    // configuration_phi3.py.
    return config.architecture == Architecture::Phi3 ? 4096 : config.max_position_embeddings;
}

bool has_optional_factor(RopeKind kind) {
    return kind == RopeKind::LongRope || kind == RopeKind::Proportional;
}

RopeScaling read_scaling(const JsonObject& rope, const JsonObject& text, const Config& config) {
    RopeScaling scaling;
    scaling.kind = read_rope_kind(rope);
    if (scaling.kind == RopeKind::None) return scaling;
    scaling.factor = has_optional_factor(scaling.kind)
                         ? rope.optional_number("factor", 1, kMaxFactor).value_or(1)
                         : rope.number("factor", 1, kMaxFactor);
    if (scaling.kind == RopeKind::LongRope) {
        scaling.short_factor = read_factors(rope, "short_factor", config);
        scaling.long_factor = read_factors(rope, "long_factor", config);
    }
    if (scaling.kind == RopeKind::Linear || scaling.kind == RopeKind::Proportional) {
        return scaling;
    }
    scaling.original_max_position_embeddings = read_original(rope, text, config, scaling.kind);
    if (scaling.kind == RopeKind::Llama3) {
        read_llama3(rope, scaling);
        return scaling;
    }
    if (scaling.kind == RopeKind::Yarn) read_yarn(rope, scaling);
    scaling.attention_factor = rope.optional_number("attention_factor", 1e-6, kMaxFactor);
    return scaling;
}

double read_theta(const JsonObject& holder, std::string_view key, double fallback) {
    return holder.optional_number(key, 1, kMaxTheta).value_or(fallback);
}

/// Two forms: one rope with its local base beside it, or one rope per type of layer.
void read_local_theta(const JsonObject& text, const std::optional<JsonObject>& by_type,
                      const Traits& traits, Config& config) {
    if (traits.local_theta == 0) return;
    const auto local = by_type ? by_type->optional_object("sliding_attention") : std::nullopt;
    config.local_rope_theta = local ? read_theta(*local, "rope_theta", traits.local_theta)
                                    : read_theta(text, "rope_local_base_freq", traits.local_theta);
}

void read_partial(const JsonObject& holder, const Traits& traits, Config& config) {
    constexpr std::string_view kKey = "partial_rotary_factor";
    config.partial_rotary_factor =
        holder.optional_number(kKey, 1e-6, 1).value_or(traits.partial_rotary);
    const std::int64_t dims = rotary_dims(config);
    if (dims < 2 || dims % 2 != 0) {
        throw holder.unexpected(kKey, "an even part of head_dim (" +
                                          std::to_string(config.head_dim) +
                                          "), as rotary positions turn pairs");
    }
}

}  // namespace

std::int64_t rotary_dims(const Config& config) {
    return static_cast<std::int64_t>(static_cast<double>(config.head_dim) *
                                     config.partial_rotary_factor);
}

void read_rope(const JsonObject& text, const Traits& traits, Config& config) {
    // transformers 5 moved both the scaling and rope_theta into rope_parameters.
    const std::string_view key = text.has("rope_parameters") ? "rope_parameters" : "rope_scaling";
    std::optional<JsonObject> rope = text.optional_object(key);
    std::optional<JsonObject> by_type;
    if (rope && rope->has("full_attention")) {
        by_type = rope;
        rope = by_type->object("full_attention");
    }
    const auto holder = [&](std::string_view field) -> const JsonObject& {
        return rope && rope->has(field) ? *rope : text;
    };
    config.rope_theta = read_theta(holder("rope_theta"), "rope_theta", traits.theta);
    read_partial(holder("partial_rotary_factor"), traits, config);
    if (rope) config.rope_scaling = read_scaling(*rope, text, config);
    read_local_theta(text, by_type, traits, config);
}

}  // namespace config_reader

}  // namespace model

// The attention of every layer of a config.json: which kind, how many heads, how wide.
// Invariant: kv heads divide heads, widths are even and heads x width is at most kMaxDim; a layer
// is Sliding only if its window is shorter than the context. Windows count tokens.
// Rules: huggingface/transformers: src/transformers/models/<model>/configuration_<model>.py.
#include <algorithm>

#include "core/error.h"
#include "model/config_reader.h"

namespace model::config_reader {

namespace {

using core::Error;
using core::JsonObject;
using Attention = LayerConfig::Attention;

constexpr std::string_view kWindow = "sliding_window";

void check_divides(const JsonObject& text, std::string_view key, std::int64_t kv_heads,
                   std::int64_t heads) {
    if (heads % kv_heads == 0) return;
    throw text.unexpected(key, "a divisor of num_attention_heads (" + std::to_string(heads) + ")");
}

void check_width(const JsonObject& text, std::string_view key, std::int64_t heads,
                 std::int64_t head_dim) {
    if (head_dim % 2 != 0) {
        throw Error::mismatch(text.where(), text.path_of(key),
                              "an even number (rotary positions turn pairs)",
                              std::to_string(head_dim));
    }
    if (heads * head_dim > kMaxDim) {
        throw Error::mismatch(
            text.where(), text.path_of(key),
            "num_attention_heads x head_dim of at most " + std::to_string(kMaxDim),
            std::to_string(heads * head_dim));
    }
}

/// Falcon before its second decoder architecture: one kv head for all, or one for each.
std::int64_t falcon_kv_heads(const JsonObject& text, std::int64_t heads) {
    const bool grouped = text.optional_boolean("new_decoder_architecture").value_or(false);
    const bool multi_query = text.optional_boolean("multi_query").value_or(true);
    if (!grouped && multi_query) return 1;
    const auto kv_heads = text.optional_integer("num_kv_heads", 1, kMaxHeads);
    return kv_heads.value_or(heads);
}

void read_kv_heads(const JsonObject& text, const Traits& traits, Config& config) {
    const std::int64_t heads = config.num_attention_heads;
    if (config.architecture == Architecture::Falcon) {
        config.num_key_value_heads = falcon_kv_heads(text, heads);
        check_divides(text, "num_kv_heads", config.num_key_value_heads, heads);
        return;
    }
    const std::int64_t absent = traits.kv_heads > 0 ? traits.kv_heads : heads;
    config.num_key_value_heads =
        text.optional_integer("num_key_value_heads", 1, kMaxHeads).value_or(absent);
    check_divides(text, "num_key_value_heads", config.num_key_value_heads, heads);
}

void read_head_dim(const JsonObject& text, const Traits& traits, Config& config) {
    const auto head_dim = text.optional_integer("head_dim", 2, kMaxHeadDim);
    const bool by_division = !head_dim && traits.head_dim == 0;
    if (by_division && config.hidden_size % config.num_attention_heads != 0) {
        throw text.unexpected("num_attention_heads", "a divisor of hidden_size (" +
                                                         std::to_string(config.hidden_size) +
                                                         ") as there is no head_dim");
    }
    config.head_dim = by_division ? config.hidden_size / config.num_attention_heads
                                  : head_dim.value_or(traits.head_dim);
    check_width(text, "head_dim", config.num_attention_heads, config.head_dim);
}

void read_latent(const JsonObject& text, Config& config) {
    LatentAttention latent;
    latent.q_lora_rank = text.optional_integer("q_lora_rank", 1, kMaxDim).value_or(0);
    latent.kv_lora_rank = text.integer("kv_lora_rank", 1, kMaxDim);
    latent.qk_nope_head_dim = text.integer("qk_nope_head_dim", 1, kMaxHeadDim);
    latent.qk_rope_head_dim = text.integer("qk_rope_head_dim", 2, kMaxHeadDim);
    latent.v_head_dim = text.integer("v_head_dim", 1, kMaxHeadDim);
    const std::int64_t heads = config.num_attention_heads;
    check_width(text, "qk_rope_head_dim", heads, latent.qk_rope_head_dim);
    config.head_dim = latent.qk_nope_head_dim + latent.qk_rope_head_dim;
    check_width(text, "qk_nope_head_dim", heads, config.head_dim);
    check_width(text, "v_head_dim", heads, core::round_up(latent.v_head_dim, 2));
    config.latent_attention = latent;
}

void read_linear(const JsonObject& text, Config& config) {
    // The absent ones: transformers, Qwen3_5TextConfig.
    LinearAttention linear;
    linear.key_heads = text.optional_integer("linear_num_key_heads", 1, kMaxHeads).value_or(16);
    linear.value_heads = text.optional_integer("linear_num_value_heads", 1, kMaxHeads).value_or(32);
    linear.key_head_dim =
        text.optional_integer("linear_key_head_dim", 1, kMaxHeadDim).value_or(128);
    linear.value_head_dim =
        text.optional_integer("linear_value_head_dim", 1, kMaxHeadDim).value_or(128);
    linear.conv_kernel_dim = text.optional_integer("linear_conv_kernel_dim", 1, 1024).value_or(4);
    if (linear.value_heads % linear.key_heads != 0) {
        throw text.unexpected("linear_num_key_heads", "a divisor of linear_num_value_heads (" +
                                                          std::to_string(linear.value_heads) + ")");
    }
    config.linear_attention = linear;
    config.attention_output_gate = text.optional_boolean("attn_output_gate").value_or(true);
}

std::int64_t read_window(const JsonObject& text, const Traits& traits) {
    const bool switched = traits.attention == AttentionRule::Switched ||
                          traits.attention == AttentionRule::SwitchedAbove;
    if (switched && !text.optional_boolean("use_sliding_window").value_or(false)) return 0;
    // Here null is not absence: it turns the window off, absence takes the default.
    if (text.value().contains(kWindow) && !text.has(kWindow)) return 0;
    return text.optional_integer(kWindow, 1, kMaxPositions).value_or(traits.window);
}

/// Every how many layers there is a Full one: a number, or letters as in "LLLG" (EXAONE).
std::int64_t read_pattern(const JsonObject& text, const Traits& traits) {
    const std::string_view key = traits.attention == AttentionRule::Hybrid
                                     ? "full_attention_interval"
                                     : "sliding_window_pattern";
    const nlohmann::json* value = text.find(key);
    if (value == nullptr || !value->is_string()) {
        return text.optional_integer(key, 1, kMaxLayers).value_or(traits.pattern);
    }
    const auto letters = value->get<std::string>();
    if (letters.empty() || letters.back() != 'G' ||
        letters.find_first_not_of('L') != letters.size() - 1) {
        throw text.unexpected(key, "a number, or L for each local layer and a last G");
    }
    return static_cast<std::int64_t>(letters.size());
}

std::vector<Attention> read_layer_types(const JsonObject& text, const Traits& traits,
                                        std::size_t layers) {
    constexpr std::string_view kKey = "layer_types";
    const bool hybrid = traits.attention == AttentionRule::Hybrid;
    const std::string_view other = hybrid ? "linear_attention" : "sliding_attention";
    const nlohmann::json& list = text.array(kKey);
    if (list.size() != layers) {
        throw text.unexpected(kKey, std::to_string(layers) + " entries (num_hidden_layers)");
    }
    std::vector<Attention> kinds;
    for (const nlohmann::json& entry : list) {
        if (entry == "full_attention") {
            kinds.push_back(Attention::Full);
        } else if (entry == other) {
            kinds.push_back(hybrid ? Attention::Linear : Attention::Sliding);
        } else {
            throw Error::mismatch(text.where(), text.path_of(kKey),
                                  "\"full_attention\" or \"" + std::string(other) + "\"",
                                  core::describe(entry));
        }
    }
    return kinds;
}

std::vector<Attention> by_interval(std::int64_t interval, Attention other, std::size_t layers) {
    std::vector<Attention> kinds(layers, other);
    const auto step = static_cast<std::size_t>(interval);
    for (std::size_t i = step - 1; i < layers; i += step) kinds[i] = Attention::Full;
    return kinds;
}

std::vector<Attention> read_cross(const JsonObject& text, std::size_t layers) {
    constexpr std::string_view kKey = "cross_attention_layers";
    std::vector<Attention> kinds(layers, Attention::Full);
    if (!text.has(kKey)) {
        // transformers, MllamaTextConfig: 3, 8, ..., 38.
        for (std::size_t i = 3; i < std::min<std::size_t>(layers, 40); i += 5) {
            kinds[i] = Attention::Cross;
        }
    }
    for (const std::int64_t index : layer_indices(text, kKey, layers)) {
        kinds[static_cast<std::size_t>(index)] = Attention::Cross;
    }
    return kinds;
}

std::vector<Attention> kinds_above(const JsonObject& text, std::int64_t window,
                                   std::size_t layers) {
    // transformers, Qwen2Config: max_window_layers.
    const std::int64_t first = text.optional_integer("max_window_layers", 0, kMaxDim).value_or(28);
    std::vector<Attention> kinds(layers, Attention::Full);
    if (window == 0) return kinds;
    for (auto i = static_cast<std::size_t>(first); i < layers; ++i) kinds[i] = Attention::Sliding;
    return kinds;
}

std::vector<Attention> kinds_by_rule(const JsonObject& text, const Traits& traits,
                                     std::int64_t window, std::size_t layers) {
    const Attention local = window > 0 ? Attention::Sliding : Attention::Full;
    switch (traits.attention) {
        case AttentionRule::Full:
            return std::vector(layers, Attention::Full);
        case AttentionRule::Windowed:
        case AttentionRule::Switched:
            return std::vector(layers, local);
        case AttentionRule::SwitchedAbove:
            return kinds_above(text, window, layers);
        case AttentionRule::Pattern:
            return by_interval(read_pattern(text, traits), local, layers);
        case AttentionRule::Hybrid:
            return by_interval(read_pattern(text, traits), Attention::Linear, layers);
        case AttentionRule::Cross:
            return read_cross(text, layers);
        case AttentionRule::Latent:
            return std::vector(layers, Attention::Latent);
        case AttentionRule::Blocks:
            return std::vector(layers, Attention::Full);
    }
    core::require(false, "every AttentionRule has its kinds");
    return {};
}

bool names_layer_types(AttentionRule rule) {
    return rule == AttentionRule::Pattern || rule == AttentionRule::Hybrid ||
           rule == AttentionRule::SwitchedAbove;
}

std::vector<Attention> read_kinds(const JsonObject& text, const Traits& traits, Config& config) {
    const std::size_t layers = config.layers.size();
    config.sliding_window = read_window(text, traits);
    const bool named = names_layer_types(traits.attention) && text.has("layer_types");
    std::vector<Attention> kinds = named
                                       ? read_layer_types(text, traits, layers)
                                       : kinds_by_rule(text, traits, config.sliding_window, layers);
    // transformers, Gemma4TextConfig: the last layer sees everything.
    if (config.architecture == Architecture::Gemma4Conditional) kinds.back() = Attention::Full;
    const bool slides = std::count(kinds.begin(), kinds.end(), Attention::Sliding) > 0;
    if (slides && config.sliding_window == 0) {
        throw text.unexpected(kWindow, "an integer from 1, as layer_types has sliding layers");
    }
    return kinds;
}

/// Gemma 4: layers that see everything have wider heads, fewer kv heads, and no values.
void widen_global(const JsonObject& text, const Config& config, LayerConfig& layer) {
    if (layer.attention != Attention::Full) return;
    layer.head_dim = text.optional_integer("global_head_dim", 2, kMaxHeadDim).value_or(512);
    check_width(text, "global_head_dim", layer.heads, layer.head_dim);
    layer.values_are_keys = text.optional_boolean("attention_k_eq_v").value_or(false);
    if (!layer.values_are_keys) return;
    constexpr std::string_view kKey = "num_global_key_value_heads";
    layer.kv_heads = text.optional_integer(kKey, 1, kMaxHeads).value_or(config.num_key_value_heads);
    check_divides(text, kKey, layer.kv_heads, layer.heads);
}

void read_block(const JsonObject& block, LayerConfig& layer) {
    if (block.optional_boolean("no_op").value_or(false)) {
        layer.attention = Attention::None;
    } else if (block.optional_boolean("replace_with_linear").value_or(false)) {
        layer.attention = Attention::Replaced;
    } else {
        if (block.has("window_length")) {
            throw block.unexpected("window_length", "null (windows per block are not known)");
        }
        const std::int64_t group = block.integer("n_heads_in_group", 1, kMaxHeads);
        check_divides(block, "n_heads_in_group", group, layer.heads);
        layer.kv_heads = layer.heads / group;
    }
}

/// A window that no position reaches is no window.
void drop_idle_window(Config& config) {
    const bool idle = config.sliding_window >= config.max_position_embeddings;
    bool used = false;
    for (LayerConfig& layer : config.layers) {
        if (layer.attention != Attention::Sliding) continue;
        if (idle) layer.attention = Attention::Full;
        used = !idle;
    }
    if (!used) config.sliding_window = 0;
}

}  // namespace

void read_attention(const JsonObject& text, const Traits& traits, Config& config) {
    config.num_attention_heads =
        traits.heads > 0
            ? text.optional_integer("num_attention_heads", 1, kMaxHeads).value_or(traits.heads)
            : text.integer("num_attention_heads", 1, kMaxHeads);
    read_kv_heads(text, traits, config);
    if (traits.attention == AttentionRule::Latent) {
        read_latent(text, config);
    } else {
        read_head_dim(text, traits, config);
    }
    if (traits.attention == AttentionRule::Hybrid) read_linear(text, config);

    const std::vector<Attention> kinds = read_kinds(text, traits, config);
    for (std::size_t i = 0; i < kinds.size(); ++i) {
        LayerConfig& layer = config.layers[i];
        layer.attention = kinds[i];
        layer.heads = config.num_attention_heads;
        layer.kv_heads = config.num_key_value_heads;
        layer.head_dim = config.head_dim;
        if (config.architecture == Architecture::Gemma4Conditional) {
            widen_global(text, config, layer);
        }
        if (traits.attention == AttentionRule::Blocks) {
            read_block(block_at(text, i, config.layers.size()).object("attention"), layer);
        }
        if (layer.attention == Attention::Linear || layer.attention == Attention::Replaced ||
            layer.attention == Attention::None) {
            layer.heads = layer.kv_heads = layer.head_dim = 0;
        }
    }
    drop_idle_window(config);
}

}  // namespace model::config_reader

// The feed-forward of every layer of a config.json: dense, experts, or what a search left of it.
// Invariant: widths are at most kMaxDim and a token goes to no more experts than there are.
// Rules: huggingface/transformers: src/transformers/models/<model>/modeling_<model>.py.
#include <algorithm>

#include "core/error.h"
#include "model/config_reader.h"

namespace model::config_reader {

namespace {

using core::JsonObject;
using FeedForward = LayerConfig::FeedForward;

LayerConfig with_experts(const JsonObject& text, std::string_view count_key,
                         std::string_view chosen_key, std::string_view size_key) {
    LayerConfig layer;
    layer.feed_forward = FeedForward::Experts;
    layer.experts = text.integer(count_key, 1, kMaxExperts);
    layer.experts_per_token = text.integer(chosen_key, 1, kMaxExperts);
    layer.expert_intermediate_size = text.integer(size_key, 1, kMaxDim);
    if (layer.experts_per_token > layer.experts) {
        throw text.unexpected(chosen_key, "at most " + std::string(count_key) + " (" +
                                              std::to_string(layer.experts) + ")");
    }
    return layer;
}

/// Takes over the feed-forward of `from`; the attention stays.
void set_feed_forward(LayerConfig& layer, const LayerConfig& from) {
    layer.feed_forward = from.feed_forward;
    layer.intermediate_size = from.intermediate_size;
    layer.experts = from.experts;
    layer.experts_per_token = from.experts_per_token;
    layer.expert_intermediate_size = from.expert_intermediate_size;
    layer.shared_experts_intermediate_size = from.shared_experts_intermediate_size;
}

LayerConfig gated(const JsonObject& text) {
    LayerConfig layer;
    layer.intermediate_size = text.integer("intermediate_size", 1, kMaxDim);
    return layer;
}

LayerConfig plain(const JsonObject& text, const Config& config) {
    // transformers, FalconConfig: ffn_hidden_size.
    constexpr std::string_view kKey = "ffn_hidden_size";
    LayerConfig layer;
    layer.feed_forward = FeedForward::Plain;
    layer.intermediate_size =
        text.optional_integer(kKey, 1, kMaxDim).value_or(4 * config.hidden_size);
    if (layer.intermediate_size > kMaxDim) {
        throw core::Error::mismatch(
            text.where(), text.path_of("hidden_size"),
            "at most " + std::to_string(kMaxDim / 4) + " as there is no ffn_hidden_size",
            std::to_string(config.hidden_size));
    }
    return layer;
}

LayerConfig local_experts(const JsonObject& text) {
    // gpt-oss was first published with the second spelling.
    const std::string_view chosen =
        !text.has("num_experts_per_tok") && text.has("experts_per_token") ? "experts_per_token"
                                                                          : "num_experts_per_tok";
    return with_experts(text, "num_local_experts", chosen, "intermediate_size");
}

/// Gemma 4: the outputs of the dense one and of the experts are added.
LayerConfig beside_experts(const JsonObject& text) {
    const LayerConfig dense = gated(text);
    if (!text.optional_boolean("enable_moe_block").value_or(false)) return dense;
    LayerConfig layer = with_experts(text, "num_experts", "top_k_experts", "moe_intermediate_size");
    layer.shared_experts_intermediate_size = dense.intermediate_size;
    return layer;
}

void read_sparse_steps(const JsonObject& text, Config& config) {
    const LayerConfig dense = gated(text);
    const LayerConfig sparse =
        with_experts(text, "num_experts", "num_experts_per_tok", "moe_intermediate_size");
    // transformers, Qwen3MoeConfig.
    config.norm_topk_prob = text.optional_boolean("norm_topk_prob").value_or(false);
    const std::int64_t step =
        text.optional_integer("decoder_sparse_step", 1, kMaxLayers).value_or(1);
    const std::vector<std::int64_t> only_dense =
        layer_indices(text, "mlp_only_layers", config.layers.size());
    for (std::int64_t i = 0; i < config.num_hidden_layers; ++i) {
        const bool is_dense =
            (i + 1) % step != 0 || std::count(only_dense.begin(), only_dense.end(), i) > 0;
        set_feed_forward(config.layers[static_cast<std::size_t>(i)], is_dense ? dense : sparse);
    }
}

void read_dense_first(const JsonObject& text, Config& config) {
    const LayerConfig dense = gated(text);
    LayerConfig sparse =
        with_experts(text, "n_routed_experts", "num_experts_per_tok", "moe_intermediate_size");
    const std::int64_t shared =
        text.optional_integer("n_shared_experts", 0, kMaxExperts).value_or(0);
    sparse.shared_experts_intermediate_size = shared * sparse.expert_intermediate_size;
    if (sparse.shared_experts_intermediate_size > kMaxDim) {
        throw text.unexpected(
            "n_shared_experts",
            "n_shared_experts x moe_intermediate_size of at most " + std::to_string(kMaxDim));
    }
    // transformers, DeepseekV3Config.
    config.norm_topk_prob = text.optional_boolean("norm_topk_prob").value_or(true);
    config.routed_scaling_factor =
        text.optional_number("routed_scaling_factor", 1e-6, 1e6).value_or(2.5);
    const std::int64_t first =
        text.optional_integer("first_k_dense_replace", 0, kMaxLayers).value_or(3);
    const std::int64_t step = text.optional_integer("moe_layer_freq", 1, kMaxLayers).value_or(1);
    for (std::int64_t i = 0; i < config.num_hidden_layers; ++i) {
        const bool is_sparse = i >= first && i % step == 0;
        set_feed_forward(config.layers[static_cast<std::size_t>(i)], is_sparse ? sparse : dense);
    }
}

/// modeling_decilm.py, _ffn_mult_to_intermediate_size: two thirds, up to a multiple of 256.
std::int64_t width_of(const JsonObject& block, std::int64_t hidden) {
    const auto given = block.optional_integer("intermediate_size", 1, kMaxDim);
    if (given) return *given;
    const double multiple = block.number("ffn_mult", 1e-3, 1e3);
    const auto width = static_cast<std::int64_t>(2 * multiple * static_cast<double>(hidden) / 3);
    const std::int64_t rounded = core::round_up(std::max<std::int64_t>(width, 1), 256);
    if (rounded > kMaxDim) {
        throw block.unexpected("ffn_mult", "a width of at most " + std::to_string(kMaxDim) +
                                               " (hidden_size is " + std::to_string(hidden) + ")");
    }
    return rounded;
}

void read_blocks(const JsonObject& text, Config& config) {
    for (std::size_t i = 0; i < config.layers.size(); ++i) {
        const JsonObject block = block_at(text, i, config.layers.size()).object("ffn");
        LayerConfig& layer = config.layers[i];
        if (block.optional_boolean("no_op").value_or(false)) {
            layer.feed_forward = FeedForward::None;
        } else if (block.optional_boolean("replace_with_linear").value_or(false)) {
            layer.feed_forward = FeedForward::Replaced;
        } else {
            layer.intermediate_size = width_of(block, config.hidden_size);
        }
    }
}

void set_all(Config& config, const LayerConfig& from) {
    for (LayerConfig& layer : config.layers) set_feed_forward(layer, from);
}

}  // namespace

void read_feed_forward(const JsonObject& text, const Traits& traits, Config& config) {
    switch (traits.feed_forward) {
        case FeedForwardRule::Gated:
            return set_all(config, gated(text));
        case FeedForwardRule::FourTimes:
            return set_all(config, plain(text, config));
        case FeedForwardRule::LocalExperts:
            return set_all(config, local_experts(text));
        case FeedForwardRule::BesideExperts:
            return set_all(config, beside_experts(text));
        case FeedForwardRule::SparseSteps:
            return read_sparse_steps(text, config);
        case FeedForwardRule::DenseFirst:
            return read_dense_first(text, config);
        case FeedForwardRule::Blocks:
            return read_blocks(text, config);
    }
}

}  // namespace model::config_reader

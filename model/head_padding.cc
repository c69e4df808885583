#include "model/head_padding.h"

#include <algorithm>
#include <array>

#include "core/error.h"
#include "core/units.h"
#include "tensor/dtype.h"

namespace model {
namespace {

using Attention = LayerConfig::Attention;
using FeedForward = LayerConfig::FeedForward;

bool has_heads(const LayerConfig& layer) {
    return layer.attention == Attention::Full || layer.attention == Attention::Sliding;
}

// What was not padded before keeps its size as the checkpoint's.
void keep(std::int64_t& unpadded, std::int64_t size) {
    if (unpadded == 0) unpadded = size;
}

void pad_layer(LayerConfig& layer, std::int64_t tp) {
    if (!has_heads(layer)) return;
    const HeadCounts counts = padded_heads(layer.heads, layer.kv_heads, tp);
    if (counts.heads == layer.heads && counts.kv_heads == layer.kv_heads) return;
    layer.unpadded.heads = layer.heads;
    layer.unpadded.kv_heads = layer.kv_heads;
    layer.unpadded.kv_copies = counts.kv_copies;
    layer.heads = counts.heads;
    layer.kv_heads = counts.kv_heads;
}

struct PaddedCores {
    std::string_view base_model;
    std::int64_t cores;
    dispatch::Release since = dispatch::Release::R2025;
};
// tenstorrent/tt-metal: models/tt_transformers/tt/model_config.py, default_padded_cores;
// Qwen2.5-32B is in the tree of 2026-05-23, not in that of 0039cbf0861e.
constexpr std::array kPaddedCores{
    PaddedCores{"Qwen2.5-VL-72B", 32}, PaddedCores{"Qwen2.5-VL-32B", 16},
    PaddedCores{"Qwen2.5-72B", 32},    PaddedCores{"Qwen2.5-32B", 16, dispatch::Release::R2026_05},
    PaddedCores{"Qwen2.5-7B", 16},     PaddedCores{"QwQ-32B", 16},
};

}  // namespace

HeadCounts padded_heads(std::int64_t heads, std::int64_t kv_heads, std::int64_t tp) {
    core::require(tp > 0 && kv_heads > 0 && heads % kv_heads == 0, "KV heads divide heads");
    const std::int64_t group = heads / kv_heads;
    const auto width = [](const HeadCounts& counts) { return counts.heads + 2 * counts.kv_heads; };
    std::optional<HeadCounts> best;
    for (std::int64_t copies = 1; copies <= tp; ++copies) {
        const std::int64_t kv = core::round_up(kv_heads * copies, tp);
        const HeadCounts counts{kv * core::ceil_div(group, copies), kv, copies};
        if (!best || width(counts) < width(*best)) best = counts;
    }
    return *best;
}

HeadMap head_map(const LayerConfig& layer) {
    const Unpadded& source = layer.unpadded;
    if (source.heads == 0) return {layer.heads, layer.kv_heads, {}, {}};
    HeadMap map{source.heads, source.kv_heads, {}, {}};
    const std::int64_t group = source.heads / source.kv_heads;
    const std::int64_t stored_group = layer.heads / layer.kv_heads;
    for (std::int64_t stored = 0; stored < layer.kv_heads; ++stored) {
        const std::int64_t kv = stored / source.kv_copies;
        const std::int64_t part = stored % source.kv_copies;
        const bool real = kv < source.kv_heads;
        map.kv.push_back(real ? static_cast<std::int32_t>(kv) : -1);
        for (std::int64_t i = 0; i < stored_group; ++i) {
            const std::int64_t within = part * stored_group + i;
            const bool asks = real && within < group;
            map.q.push_back(asks ? static_cast<std::int32_t>(kv * group + within) : -1);
        }
    }
    return map;
}

std::vector<LayerConfig> layers_of(const Config& config) {
    if (!config.layers.empty()) return config.layers;
    LayerConfig layer;
    layer.heads = config.num_attention_heads;
    layer.kv_heads = config.num_key_value_heads;
    layer.head_dim = config.head_dim;
    layer.intermediate_size = config.intermediate_size;
    return std::vector<LayerConfig>(static_cast<std::size_t>(config.num_hidden_layers), layer);
}

std::optional<std::string> padding_obstacle(const Config& config) {
    if (config.qk_norm == QkNorm::FullWidth) {
        return "queries and keys are normalized over all heads together: heads of zeros would "
               "change the norm";
    }
    if (config.attention_sinks) return "every head has an attention sink of its own";
    if (config.attention_output_gate) return "the query projection also holds the output gate";
    for (const LayerConfig& layer : config.layers) {
        if (layer.attention == Attention::Latent) return "keys and values are kept compressed";
        if (layer.attention == Attention::Linear) return "some layers keep a state, not heads";
        if (layer.attention == Attention::Cross) return "some layers attend to an image";
    }
    return std::nullopt;
}

Config pad_heads(const Config& config, std::int64_t tp) {
    core::require(tp > 0, "heads are padded for a number of chips");
    if (const auto obstacle = padding_obstacle(config)) {
        throw core::Error("heads cannot be padded to split over " + std::to_string(tp) +
                          " chips: " + *obstacle)
            .hint("see `tessera check` for meshes and groups that divide the heads");
    }
    if (config.unpadded && config.unpadded->heads > 0) {
        throw core::Error("heads are padded already: from " +
                          std::to_string(config.unpadded->heads) + " to " +
                          std::to_string(config.num_attention_heads))
            .hint("pad the model as it was read");
    }
    Config padded = config;
    padded.layers = layers_of(config);
    std::int64_t heads = 0;
    std::int64_t kv_heads = 0;
    for (LayerConfig& layer : padded.layers) {
        pad_layer(layer, tp);
        heads = std::max(heads, layer.heads);
        kv_heads = std::max(kv_heads, layer.kv_heads);
    }
    if (padded.layers == layers_of(config)) return config;
    Unpadded before = config.unpadded.value_or(Unpadded{});
    before.heads = config.num_attention_heads;
    before.kv_heads = config.num_key_value_heads;
    padded.unpadded = before;
    padded.num_attention_heads = heads;
    padded.num_key_value_heads = kv_heads;
    return padded;
}

std::int64_t mlp_padding_cores(std::string_view base_model, std::optional<std::int64_t> asked_cores,
                               dispatch::Release release) {
    if (asked_cores) {
        if (*asked_cores < 0) {
            throw core::Error::mismatch("PAD_MLP_CORES", "", "a number of cores, 0 or more",
                                        std::to_string(*asked_cores))
                .hint("multiples of 8 from 8 to 64 are what tt_transformers documents");
        }
        return *asked_cores;
    }
    for (const PaddedCores& row : kPaddedCores) {
        if (row.base_model == base_model) return release >= row.since ? row.cores : 0;
    }
    return 0;
}

std::int64_t padded_intermediate(std::int64_t intermediate_size, std::string_view base_model,
                                 std::int64_t devices, std::optional<std::int64_t> asked_cores) {
    const std::int64_t cores = mlp_padding_cores(base_model, asked_cores);
    // model_config.py: nearest_multiple(hidden_dim, mlp_padded_cores * tile_size * num_devices).
    return cores == 0 ? intermediate_size
                      : core::round_up(intermediate_size, cores * tensor::kTileSide * devices);
}

std::int64_t source_intermediate(const LayerConfig& layer) {
    const std::int64_t width = layer.unpadded.intermediate_size;
    return width > 0 ? width : layer.intermediate_size;
}

Config pad_feed_forward(const Config& config, std::string_view base_model, std::int64_t devices,
                        std::optional<std::int64_t> asked_cores) {
    Config padded = config;
    padded.layers = layers_of(config);
    std::int64_t widest = config.intermediate_size;
    for (LayerConfig& layer : padded.layers) {
        if (layer.feed_forward != FeedForward::Gated) continue;
        const std::int64_t width =
            padded_intermediate(layer.intermediate_size, base_model, devices, asked_cores);
        if (width == layer.intermediate_size) continue;
        keep(layer.unpadded.intermediate_size, layer.intermediate_size);
        layer.intermediate_size = width;
        widest = std::max(widest, width);
    }
    if (padded.layers == layers_of(config)) return config;
    padded.unpadded = config.unpadded.value_or(Unpadded{});
    keep(padded.unpadded->intermediate_size, config.intermediate_size);
    padded.intermediate_size = widest;
    return padded;
}

}  // namespace model

#include "model/not_computed.h"

#include <algorithm>

namespace model {
namespace {

using Attention = LayerConfig::Attention;

template <class Holds>
bool any_layer(const Config& config, const Holds& holds) {
    return std::any_of(config.layers.begin(), config.layers.end(), holds);
}

bool any_attention(const Config& config, Attention kind) {
    return any_layer(config, [&](const LayerConfig& layer) { return layer.attention == kind; });
}

bool is_gemma(const Config& config) {
    return config.architecture == Architecture::Gemma3 ||
           config.architecture == Architecture::Gemma3Conditional ||
           config.architecture == Architecture::Gemma4Conditional;
}

// Computations that stand in the graph as tensor::Opaque.
void add_opaque(const Config& config, std::vector<std::string>& list) {
    const auto add = [&](bool holds, const char* what) {
        if (holds) list.emplace_back(what);
    };
    add(config.norm_kind == NormKind::Layer, kLayerNorm);
    add(any_attention(config, Attention::Cross), kCrossAttention);
    add(any_attention(config, Attention::Latent), kLatentAttention);
    add(any_attention(config, Attention::Linear), kLinearAttention);
    add(config.attention_sinks, kAttentionSinks);
    add(config.attention_output_gate, kOutputGate);
    add(any_layer(config, [](const LayerConfig& layer) { return layer.values_are_keys; }),
        kValuesFromKeys);
    add(config.architecture == Architecture::Gemma4Conditional, kLayerScales);
    add(config.qk_norm == QkNorm::FullWidth, kFullWidthNorm);
}

// Computations that have the ops and sizes of others, but other numbers.
void add_variants(const Config& config, std::vector<std::string>& list) {
    const auto add = [&](bool holds, std::string what) {
        if (holds) list.push_back(std::move(what));
    };
    add(config.norm_unit_offset, "norms that multiply by 1 + weight");
    add(is_gemma(config), "scales of embeddings and queries");
    add(has_local_rope(config), "rotary positions of sliding layers");
    add(config.rope_scaling.kind == RopeKind::Proportional, "proportional rotary positions");
    add(config.architecture == Architecture::GptOss, "clamped gates of the experts");
    add(config.architecture == Architecture::DeepseekV3, "experts chosen within groups");
    add(config.architecture == Architecture::PhiMoe, "sampled choice of experts");
    add(config.architecture == Architecture::Gemma4Conditional, "scales of the router");
    add(config.lm_head_bias, "bias of the LM head");
}

}  // namespace

// modeling_olmo3.py: layers that slide are not stretched for long contexts.
bool has_local_rope(const Config& config) {
    if (config.local_rope_theta) return true;
    return config.architecture == Architecture::Olmo3 &&
           config.rope_scaling.kind != RopeKind::None && any_attention(config, Attention::Sliding);
}

// modeling_exaone4.py: where some layers slide, those that see everything have no positions.
bool has_rope(const Config& config, const LayerConfig& layer) {
    return config.architecture != Architecture::Exaone4 || config.sliding_window == 0 ||
           layer.attention == Attention::Sliding;
}

std::vector<std::string> not_computed(const Config& config) {
    std::vector<std::string> list;
    add_opaque(config, list);
    add_variants(config, list);
    if (!is_proven(config.architecture)) {
        list.emplace_back("values (no reference has been compared)");
    }
    return list;
}

}  // namespace model

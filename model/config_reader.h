// The parts of the config.json reader: what sets architectures apart (a table), and the readers
// of rope and of layers. For config*.cc only.
// Invariant: a reader checks what it reads before anything is computed from it.
// Defaults: huggingface/transformers: src/transformers/models/<model>/configuration_<model>.py.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/json.h"
#include "model/config.h"

namespace model::config_reader {

// Well above every published model, low enough that products of three stay inside 64 bits.
inline constexpr std::int64_t kMaxDim = 1 << 20;
inline constexpr std::int64_t kMaxLayers = 1 << 12;
inline constexpr std::int64_t kMaxHeads = 1 << 14;
inline constexpr std::int64_t kMaxHeadDim = 1 << 14;
inline constexpr std::int64_t kMaxExperts = 1 << 14;
inline constexpr std::int64_t kMaxVocab = 1 << 24;
inline constexpr std::int64_t kMaxPositions = std::int64_t{1} << 30;
inline constexpr double kMaxTheta = 1e15;
inline constexpr double kMaxFactor = 1e6;

/// Which attention a layer has when there is no "layer_types".
enum class AttentionRule {
    Full,
    Windowed,       // all Sliding if there is a sliding_window
    Switched,       // as Windowed, but only if use_sliding_window
    SwitchedAbove,  // as Switched, from layer max_window_layers on
    Pattern,        // Sliding, but every sliding_window_pattern-th Full
    Hybrid,         // Linear, but every full_attention_interval-th Full
    Cross,          // Full, but Cross where cross_attention_layers says
    Latent,
    Blocks,  // block_configs says
};
enum class FeedForwardRule {
    Gated,
    FourTimes,      // Plain, ffn_hidden_size or 4 x hidden_size
    LocalExperts,   // num_local_experts of intermediate_size
    SparseSteps,    // Qwen3-MoE: decoder_sparse_step, mlp_only_layers
    DenseFirst,     // DeepSeek: first_k_dense_replace, shared experts
    BesideExperts,  // Gemma 4: a gated one with experts beside it
    Blocks,
};
enum class BiasRule {
    None,
    AttentionBias,     // the key attention_bias, for all four projections
    AttentionAndMlp,   // attention_bias and mlp_bias
    Qkv,               // always, and not on the output projection
    AttentionExperts,  // attention_bias, and always on experts
    Bias,              // the key bias, for everything
};

/// What an architecture is, and what it assumes of keys that are absent.
struct Traits {
    Architecture architecture = Architecture::Llama;
    std::string_view name;
    AttentionRule attention = AttentionRule::Full;
    FeedForwardRule feed_forward = FeedForwardRule::Gated;
    BiasRule bias = BiasRule::None;
    bool attention_bias_default = false;
    QkNorm qk_norm = QkNorm::None;
    Norms norms = Norms::Pre;
    NormKind norm_kind = NormKind::Rms;
    bool norm_unit_offset = false;
    std::int64_t heads = 0;       // 0: must be given
    std::int64_t kv_heads = 0;    // 0: as many as heads
    std::int64_t head_dim = 0;    // 0: hidden_size / heads
    std::int64_t vocab_size = 0;  // 0: must be given
    std::int64_t max_positions = 2048;
    std::int64_t window = 0;   // sliding_window
    std::int64_t pattern = 0;  // sliding_window_pattern, full_attention_interval
    double epsilon = 1e-6;
    double theta = 10000;
    double local_theta = 0;  // 0: rope is the same in all layers
    double partial_rotary = 1;
    Activation activation = Activation::Silu;
    std::string_view activation_key = "hidden_act";
    bool tied = false;
};

std::span<const Traits> all_traits();
const Traits& traits_of(Architecture architecture);

/// The names of the rows, separated by ", ".
template <class Rows>
std::string known(const Rows& rows) {
    std::string text;
    for (const auto& row : rows) text.append(text.empty() ? "" : ", ").append(row.name);
    return text;
}

/// Values of a head that turn with the position: head_dim x partial_rotary_factor, rounded down.
std::int64_t rotary_dims(const Config& config);

/// Sets rope_theta, rope_scaling, partial_rotary_factor and local_rope_theta.
/// Requires: head_dim and max_position_embeddings are set.
void read_rope(const core::JsonObject& text, const Traits& traits, Config& config);

/// The layer numbers listed at `key`, each from 0 to layers - 1; none when absent.
std::vector<std::int64_t> layer_indices(const core::JsonObject& text, std::string_view key,
                                        std::size_t layers);

/// Entry `index` of "block_configs", which must have `layers` entries (DeciLM).
core::JsonObject block_at(const core::JsonObject& text, std::size_t index, std::size_t layers);

/// Sets heads, head_dim and the attention of every layer. Requires: num_hidden_layers,
/// max_position_embeddings and hidden_size are set and `layers` has its length.
void read_attention(const core::JsonObject& text, const Traits& traits, Config& config);

/// Sets the feed-forward of every layer. Requires: as read_attention.
void read_feed_forward(const core::JsonObject& text, const Traits& traits, Config& config);

}  // namespace model::config_reader

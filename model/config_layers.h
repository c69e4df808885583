// The sizes of one layer of a network, and of the attentions that heads alone do not describe.
// Invariant: sizes that the kind of attention or feed-forward has no use for are 0, kv heads
// divide heads, experts_per_token is at most experts. Sizes are counts of values, not bytes.
// Names and rules: huggingface/transformers: src/transformers/models.
#pragma once

#include <cstdint>

namespace model {

/// Sizes of the checkpoint that a padded layer, or a padded network, was made from; 0: not padded.
/// See model/head_padding.h.
struct Unpadded {
    std::int64_t heads = 0;
    std::int64_t kv_heads = 0;
    std::int64_t kv_copies = 1;  // times that each KV head of the checkpoint is stored
    std::int64_t intermediate_size = 0;

    bool operator==(const Unpadded&) const = default;
};

struct LayerConfig {
    enum class Attention {
        Full,
        Sliding,   // sees the last Config::sliding_window tokens
        Cross,     // keys and values come from the image
        Latent,    // keys and values are kept compressed (MLA); see LatentAttention
        Linear,    // a state instead of a cache (gated delta rule); see LinearAttention
        Replaced,  // by one matrix [hidden, hidden]
        None,
    };
    enum class FeedForward {
        Gated,     // three matrices
        Plain,     // two matrices
        Experts,   // gated, chosen by a router
        Replaced,  // by one matrix [hidden, hidden]
        None,
    };

    Attention attention = Attention::Full;
    std::int64_t heads = 0;     // 0 where attention is Linear, Replaced or None
    std::int64_t kv_heads = 0;  // heads that keys and values are stored for
    std::int64_t head_dim = 0;  // width of a query; Latent: with its rotary part
    /// There is no value projection: values are the keys before norm and rotation (Gemma 4).
    bool values_are_keys = false;

    FeedForward feed_forward = FeedForward::Gated;
    std::int64_t intermediate_size = 0;  // of Gated and Plain
    std::int64_t experts = 0;
    std::int64_t experts_per_token = 0;
    std::int64_t expert_intermediate_size = 0;  // of each expert
    /// The gated feed-forward every token passes beside its experts, 0 if none.
    std::int64_t shared_experts_intermediate_size = 0;

    /// Sizes above that were padded: what the checkpoint has.
    Unpadded unpadded = {};

    bool operator==(const LayerConfig&) const = default;
};

/// Multi-head latent attention (DeepSeek-V2: arXiv 2405.04434): per token the cache holds
/// kv_lora_rank + qk_rope_head_dim values.
struct LatentAttention {
    std::int64_t q_lora_rank = 0;  // 0: queries are projected in one step
    std::int64_t kv_lora_rank = 0;
    std::int64_t qk_nope_head_dim = 0;
    std::int64_t qk_rope_head_dim = 0;
    std::int64_t v_head_dim = 0;

    bool operator==(const LatentAttention&) const = default;
};

/// Gated delta rule (Qwen3-Next): per user the state holds value_heads x key_head_dim x
/// value_head_dim values, and conv_kernel_dim - 1 columns of the convolution's input.
struct LinearAttention {
    std::int64_t key_heads = 0;  // divides value_heads
    std::int64_t value_heads = 0;
    std::int64_t key_head_dim = 0;
    std::int64_t value_head_dim = 0;
    std::int64_t conv_kernel_dim = 0;

    bool operator==(const LinearAttention&) const = default;
};

}  // namespace model

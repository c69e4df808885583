// Attention with a key/value cache, grouped heads and rotary positions.
#include <cmath>

#include "model/builder.h"

namespace model {
namespace {

using tensor::Role;
using tensor::ValueId;
using PerLayer = Builder::PerLayer;

class Attention {
public:
    Attention(Builder& builder, ValueId cos, ValueId sin) : b_(builder), cos_(cos), sin_(sin) {}

    ValueId build(ValueId x) {
        const ValueId normed =
            b_.rms_norm(x, "attention_norm", Builder::hf("input_layernorm.weight"), PerLayer::Yes);
        ValueId qkv =
            b_.node("attention.wqkv", tensor::Linear{b_.formats().activation}, {normed, wqkv()},
                    Role::Qkv, b_.decodes() ? OpGroup::LiQkvDecode : OpGroup::LiQkvPrefill);
        if (b_.config().qkv_bias) {
            qkv = b_.node("attention.qkv_bias", tensor::AddBias{}, {qkv, qkv_bias()}, Role::Qkv);
        }
        const std::vector<ValueId> heads = b_.graph().add_node(
            "attention.create_qkv_heads",
            tensor::CreateQkvHeads{layer().heads / layer().kv_heads, layer().head_dim, b_.phase()},
            {qkv}, {Role::Heads, Role::Heads, Role::Heads});
        const ValueId q = rotary("attention.rope_q", head_norm("q_norm", heads[0]));
        const ValueId k = rotary("attention.rope_k", head_norm("k_norm", heads[1]));
        const ValueId attended = b_.decodes() ? decode(q, k, heads[2]) : prefill(q, k, heads[2]);
        const ValueId merged = b_.node("attention.concat_heads", tensor::ConcatHeads{b_.phase()},
                                       {attended}, Role::AttentionOut);
        return b_.node("attention.wo", tensor::Linear{b_.formats().activation}, {merged, wo()},
                       Role::Residual, b_.decodes() ? OpGroup::LiODecode : OpGroup::LiOPrefill);
    }

private:
    ValueId decode(ValueId q, ValueId k, ValueId v) {
        const ValueId k_cache = b_.node("attention.update_k", tensor::UpdateCache{},
                                        {b_.cache("layers.attention.k_cache"), k}, Role::KvCache);
        const ValueId v_cache = b_.node("attention.update_v", tensor::UpdateCache{},
                                        {b_.cache("layers.attention.v_cache"), v}, Role::KvCache);
        return b_.node("attention.sdpa", tensor::SdpaDecode{scale(), window()},
                       {q, k_cache, v_cache}, Role::Heads, OpGroup::SdpaDecode);
    }

    ValueId prefill(ValueId q, ValueId k, ValueId v) {
        // Keys and values take the cache's format before they are stored and attended to.
        const tensor::Typecast cast{b_.formats().kv_cache};
        const ValueId k_cast = b_.node("attention.typecast_k", cast, {k}, Role::Heads);
        const ValueId v_cast = b_.node("attention.typecast_v", cast, {v}, Role::Heads);
        const ValueId k_cache =
            b_.node("attention.fill_k", tensor::FillCache{},
                    {b_.cache("layers.attention.k_cache"), k_cast}, Role::KvCache);
        const ValueId v_cache =
            b_.node("attention.fill_v", tensor::FillCache{},
                    {b_.cache("layers.attention.v_cache"), v_cast}, Role::KvCache);
        if (b_.shape().chunk == StepShape::Chunk::Later) {
            return b_.node("attention.chunked_sdpa", tensor::ChunkedSdpa{scale(), window()},
                           {q, k_cache, v_cache}, Role::Heads, OpGroup::SdpaPrefill);
        }
        return b_.node("attention.sdpa", tensor::Sdpa{scale(), window()}, {q, k_cast, v_cast},
                       Role::Heads, OpGroup::SdpaPrefill);
    }

    // --- pieces ---

    const LayerConfig& layer() const { return b_.layer(); }
    std::int64_t q_width() const { return layer().heads * layer().head_dim; }
    std::int64_t kv_width() const { return layer().kv_heads * layer().head_dim; }
    float scale() const {
        return static_cast<float>(1.0 / std::sqrt(static_cast<double>(layer().head_dim)));
    }
    std::int64_t rope_dims() const {
        return static_cast<std::int64_t>(static_cast<double>(layer().head_dim) *
                                         b_.config().partial_rotary_factor);
    }
    std::int64_t window() const {
        return layer().attention == LayerConfig::Attention::Sliding ? b_.config().sliding_window
                                                                    : 0;
    }

    // q, k and v side by side; queries and keys turn with the position.
    std::vector<tensor::WeightSource> qkv_sources(const char* kind) const {
        const std::string tail = std::string(".") + kind;
        const std::int64_t all = q_width() + 2 * kv_width();
        std::vector<tensor::WeightSource> sources;
        if (b_.config().architecture == Architecture::Phi3) {
            const std::string fused = "self_attn.qkv_proj" + tail;
            sources = {Builder::fused_part(fused, q_width(), 0, all),
                       Builder::fused_part(fused, kv_width(), q_width(), all),
                       Builder::fused_part(fused, kv_width(), q_width() + kv_width(), all)};
        } else {
            sources = {{Builder::hf("self_attn.q_proj" + tail), q_width()},
                       {Builder::hf("self_attn.k_proj" + tail), kv_width()},
                       {Builder::hf("self_attn.v_proj" + tail), kv_width()}};
        }
        for (const std::size_t turning : {0U, 1U}) {
            sources[turning].rope_head_dim = layer().head_dim;
            sources[turning].rope_dims = rope_dims();
        }
        return sources;
    }

    ValueId wqkv() {
        return b_.weight("layers.attention.wqkv",
                         {b_.config().hidden_size, q_width() + 2 * kv_width()}, b_.formats().wqkv,
                         Role::WeightQkv, PerLayer::Yes, qkv_sources("weight"));
    }

    ValueId qkv_bias() {
        return b_.vector("layers.attention.qkv_bias", q_width() + 2 * kv_width(), Role::BiasQkv,
                         qkv_sources("bias"));
    }

    ValueId wo() {
        const std::int64_t dim = b_.config().hidden_size;
        return b_.weight("layers.attention.wo", {q_width(), dim}, b_.formats().wo, Role::WeightO,
                         PerLayer::Yes, {{Builder::hf("self_attn.o_proj.weight"), dim, 0}});
    }

    // Norm of every head over its own channels (Qwen3), in the channels' rotary order.
    ValueId head_norm(const std::string& name, ValueId x) {
        if (b_.config().qk_norm != QkNorm::PerHead) return x;
        tensor::WeightSource source{Builder::hf("self_attn." + name + ".weight"), layer().head_dim};
        source.rope_head_dim = layer().head_dim;
        source.rope_dims = rope_dims();
        const ValueId gamma =
            b_.vector("layers.attention." + name, layer().head_dim, Role::HeadNormWeight, {source});
        return b_.node("attention." + name,
                       tensor::RmsNorm{static_cast<float>(b_.config().rms_norm_eps)}, {x, gamma},
                       Role::Heads);
    }

    ValueId rotary(const std::string& name, ValueId x) {
        return b_.node(name, tensor::RotaryEmbedding{b_.phase()}, {x, cos_, sin_}, Role::Heads);
    }

    Builder& b_;
    ValueId cos_;
    ValueId sin_;
};

}  // namespace

ValueId build_attention(Builder& builder, ValueId x, ValueId cos, ValueId sin) {
    return Attention(builder, cos, sin).build(x);
}

}  // namespace model

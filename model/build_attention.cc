// Attention with a key/value cache, grouped heads and rotary positions.
#include <cmath>

#include "core/error.h"
#include "model/builder.h"
#include "model/head_padding.h"
#include "model/not_computed.h"

namespace model {
namespace {

using tensor::Role;
using tensor::ValueId;
using PerLayer = Builder::PerLayer;

class Attention {
public:
    explicit Attention(Builder& builder) : b_(builder) {
        if (!has_rope(b_.config(), layer())) return;
        rope_ = b_.decodes() ? b_.rope_rows(layer().head_dim) : b_.rope_tables(layer().head_dim);
    }

    ValueId build(ValueId normed) {
        ValueId qkv =
            b_.node("attention.wqkv", tensor::Linear{b_.formats().activation}, {normed, wqkv()},
                    Role::Qkv, b_.decodes() ? OpGroup::LiQkvDecode : OpGroup::LiQkvPrefill);
        if (b_.config().qkv_bias) {
            qkv = b_.node("attention.qkv_bias", tensor::AddBias{}, {qkv, qkv_bias()}, Role::Qkv);
        }
        const std::int64_t group = layer().heads / layer().kv_heads;
        const std::vector<ValueId> heads = b_.graph().add_node(
            "attention.create_qkv_heads",
            tensor::CreateQkvHeads{group, layer().head_dim, b_.phase()},
            {with_values(full_width_norm(qkv), group)}, {Role::Heads, Role::Heads, Role::Heads});
        const ValueId q = rotary("attention.rope_q", head_norm("q_norm", heads[0]));
        const ValueId k = rotary("attention.rope_k", head_norm("k_norm", heads[1]));
        const ValueId attended = b_.decodes() ? decode(q, k, heads[2]) : prefill(q, k, heads[2]);
        const ValueId merged = b_.node("attention.concat_heads", tensor::ConcatHeads{b_.phase()},
                                       {attended}, Role::AttentionOut);
        return build_wo(b_, output_gate(sinks(merged), normed), wo());
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
        // Queries are in the format of activations, bfp8 where the precision says none.
        const ValueId q_cast = b_.graph().value(q).spec.dtype == b_.formats().gate
                                   ? q
                                   : b_.node("attention.typecast_q",
                                             tensor::Typecast{b_.formats().gate}, {q}, Role::Heads);
        if (b_.shape().chunk == StepShape::Chunk::Later) {
            return b_.node("attention.chunked_sdpa", tensor::ChunkedSdpa{scale(), window()},
                           {q_cast, k_cache, v_cache}, Role::Heads, OpGroup::SdpaPrefill);
        }
        return b_.node("attention.sdpa", tensor::Sdpa{scale(), window()}, {q_cast, k_cast, v_cast},
                       Role::Heads, OpGroup::SdpaPrefill);
    }

    // --- pieces ---

    const LayerConfig& layer() const { return b_.layer(); }
    std::int64_t q_width() const { return layer().heads * layer().head_dim; }
    std::int64_t kv_width() const { return layer().kv_heads * layer().head_dim; }
    std::int64_t qkv_width() const {
        return q_width() + (layer().values_are_keys ? 1 : 2) * kv_width();
    }
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
        // Rows of the checkpoint; more columns are stored where heads were padded.
        const HeadMap map = head_map(layer());
        const std::int64_t q = map.source_heads * layer().head_dim;
        const std::int64_t kv = map.source_kv_heads * layer().head_dim;
        std::vector<tensor::WeightSource> sources;
        if (b_.config().architecture == Architecture::Phi3) {
            const std::string fused = "self_attn.qkv_proj" + tail;
            sources = {Builder::fused_part(fused, q_width(), 0, q + 2 * kv),
                       Builder::fused_part(fused, kv_width(), q, q + 2 * kv),
                       Builder::fused_part(fused, kv_width(), q + kv, q + 2 * kv)};
        } else {
            sources = {{Builder::hf("self_attn.q_proj" + tail), q_width()},
                       {Builder::hf("self_attn.k_proj" + tail), kv_width()},
                       {Builder::hf("self_attn.v_proj" + tail), kv_width()}};
            for (std::size_t i = 0; i < sources.size(); ++i) sources[i].rows = i == 0 ? q : kv;
        }
        for (std::size_t i = 0; i < sources.size(); ++i) {
            sources[i].column_heads = {i == 0 ? map.q : map.kv, layer().head_dim};
        }
        for (const std::size_t turning : {0U, 1U}) {
            sources[turning].rope_head_dim = layer().head_dim;
            sources[turning].rope_dims = rope_dims();
        }
        if (layer().values_are_keys) sources.pop_back();
        return sources;
    }

    ValueId wqkv() {
        return b_.weight("layers.attention.wqkv", {b_.config().hidden_size, qkv_width()},
                         b_.formats().wqkv, Role::WeightQkv, PerLayer::Yes, qkv_sources("weight"));
    }

    ValueId qkv_bias() {
        return b_.vector("layers.attention.qkv_bias", qkv_width(), Role::BiasQkv,
                         qkv_sources("bias"));
    }

    tensor::WeightSource wo() const {
        const HeadMap map = head_map(layer());
        tensor::WeightSource source{Builder::hf("self_attn.o_proj.weight"),
                                    b_.config().hidden_size};
        source.row_heads = {map.q, layer().head_dim};
        source.depth = map.source_heads * layer().head_dim;
        return source;
    }

    // modeling_olmo3.py: q_norm and k_norm are as wide as the projections.
    ValueId full_width_norm(ValueId qkv) {
        if (b_.config().qk_norm != QkNorm::FullWidth) return qkv;
        const ValueId gamma =
            b_.vector("layers.attention.qk_norm", q_width() + kv_width(), Role::BiasQkv,
                      {{Builder::hf("self_attn.q_norm.weight"), q_width()},
                       {Builder::hf("self_attn.k_norm.weight"), kv_width()}});
        return b_.node("attention.qk_norm", tensor::Opaque{kFullWidthNorm}, {qkv, gamma},
                       Role::Qkv);
    }

    // modeling_gemma4.py: where keys are values, k_proj makes both.
    ValueId with_values(ValueId qk, std::int64_t group) {
        if (!layer().values_are_keys) return qk;
        return b_.node("attention.values", tensor::Opaque{kValuesFromKeys, group + 2, group + 1},
                       {qk}, Role::Qkv);
    }

    // modeling_gpt_oss.py: one more logit for the softmax of each head.
    ValueId sinks(ValueId merged) {
        if (!b_.config().attention_sinks) return merged;
        const ValueId logits = b_.vector("layers.attention.sinks", layer().heads, Role::BiasQkv,
                                         {{Builder::hf("self_attn.sinks"), layer().heads}});
        return b_.node("attention.sinks", tensor::Opaque{kAttentionSinks}, {merged, logits},
                       Role::AttentionOut);
    }

    // modeling_qwen3_5.py: q_proj has a gate as wide beside the query of each head.
    ValueId output_gate(ValueId merged, ValueId normed) {
        if (!b_.config().attention_output_gate) return merged;
        tensor::WeightSource source{Builder::hf("self_attn.q_proj.weight"), q_width()};
        source.rows = 2 * q_width();
        const ValueId weight =
            b_.weight("layers.attention.gate", {b_.config().hidden_size, q_width()},
                      b_.formats().wqkv, Role::WeightQkv, PerLayer::Yes, {source});
        const ValueId gate =
            b_.node("attention.gate", tensor::Linear{b_.formats().activation}, {normed, weight},
                    Role::Qkv, b_.decodes() ? OpGroup::LiQkvDecode : OpGroup::LiQkvPrefill);
        return b_.node("attention.gated", tensor::Opaque{kOutputGate}, {merged, gate},
                       Role::AttentionOut);
    }

    // Norm of every head over its own channels (Qwen3), in the channels' rotary order.
    ValueId head_norm(const std::string& name, ValueId x) {
        if (b_.config().qk_norm != QkNorm::PerHead) return x;
        tensor::WeightSource source{Builder::hf("self_attn." + name + ".weight"), layer().head_dim};
        source.rope_head_dim = layer().head_dim;
        source.rope_dims = rope_dims();
        const ValueId gamma =
            b_.vector("layers.attention." + name, layer().head_dim, Role::HeadNormWeight, {source});
        return b_.rms_norm(x, "attention." + name, gamma, Role::Heads);
    }

    ValueId rotary(const std::string& name, ValueId x) {
        if (!has_rope(b_.config(), layer())) return x;
        return b_.node(name, tensor::RotaryEmbedding{b_.phase()}, {x, rope_.cos, rope_.sin},
                       Role::Heads);
    }

    Builder& b_;
    Builder::RopeTables rope_;
};

}  // namespace

ValueId build_wo(Builder& b, ValueId x, tensor::WeightSource source) {
    const std::int64_t dim = b.config().hidden_size;
    const std::int64_t width = b.graph().value(x).spec.shape[1];
    const ValueId weight = b.weight("layers.attention.wo", {width, dim}, b.formats().wo,
                                    Role::WeightO, PerLayer::Yes, {std::move(source)});
    const ValueId y =
        b.node("attention.wo", tensor::Linear{b.formats().activation}, {x, weight}, Role::Residual,
               b.decodes() ? OpGroup::LiODecode : OpGroup::LiOPrefill);
    const LayerConfig::Attention kind = b.layer().attention;
    const bool may_have_bias =
        kind != LayerConfig::Attention::Cross && kind != LayerConfig::Attention::Linear;
    if (!b.config().o_bias || !may_have_bias) return y;
    const ValueId bias = b.vector("layers.attention.wo_bias", dim, Role::BiasO,
                                  {{Builder::hf("self_attn.o_proj.bias"), dim}});
    return b.node("attention.wo_bias", tensor::AddBias{}, {y, bias}, Role::Residual);
}

// modeling_decilm.py: replace_with_linear.
ValueId build_replaced_attention(Builder& b, ValueId x) {
    return build_wo(b, x, {Builder::hf("self_attn.linear_attn.weight"), b.config().hidden_size});
}

ValueId build_attention(Builder& builder, ValueId x) {
    const ValueId normed = builder.input_norm(Builder::Part::Attention, x);
    switch (builder.layer().attention) {
        case LayerConfig::Attention::Full:
        case LayerConfig::Attention::Sliding:
            return Attention(builder).build(normed);
        case LayerConfig::Attention::Cross:
            return build_cross_attention(builder, normed);
        case LayerConfig::Attention::Latent:
            return build_latent_attention(builder, normed);
        case LayerConfig::Attention::Linear:
            return build_linear_attention(builder, normed);
        case LayerConfig::Attention::Replaced:
            return build_replaced_attention(builder, normed);
        case LayerConfig::Attention::None:
            break;
    }
    core::require(false, "a layer without attention has no contribution of it");
    return normed;
}

}  // namespace model

// Multi-head latent attention (DeepSeek-V3): queries and keys meet in the latent space, so the
// cache keeps one latent row per token for all heads, and the halves of kv_b_proj are products per
// head before and after the attention. What happens per head is not computed.
// huggingface/transformers: src/transformers/models/deepseek_v3/modeling_deepseek_v3.py; the form:
// tenstorrent/tt-metal models/demos/deepseek_v3/tt/mla/mla1d.py (wq_a, wq_b, wkv_b1, wkv_b2). There
// the first projections are one product of the same width; wkv_b2 was cut by heads as wkv_b1 is,
// later versions keep all of it on every chip.
#include "model/builder.h"
#include "model/not_computed.h"

namespace model {
namespace {

using tensor::Role;
using tensor::ValueId;
using PerLayer = Builder::PerLayer;

class LatentAttentionBuilder {
public:
    explicit LatentAttentionBuilder(Builder& builder)
        : b_(builder), sizes_(*builder.config().latent_attention) {}

    ValueId build(ValueId x) {
        const std::int64_t rope = sizes_.qk_rope_head_dim;
        const std::int64_t latent = sizes_.kv_lora_rank;
        const Builder::RopeTables turns = b_.rope_tables(rope);
        const ValueId q = queries(x);
        const ValueId absorbed =
            b_.node("attention.wkv_b1",
                    tensor::Opaque{kLatentAttention, latent + rope, sizes_.qk_nope_head_dim + rope},
                    {q, per_head("wkv_b1", {heads(), sizes_.qk_nope_head_dim, latent}), turns.cos,
                     turns.sin},
                    Role::Qkv);
        const ValueId row =
            b_.node("attention.kv_norm", tensor::Opaque{kLatentAttention},
                    {project(x, "wkv_a", "kv_a_proj_with_mqa", latent + rope, Role::Qkv),
                     norm_weight("kv_norm", "kv_a_layernorm", latent), turns.cos, turns.sin},
                    Role::Qkv);
        const ValueId attended =
            b_.node("attention.latent", tensor::Opaque{kLatentAttention, latent, latent + rope},
                    {absorbed, row, cache(latent + rope)}, Role::AttentionOut);
        const ValueId values =
            b_.node("attention.wkv_b2", tensor::Opaque{kLatentAttention, sizes_.v_head_dim, latent},
                    {attended, per_head("wkv_b2", {heads(), latent, sizes_.v_head_dim})},
                    Role::AttentionOut);
        return build_wo(b_, values,
                        {Builder::hf("self_attn.o_proj.weight"), b_.config().hidden_size});
    }

private:
    std::int64_t heads() const { return b_.layer().heads; }

    ValueId queries(ValueId x) {
        const std::int64_t width = heads() * (sizes_.qk_nope_head_dim + sizes_.qk_rope_head_dim);
        if (sizes_.q_lora_rank == 0) return linear("wq", "q_proj", x, width, Role::WeightQkv);
        const ValueId low = project(x, "wq_a", "q_a_proj", sizes_.q_lora_rank, Role::Other);
        const ValueId normed =
            b_.rms_norm(low, "attention.q_norm",
                        norm_weight("q_norm", "q_a_layernorm", sizes_.q_lora_rank), Role::Other);
        return linear("wq_b", "q_b_proj", normed, width, Role::WeightQkv);
    }

    // From the stream to a latent vector; every chip needs all of it.
    ValueId project(ValueId x, const std::string& name, const std::string& source,
                    std::int64_t width, Role result) {
        const ValueId y = linear(name, source, x, width, Role::WeightLatentIn);
        b_.graph().values[static_cast<std::size_t>(y.value)].role = result;
        return y;
    }

    ValueId linear(const std::string& name, const std::string& source, ValueId x,
                   std::int64_t width, Role role) {
        const std::int64_t depth = b_.graph().value(x).spec.shape[1];
        const ValueId weight =
            b_.weight("layers.attention." + name, {depth, width}, b_.formats().wqkv, role,
                      PerLayer::Yes, {{Builder::hf("self_attn." + source + ".weight"), width}});
        return b_.node("attention." + name, tensor::Linear{b_.formats().activation}, {x, weight},
                       Role::Qkv, b_.decodes() ? OpGroup::LiQkvDecode : OpGroup::LiQkvPrefill);
    }

    ValueId per_head(const std::string& name, const tensor::Shape& shape) {
        return b_.weight("layers.attention." + name, shape, b_.formats().wqkv,
                         Role::WeightLatentHeads, PerLayer::Yes,
                         {{Builder::hf("self_attn.kv_b_proj.weight"), shape[0] * shape[1]}});
    }

    ValueId norm_weight(const std::string& name, const std::string& source, std::int64_t width) {
        return b_.vector("layers.attention." + name, width, Role::HeadNormWeight,
                         {{Builder::hf("self_attn." + source + ".weight"), width}});
    }

    // The same rows serve all heads, so every chip of a group keeps all of them.
    ValueId cache(std::int64_t width) {
        return b_.state("layers.attention.kvpe_cache",
                        {{b_.shape().blocks, 1, b_.shape().block_size, width},
                         b_.formats().kv_cache,
                         tensor::Layout::Tile},
                        Role::LatentCache);
    }

    Builder& b_;
    LatentAttention sizes_;
};

}  // namespace

ValueId build_latent_attention(Builder& builder, ValueId x) {
    return LatentAttentionBuilder(builder).build(x);
}

}  // namespace model

// A layer that keeps a state instead of a cache (gated delta rule, Qwen3.5): projections in and out
// are products like others, the short convolution and the rule between them are not computed.
// huggingface/transformers: src/transformers/models/qwen3_5/modeling_qwen3_5.py,
// Qwen3_5GatedDeltaNet. How a device stores the states is a GUESS: the rule's in float32 as there,
// the convolution's inputs in the format of activations, the latest kernel - 1 steps.
#include <algorithm>

#include "model/builder.h"
#include "model/not_computed.h"

namespace model {
namespace {

using tensor::Role;
using tensor::ValueId;
using PerLayer = Builder::PerLayer;

class DeltaRule {
public:
    explicit DeltaRule(Builder& builder)
        : b_(builder),
          sizes_(*builder.config().linear_attention),
          keys_(sizes_.key_heads * sizes_.key_head_dim),
          values_(sizes_.value_heads * sizes_.value_head_dim) {}

    ValueId build(ValueId x) {
        const ValueId qkv =
            linear(x, "in_proj_qkv", Role::WeightQkv,
                   {part("in_proj_qkv", keys_, 0), part("in_proj_qkv", keys_, keys_),
                    part("in_proj_qkv", values_, 2 * keys_)});
        const ValueId z = linear(x, "in_proj_z", Role::WeightQkv,
                                 {{Builder::hf("linear_attn.in_proj_z.weight"), values_}});
        const ValueId rates =
            linear(x, "in_proj_ba", Role::WeightColumns,
                   {{Builder::hf("linear_attn.in_proj_b.weight"), sizes_.value_heads},
                    {Builder::hf("linear_attn.in_proj_a.weight"), sizes_.value_heads}});
        const ValueId y = b_.node(
            "attention.delta_rule", tensor::Opaque{kLinearAttention, values_, width()},
            {qkv, z, rates, vector("conv1d", ".weight", width() * sizes_.conv_kernel_dim),
             vector("A_log", "", sizes_.value_heads), vector("dt_bias", "", sizes_.value_heads),
             norm_weight(), conv_state(), rule_state()},
            Role::AttentionOut);
        return build_wo(b_, y,
                        {Builder::hf("linear_attn.out_proj.weight"), b_.config().hidden_size});
    }

private:
    std::int64_t width() const { return 2 * keys_ + values_; }

    tensor::WeightSource part(const std::string& name, std::int64_t columns,
                              std::int64_t first) const {
        return Builder::fused_part("linear_attn." + name + ".weight", columns, first, width());
    }

    ValueId linear(ValueId x, const std::string& name, Role role,
                   std::vector<tensor::WeightSource> sources) {
        std::int64_t columns = 0;
        for (const tensor::WeightSource& source : sources) columns += source.columns;
        const ValueId weight =
            b_.weight("layers.attention." + name, {b_.config().hidden_size, columns},
                      b_.formats().wqkv, role, PerLayer::Yes, std::move(sources));
        return b_.node("attention." + name, tensor::Linear{b_.formats().activation}, {x, weight},
                       Role::Qkv, b_.decodes() ? OpGroup::LiQkvDecode : OpGroup::LiQkvPrefill);
    }

    // Goes with the heads, as the columns of in_proj_qkv do.
    ValueId vector(const std::string& name, const std::string& tail, std::int64_t n) {
        return b_.vector("layers.attention." + name, n, Role::BiasQkv,
                         {{Builder::hf("linear_attn." + name + tail), n}});
    }

    ValueId norm_weight() {
        return b_.vector("layers.attention.norm", sizes_.value_head_dim, Role::HeadNormWeight,
                         {{Builder::hf("linear_attn.norm.weight"), sizes_.value_head_dim}});
    }

    ValueId conv_state() {
        const std::int64_t steps = std::max<std::int64_t>(sizes_.conv_kernel_dim - 1, 1);
        return b_.state(
            "layers.attention.conv_state",
            {{steps, b_.shape().users, width()}, b_.formats().activation, tensor::Layout::Tile},
            Role::ConvState);
    }

    ValueId rule_state() {
        return b_.state(
            "layers.attention.rule_state",
            {{b_.shape().users, sizes_.value_heads, sizes_.key_head_dim, sizes_.value_head_dim},
             tensor::DType::Float32,
             tensor::Layout::Tile},
            Role::KvCache);
    }

    Builder& b_;
    LinearAttention sizes_;
    std::int64_t keys_;    // columns of all queries, and of all keys
    std::int64_t values_;  // columns of all values
};

}  // namespace

ValueId build_linear_attention(Builder& builder, ValueId x) { return DeltaRule(builder).build(x); }

}  // namespace model

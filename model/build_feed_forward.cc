// The gated feed-forward: down(silu(gate(x)) * up(x)).
#include "model/builder.h"

namespace model {

using tensor::Role;
using tensor::ValueId;
using PerLayer = Builder::PerLayer;

ValueId build_feed_forward(Builder& b, ValueId x) {
    const std::int64_t dim = b.config().hidden_size;
    const std::int64_t ffn = b.layer().intermediate_size;
    const ValueId normed =
        b.rms_norm(x, "ffn_norm", Builder::hf("post_attention_layernorm.weight"), PerLayer::Yes);
    const bool fused = b.config().architecture == Architecture::Phi3;
    const tensor::WeightSource gate_source =
        fused ? Builder::fused_part("mlp.gate_up_proj.weight", ffn, 0, 2 * ffn)
              : tensor::WeightSource{Builder::hf("mlp.gate_proj.weight"), ffn};
    const tensor::WeightSource up_source =
        fused ? Builder::fused_part("mlp.gate_up_proj.weight", ffn, ffn, 2 * ffn)
              : tensor::WeightSource{Builder::hf("mlp.up_proj.weight"), ffn};
    const ValueId w1 = b.weight("layers.feed_forward.w1", {dim, ffn}, b.formats().ff1_3,
                                Role::WeightGateUp, PerLayer::Yes, {gate_source});
    const ValueId w3 = b.weight("layers.feed_forward.w3", {dim, ffn}, b.formats().ff1_3,
                                Role::WeightGateUp, PerLayer::Yes, {up_source});
    const ValueId w2 =
        b.weight("layers.feed_forward.w2", {ffn, dim}, b.formats().ff2, Role::WeightDown,
                 PerLayer::Yes, {{Builder::hf("mlp.down_proj.weight"), dim, 0}});
    const tensor::Linear op{b.formats().activation};
    const ValueId gate =
        b.node("feed_forward.w1", op, {normed, w1}, Role::FeedForward, OpGroup::LiFf1Ff3);
    const ValueId up =
        b.node("feed_forward.w3", op, {normed, w3}, Role::FeedForward, OpGroup::LiFf1Ff3);
    const ValueId product =
        b.node("feed_forward.mul", tensor::GatedMul{tensor::Activation::Silu, b.formats().gate},
               {gate, up}, Role::FeedForward);
    return b.node("feed_forward.w2", op, {product, w2}, Role::Residual, OpGroup::LiFf2);
}

}  // namespace model

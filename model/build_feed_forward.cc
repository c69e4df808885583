// The feed-forward of a layer: gated, plain, one matrix, or experts (build_experts.cc).
// Names: huggingface/transformers: src/transformers/models, modeling_llama.py, modeling_phi3.py,
// modeling_falcon.py; modeling_decilm.py of nvidia/Llama-3_3-Nemotron-Super-49B-v1.
#include "core/error.h"
#include "model/builder.h"
#include "model/feed_forward.h"
#include "model/head_padding.h"

namespace model {

using tensor::Role;
using tensor::ValueId;
using PerLayer = Builder::PerLayer;

tensor::Activation activation_of(const Config& config) {
    switch (config.hidden_act) {
        case Activation::Silu:
            return tensor::Activation::Silu;
        case Activation::Gelu:
            return tensor::Activation::Gelu;
        case Activation::GeluTanh:
            return tensor::Activation::GeluTanh;
        case Activation::Relu:
            return tensor::Activation::Relu;
    }
    core::require(false, "every Activation is in the switch");
    return tensor::Activation::Silu;
}

namespace {

// x W, with its bias where the network has biases.
ValueId product(Builder& b, const std::string& name, ValueId x, ValueId weight,
                const std::string& module, OpGroup group) {
    const bool gate_up = group == OpGroup::LiFf1Ff3;
    std::vector<ValueId> inputs{x, weight};
    if (b.config().mlp_bias) {
        tensor::WeightSource source{module + ".bias", 0};
        source.columns = b.graph().value(weight).spec.shape[1];
        inputs.push_back(b.vector("layers." + name + "_bias", source.columns,
                                  gate_up ? Role::BiasGateUp : Role::BiasDown, {source}));
    }
    return b.node(name, tensor::Linear{b.formats().activation}, std::move(inputs),
                  gate_up ? Role::FeedForward : Role::Residual, group);
}

ValueId gate_up(Builder& b, const std::string& name, ValueId x, std::int64_t width,
                const tensor::WeightSource& source, const std::string& module) {
    const ValueId weight = b.weight("layers." + name, {b.config().hidden_size, width},
                                    b.formats().ff1_3, Role::WeightGateUp, PerLayer::Yes, {source});
    return product(b, name, x, weight, module, OpGroup::LiFf1Ff3);
}

// `stored` rows of the weight are the checkpoint's.
ValueId down(Builder& b, const std::string& name, ValueId x, std::int64_t stored,
             const std::string& module) {
    const std::int64_t dim = b.config().hidden_size;
    tensor::WeightSource source{module + ".weight", dim};
    source.depth = stored;
    const ValueId weight = b.weight("layers." + name, {b.graph().value(x).spec.shape[1], dim},
                                    b.formats().ff2, Role::WeightDown, PerLayer::Yes, {source});
    return product(b, name, x, weight, module, OpGroup::LiFf2);
}

// down(activation(gate) * up).
ValueId gate_and_down(Builder& b, const std::string& name, ValueId gate, ValueId up,
                      const GatedModules& modules) {
    const tensor::GatedMul mul{activation_of(b.config()), b.formats().gate};
    const ValueId gated = b.node(name + ".mul", mul, {gate, up}, Role::FeedForward);
    return down(b, name + ".w2", gated, modules.stored, modules.down);
}

GatedModules modules_of_layer(const Builder& b) {
    const LayerConfig& layer = b.layer();
    return {Builder::hf("mlp.gate_proj"), Builder::hf("mlp.up_proj"), Builder::hf("mlp.down_proj"),
            layer.intermediate_size, source_intermediate(layer)};
}

// Gate and up are rows of one tensor (Phi3).
ValueId fused_gated(Builder& b, ValueId x) {
    const GatedModules modules = modules_of_layer(b);
    const std::int64_t stored = modules.stored;
    const std::string module = Builder::hf("mlp.gate_up_proj");
    const auto part = [&](std::int64_t first) {
        return Builder::fused_part("mlp.gate_up_proj.weight", stored, first, 2 * stored);
    };
    const ValueId gate = gate_up(b, "feed_forward.w1", x, modules.width, part(0), module);
    const ValueId up = gate_up(b, "feed_forward.w3", x, modules.width, part(stored), module);
    return gate_and_down(b, "feed_forward", gate, up, modules);
}

// Two matrices (Falcon).
ValueId plain(Builder& b, ValueId x) {
    const std::int64_t width = b.layer().intermediate_size;
    const std::string module = "transformer.h.{layer}.mlp.";
    const std::string first = module + "dense_h_to_4h";
    const ValueId up = gate_up(b, "feed_forward.w1", x, width, {first + ".weight", width}, first);
    const tensor::Activate op{activation_of(b.config()), b.formats().gate};
    const ValueId active = b.node("feed_forward.activation", op, {up}, Role::FeedForward);
    return down(b, "feed_forward.w2", active, width, module + "dense_4h_to_h");
}

// One matrix instead of the three (DeciLM).
ValueId replaced(Builder& b, ValueId x) {
    return down(b, "feed_forward.linear", x, b.config().hidden_size, Builder::hf("mlp.linear_mlp"));
}

}  // namespace

ValueId build_gated(Builder& b, const std::string& name, ValueId x, const GatedModules& modules) {
    const auto half = [&](const char* which, const std::string& module) {
        return gate_up(b, name + which, x, modules.width, {module + ".weight", modules.stored},
                       module);
    };
    const ValueId gate = half(".w1", modules.gate);
    const ValueId up = half(".w3", modules.up);
    return gate_and_down(b, name, gate, up, modules);
}

ValueId build_feed_forward(Builder& b, ValueId x) {
    const ValueId normed = b.input_norm(Builder::Part::FeedForward, x);
    switch (b.layer().feed_forward) {
        case LayerConfig::FeedForward::Plain:
            return plain(b, normed);
        case LayerConfig::FeedForward::Experts:
            return build_experts(b, normed);
        case LayerConfig::FeedForward::Replaced:
            return replaced(b, normed);
        case LayerConfig::FeedForward::Gated:
            break;
        case LayerConfig::FeedForward::None:
            core::require(false, "only a feed-forward that is there is built");
    }
    if (b.config().architecture == Architecture::Phi3) return fused_gated(b, normed);
    return build_gated(b, "feed_forward", normed, modules_of_layer(b));
}

}  // namespace model

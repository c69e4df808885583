// Router and experts of a layer, and the dense feed-forward some layers have beside them.
// Names and routing: huggingface/transformers: src/transformers/models, modeling_mixtral.py,
// modeling_qwen3_moe.py, modeling_gpt_oss.py, modeling_deepseek_v3.py, modeling_phimoe.py.
// Exact for Mixtral and Qwen3-MoE. Of the others only the sizes are: gpt-oss clamps its gate,
// DeepSeek-V3 chooses within groups of experts, PhiMoE samples, Gemma 4 scales its router's input.
#include "model/builder.h"
#include "model/feed_forward.h"

namespace model {
namespace {

using tensor::DType;
using tensor::Role;
using tensor::ValueId;
using PerLayer = Builder::PerLayer;

// Tensors of a layer's experts in the checkpoint, after "model.layers.{layer}.".
struct Names {
    std::string router;  // module
    std::string gate;    // tensors
    std::string up;
    std::string down;
};

Names names_of(Architecture architecture) {
    switch (architecture) {
        case Architecture::Mixtral:
        case Architecture::PhiMoe: {
            const std::string expert = "block_sparse_moe.experts.{expert}.";
            return {"block_sparse_moe.gate", expert + "w1.weight", expert + "w3.weight",
                    expert + "w2.weight"};
        }
        case Architecture::GptOss:
            // All experts in one tensor, gate and up in turn: sizes only.
            return {"mlp.router", "mlp.experts.gate_up_proj", "mlp.experts.gate_up_proj",
                    "mlp.experts.down_proj"};
        default: {
            const std::string expert = "mlp.experts.{expert}.";
            return {"mlp.gate", expert + "gate_proj.weight", expert + "up_proj.weight",
                    expert + "down_proj.weight"};
        }
    }
}

class ExpertsBuilder {
public:
    ExpertsBuilder(Builder& builder, ValueId x)
        : b_(builder),
          x_(x),
          layer_(builder.layer()),
          dim_(builder.config().hidden_size),
          names_(names_of(builder.config().architecture)) {}

    ValueId build() {
        const ValueId routing = route();
        std::vector<ValueId> inputs{x_, routing};
        for (ValueId id : weights()) inputs.push_back(id);
        if (biased()) {
            for (ValueId id : biases()) inputs.push_back(id);
        }
        const tensor::Experts op{.activation = activation_of(b_.config()),
                                 .experts = layer_.experts,
                                 .top_k = layer_.experts_per_token,
                                 .hidden = b_.formats().gate,
                                 .out = b_.formats().activation};
        // One op, one fidelity: that of w1 and w3, two thirds of its products.
        const ValueId chosen = b_.node("feed_forward.experts", op, std::move(inputs),
                                       Role::Residual, OpGroup::LiFf1Ff3);
        if (layer_.shared_experts_intermediate_size == 0) return chosen;
        return b_.add("feed_forward.shared_add", chosen, shared());
    }

private:
    bool is(Architecture architecture) const { return b_.config().architecture == architecture; }
    bool biased() const { return is(Architecture::GptOss); }

    // Router weights and scores are bf16 whatever the experts are (mixtral_moe.py: gates_H8), or
    // float32 in a float32 run.
    DType router_dtype() const {
        return b_.formats().activation == DType::Float32 ? DType::Float32 : DType::BFloat16;
    }

    ValueId router_vector(const std::string& name, const std::string& tensor) {
        return b_.vector("layers.feed_forward." + name, layer_.experts, Role::WeightRouter,
                         {{Builder::hf(tensor), layer_.experts}});
    }

    tensor::Route route_op() const {
        tensor::Route op{.top_k = layer_.experts_per_token, .out = router_dtype()};
        const Config& config = b_.config();
        if (is(Architecture::GptOss)) op.scores = tensor::Route::Scores::TopKThenSoftmax;
        if (is(Architecture::DeepseekV3)) op.scores = tensor::Route::Scores::SigmoidThenTopK;
        op.normalize =
            config.norm_topk_prob ? tensor::Route::Normalize::Yes : tensor::Route::Normalize::No;
        op.scale = static_cast<float>(config.routed_scaling_factor);
        return op;
    }

    ValueId route() {
        const ValueId gate = b_.weight("layers.feed_forward.router", {dim_, layer_.experts},
                                       router_dtype(), Role::WeightRouter, PerLayer::Yes,
                                       {{Builder::hf(names_.router + ".weight"), layer_.experts}});
        std::vector<ValueId> inputs{x_, gate};
        if (biased()) inputs.push_back(router_vector("router_bias", names_.router + ".bias"));
        std::vector<ValueId> scores{b_.node("feed_forward.router", tensor::Linear{router_dtype()},
                                            std::move(inputs), Role::Other)};
        if (is(Architecture::DeepseekV3)) {
            scores.push_back(
                router_vector("router_correction", names_.router + ".e_score_correction_bias"));
        }
        return b_.node("feed_forward.route", route_op(), std::move(scores), Role::Other);
    }

    std::vector<ValueId> weights() {
        const std::int64_t experts = layer_.experts;
        const std::int64_t width = layer_.expert_intermediate_size;
        const auto one = [&](const char* name, const tensor::Shape& shape, DType dtype, Role role,
                             const std::string& tensor) {
            return b_.weight(std::string("layers.feed_forward.experts.") + name, shape, dtype, role,
                             PerLayer::Yes, {{Builder::hf(tensor), shape[2]}});
        };
        const DType up = b_.formats().ff1_3;
        return {one("w1", {experts, dim_, width}, up, Role::WeightExpertsGateUp, names_.gate),
                one("w3", {experts, dim_, width}, up, Role::WeightExpertsGateUp, names_.up),
                one("w2", {experts, width, dim_}, b_.formats().ff2, Role::WeightExpertsDown,
                    names_.down)};
    }

    // [experts, columns], in tiles like the weights.
    std::vector<ValueId> biases() {
        const std::int64_t width = layer_.expert_intermediate_size;
        const auto one = [&](const char* name, std::int64_t columns, Role role,
                             const std::string& tensor) {
            return b_.weight(std::string("layers.feed_forward.experts.") + name,
                             {layer_.experts, columns}, b_.precision().norms, role, PerLayer::Yes,
                             {{Builder::hf(tensor + "_bias"), columns}});
        };
        return {one("w1_bias", width, Role::BiasExpertsGateUp, names_.gate),
                one("w3_bias", width, Role::BiasExpertsGateUp, names_.up),
                one("w2_bias", dim_, Role::BiasExpertsDown, names_.down)};
    }

    // DeepSeek-V3 calls it its shared experts; in Gemma 4 it is the layer's own mlp.
    ValueId shared() {
        const std::string module = is(Architecture::DeepseekV3) ? "mlp.shared_experts." : "mlp.";
        const std::int64_t width = layer_.shared_experts_intermediate_size;
        return build_gated(b_, "feed_forward.shared", x_,
                           {Builder::hf(module + "gate_proj"), Builder::hf(module + "up_proj"),
                            Builder::hf(module + "down_proj"), width, width});
    }

    Builder& b_;
    ValueId x_;
    const LayerConfig& layer_;
    std::int64_t dim_;
    Names names_;
};

}  // namespace

ValueId build_experts(Builder& builder, ValueId x) { return ExpertsBuilder(builder, x).build(); }

}  // namespace model

// What every part of the network is written with: the graph under construction, the layer it is
// in, and the small pieces (weights, nodes, norms, caches) the parts share.
// Nothing here knows of chips; `partition` places what comes out.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "model/build.h"
#include "model/config.h"
#include "model/precision.h"
#include "tensor/graph.h"

namespace model {

class Builder {
public:
    enum class PerLayer { No, Yes };
    /// The two blocks of a layer, each with norms of its own.
    enum class Part { Attention, FeedForward };

    Builder(const Config& config, const Precision& precision, const StepShape& shape,
            tensor::Phase phase);

    const Config& config() const { return config_; }
    const Precision& precision() const { return precision_; }
    const StepShape& shape() const { return shape_; }
    tensor::Phase phase() const { return phase_; }
    bool decodes() const { return phase_ == tensor::Phase::Decode; }
    tensor::Graph& graph() { return graph_; }

    /// The sizes and formats of the layers the block under construction stands for.
    const LayerConfig& layer() const { return layer_; }
    const LayerPrecision& formats() const { return *formats_; }

    /// Opens a block for `repeat` layers that are alike; layer() and formats() are those of
    /// `first`. Prologue and epilogue stand for no layer.
    void begin_block(std::string name, std::int32_t first, std::int32_t repeat);
    /// Layers from `first` on with equal sizes and formats.
    std::int32_t alike_from(std::int32_t first) const;

    tensor::ValueId node(const std::string& name, const tensor::Op& op,
                         std::vector<tensor::ValueId> inputs, tensor::Role role,
                         OpGroup group = OpGroup::Other);
    /// A stored matrix [K, N] in tiles.
    tensor::ValueId weight(const std::string& name, tensor::Shape shape, tensor::DType dtype,
                           tensor::Role role, PerLayer per_layer,
                           std::vector<tensor::WeightSource> sources);
    /// A stored vector [n], row-major, of the current layer.
    tensor::ValueId vector(const std::string& name, std::int64_t n, tensor::Role role,
                           std::vector<tensor::WeightSource> sources);
    /// A norm of the stream by config().norm_kind. `source` is the module that holds its weight.
    tensor::ValueId norm(tensor::ValueId x, const std::string& name, const std::string& source,
                         PerLayer per_layer);
    /// What block `part` of the current layer works on: the stream `x` normalized, or `x` itself
    /// where only outputs are (Norms::Post).
    tensor::ValueId input_norm(Part part, tensor::ValueId x);
    /// What is added to the stream for the block's output `y`: `y` normalized, or `y` itself where
    /// only inputs are (Norms::Pre).
    tensor::ValueId output_norm(Part part, tensor::ValueId y);
    /// A norm over the last axis with one weight per column, of the current layer.
    tensor::ValueId rms_norm(tensor::ValueId x, const std::string& name, tensor::ValueId weight,
                             tensor::Role role);
    tensor::ValueId add(const std::string& name, tensor::ValueId a, tensor::ValueId b);
    /// `y` is normalized or gated before it is added: its sum over chips is taken first.
    tensor::ValueId whole(tensor::ValueId y);
    /// The paged cache of the current layer, [blocks, kv_heads, block_size, head_dim].
    tensor::ValueId cache(const std::string& name);
    /// What the host gives a step, one per name.
    tensor::ValueId input(const std::string& name, const tensor::Spec& spec);
    /// What a layer keeps between steps beside a paged cache of keys or values.
    tensor::ValueId state(const std::string& name, const tensor::Spec& spec, tensor::Role role);
    /// Rows of cos and sin [max_context, head_dim] for the current layer, shared by all layers
    /// whose heads turn alike.
    struct RopeTables {
        tensor::ValueId cos{-1};
        tensor::ValueId sin{-1};
    };
    RopeTables rope_tables(std::int64_t head_dim);
    /// Decode: the rows of those tables for the users of the step, [users, 1, head_dim]. They are
    /// made once per step, before the first layer.
    RopeTables rope_rows(std::int64_t head_dim);

    /// "model.layers.{layer}.<tail>".
    static std::string hf(const std::string& tail) { return "model.layers.{layer}." + tail; }
    /// Rows [first, first + columns) of a fused projection of `rows` rows.
    static tensor::WeightSource fused_part(const std::string& tail, std::int64_t columns,
                                           std::int64_t first, std::int64_t rows);

private:
    tensor::ValueId falcon_norm(Part part, tensor::ValueId x);
    tensor::ValueId rope_table(const std::string& name, std::int64_t head_dim);
    std::string rope_name(std::int64_t head_dim) const;
    tensor::ValueId shared(const tensor::Value& value);

    const Config& config_;
    const Precision& precision_;
    StepShape shape_;
    tensor::Phase phase_;
    tensor::Graph graph_;
    LayerConfig layer_;
    const LayerPrecision* formats_ = nullptr;
    tensor::ValueId normed_{-1};  // what the attention of the current layer works on
    std::map<std::string, tensor::ValueId> shared_;  // rotary tables and inputs
    std::map<std::string, RopeTables> rope_rows_;
};

/// The attention of the current layer, its input norm included: the stream x -> its output, before
/// any norm of outputs. Requires: the layer has one.
tensor::ValueId build_attention(Builder& builder, tensor::ValueId x);

/// The kinds of attention without a paged cache of heads; x is normalized. By build_attention.
tensor::ValueId build_cross_attention(Builder& builder, tensor::ValueId x);
tensor::ValueId build_latent_attention(Builder& builder, tensor::ValueId x);
tensor::ValueId build_linear_attention(Builder& builder, tensor::ValueId x);
tensor::ValueId build_replaced_attention(Builder& builder, tensor::ValueId x);
/// The projection back to the stream, with its bias: x [rows, width] -> [rows, hidden].
/// `source` says where the weight [hidden, width] comes from.
tensor::ValueId build_wo(Builder& builder, tensor::ValueId x, tensor::WeightSource source);

/// The feed-forward of the current layer, its input norm included: the stream x -> its output,
/// before any norm of outputs. Requires: the layer has one.
tensor::ValueId build_feed_forward(Builder& builder, tensor::ValueId x);

}  // namespace model

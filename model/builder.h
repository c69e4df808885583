// What every part of the network is written with: the graph under construction, the layer it is
// in, and the small pieces (weights, nodes, norms, caches) the parts share.
// Nothing here knows of chips; `partition` places what comes out.
#pragma once

#include <cstdint>
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
    tensor::ValueId rms_norm(tensor::ValueId x, const std::string& name, const std::string& source,
                             PerLayer per_layer);
    tensor::ValueId add(const std::string& name, tensor::ValueId a, tensor::ValueId b);
    /// The paged cache of the current layer, [blocks, kv_heads, block_size, head_dim].
    tensor::ValueId cache(const std::string& name);
    /// Rows of cos or sin [max_context, head_dim].
    tensor::ValueId rope_table(const std::string& name);

    /// "model.layers.{layer}.<tail>".
    static std::string hf(const std::string& tail) { return "model.layers.{layer}." + tail; }
    /// Rows [first, first + columns) of a fused projection of `rows` rows.
    static tensor::WeightSource fused_part(const std::string& tail, std::int64_t columns,
                                           std::int64_t first, std::int64_t rows);

private:
    const Config& config_;
    const Precision& precision_;
    StepShape shape_;
    tensor::Phase phase_;
    tensor::Graph graph_;
    LayerConfig layer_;
    const LayerPrecision* formats_ = nullptr;
};

/// The attention of the current layer, its norm included: x -> its contribution to the stream.
/// `cos` and `sin` are the rotary tables of this step.
tensor::ValueId build_attention(Builder& builder, tensor::ValueId x, tensor::ValueId cos,
                                tensor::ValueId sin);

/// The feed-forward of the current layer, its norm included: x -> its contribution to the stream.
tensor::ValueId build_feed_forward(Builder& builder, tensor::ValueId x);

}  // namespace model

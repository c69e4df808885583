#include "model/builder.h"

namespace model {

using tensor::Layout;
using tensor::Role;
using tensor::ValueId;
using tensor::ValueKind;

namespace {

// Layer sizes of a Config made by hand: all layers as its head says.
LayerConfig uniform_layer(const Config& config) {
    LayerConfig layer;
    layer.heads = config.num_attention_heads;
    layer.kv_heads = config.num_key_value_heads;
    layer.head_dim = config.head_dim;
    layer.intermediate_size = config.intermediate_size;
    return layer;
}

}  // namespace

Builder::Builder(const Config& config, const Precision& precision, const StepShape& shape,
                 tensor::Phase phase)
    : config_(config), precision_(precision), shape_(shape), phase_(phase) {
    graph_.layers = static_cast<std::int32_t>(config.num_hidden_layers);
    graph_.phase = phase;
}

void Builder::begin_block(std::string name, std::int32_t first, std::int32_t repeat) {
    graph_.blocks.push_back({std::move(name), first, repeat, {}, {-1}, {-1}});
    if (first >= graph_.layers) return;
    const auto index = static_cast<std::size_t>(first);
    layer_ = config_.layers.empty() ? uniform_layer(config_) : config_.layers[index];
    formats_ = &precision_.layers[index];
}

std::int32_t Builder::alike_from(std::int32_t first) const {
    const auto a = static_cast<std::size_t>(first);
    const auto same = [&](std::int32_t other) {
        const auto b = static_cast<std::size_t>(other);
        const bool sizes = config_.layers.empty() || config_.layers[a] == config_.layers[b];
        return sizes && precision_.layers[a] == precision_.layers[b];
    };
    std::int32_t count = 1;
    while (first + count < graph_.layers && same(first + count)) ++count;
    return count;
}

ValueId Builder::node(const std::string& name, const tensor::Op& op, std::vector<ValueId> inputs,
                      Role role, OpGroup group) {
    const ValueId out = graph_.add_node(name, op, std::move(inputs), {role}).front();
    graph_.blocks.back().nodes.back().fidelity_group = static_cast<int>(group);
    return out;
}

ValueId Builder::weight(const std::string& name, tensor::Shape shape, tensor::DType dtype,
                        Role role, PerLayer per_layer, std::vector<tensor::WeightSource> sources) {
    return graph_.add_value({name,
                             {shape, dtype, Layout::Tile},
                             ValueKind::Weight,
                             role,
                             per_layer == PerLayer::Yes,
                             std::move(sources)});
}

ValueId Builder::vector(const std::string& name, std::int64_t n, Role role,
                        std::vector<tensor::WeightSource> sources) {
    return graph_.add_value({name,
                             {{n}, precision_.norms, Layout::RowMajor},
                             ValueKind::Weight,
                             role,
                             true,
                             std::move(sources)});
}

ValueId Builder::rms_norm(ValueId x, const std::string& name, const std::string& source,
                          PerLayer per_layer) {
    const std::string prefix = per_layer == PerLayer::Yes ? "layers." : "";
    const ValueId gamma =
        graph_.add_value({prefix + name,
                          {{config_.hidden_size}, precision_.norms, Layout::RowMajor},
                          ValueKind::Weight,
                          Role::NormWeight,
                          per_layer == PerLayer::Yes,
                          {{source, config_.hidden_size, 0}}});
    return node(name, tensor::RmsNorm{static_cast<float>(config_.rms_norm_eps)}, {x, gamma},
                Role::Normed);
}

ValueId Builder::add(const std::string& name, ValueId a, ValueId b) {
    return node(name, tensor::Add{}, {a, b}, Role::Residual);
}

ValueId Builder::cache(const std::string& name) {
    return graph_.add_value({name,
                             {{shape_.blocks, layer_.kv_heads, shape_.block_size, layer_.head_dim},
                              formats_->kv_cache,
                              Layout::Tile},
                             ValueKind::State,
                             Role::KvCache,
                             true,
                             {}});
}

ValueId Builder::rope_table(const std::string& name) {
    return graph_.add_value(
        {name,
         {{shape_.max_context, config_.head_dim}, precision_.rope, Layout::Tile},
         ValueKind::Weight,
         Role::RopeTable,
         false,
         {}});
}

tensor::WeightSource Builder::fused_part(const std::string& tail, std::int64_t columns,
                                         std::int64_t first, std::int64_t rows) {
    tensor::WeightSource source{hf(tail), columns};
    source.first_row = first;
    source.rows = rows;
    return source;
}

}  // namespace model

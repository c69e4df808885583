#include "model/builder.h"

#include <array>
#include <iterator>

#include "model/not_computed.h"

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

ValueId Builder::norm(ValueId x, const std::string& name, const std::string& source,
                      PerLayer per_layer) {
    const std::string prefix = per_layer == PerLayer::Yes ? "layers." : "";
    const auto weight = [&](const std::string& suffix, const std::string& tail) {
        return graph_.add_value({prefix + name + suffix,
                                 {{config_.hidden_size}, precision_.norms, Layout::RowMajor},
                                 ValueKind::Weight,
                                 Role::NormWeight,
                                 per_layer == PerLayer::Yes,
                                 {{source + tail, config_.hidden_size, 0}}});
    };
    const ValueId gamma = weight("", ".weight");
    if (config_.norm_kind == NormKind::Rms) return rms_norm(x, name, gamma, Role::Normed);
    const ValueId beta = weight(".bias", ".bias");
    return node(name, tensor::Opaque{kLayerNorm}, {x, gamma, beta}, Role::Normed);
}

ValueId Builder::rms_norm(ValueId x, const std::string& name, ValueId weight, Role role) {
    return node(name, tensor::RmsNorm{static_cast<float>(config_.rms_norm_eps)}, {x, weight}, role);
}

// Modules as huggingface/transformers names them: src/transformers/models, modeling_llama.py,
// modeling_gemma3.py (four norms), modeling_olmo2.py and modeling_exaone4.py (outputs alone),
// modeling_falcon.py.
ValueId Builder::input_norm(Part part, ValueId x) {
    if (config_.norms == Norms::Post) return x;
    const bool attention = part == Part::Attention;
    const char* name = attention ? "attention_norm" : "ffn_norm";
    if (config_.architecture == Architecture::Falcon && config_.residual == Residual::Parallel) {
        return falcon_norm(part, x);
    }
    const char* before_ffn = config_.norms == Norms::PreAndPost ? "pre_feedforward_layernorm"
                                                                : "post_attention_layernorm";
    return norm(x, name, hf(attention ? "input_layernorm" : before_ffn), PerLayer::Yes);
}

// Attention and feed-forward stand side by side. With groups of heads each has a norm of its own,
// else there is one for both.
ValueId Builder::falcon_norm(Part part, ValueId x) {
    const bool attention = part == Part::Attention;
    const bool grouped = layer_.kv_heads > 1 && layer_.kv_heads < layer_.heads;
    if (!attention && !grouped) return normed_;
    const char* both = attention ? "ln_attn" : "ln_mlp";
    normed_ = norm(x, attention ? "attention_norm" : "ffn_norm",
                   std::string("transformer.h.{layer}.") + (grouped ? both : "input_layernorm"),
                   PerLayer::Yes);
    return normed_;
}

ValueId Builder::output_norm(Part part, ValueId y) {
    if (config_.norms == Norms::Pre) return y;
    const bool attention = part == Part::Attention;
    const ValueId normed = norm(
        whole(y), attention ? "attention_output_norm" : "ffn_output_norm",
        hf(attention ? "post_attention_layernorm" : "post_feedforward_layernorm"), PerLayer::Yes);
    return whole(normed);
}

ValueId Builder::whole(ValueId y) {
    graph_.values.at(static_cast<std::size_t>(y.value)).role = Role::Contribution;
    return y;
}

ValueId Builder::add(const std::string& name, ValueId a, ValueId b) {
    return node(name, tensor::Add{}, {a, b}, Role::Residual);
}

ValueId Builder::cache(const std::string& name) {
    return state(name,
                 {{shape_.blocks, layer_.kv_heads, shape_.block_size, layer_.head_dim},
                  formats_->kv_cache,
                  Layout::Tile},
                 Role::KvCache);
}

ValueId Builder::state(const std::string& name, const tensor::Spec& spec, Role role) {
    return graph_.add_value({name, spec, ValueKind::State, role, true, {}});
}

// Layers that slide may turn by a base of their own; other widths have tables of their own too.
std::string Builder::rope_name(std::int64_t head_dim) const {
    std::string name = "rope.";
    if (layer_.attention == LayerConfig::Attention::Sliding && has_local_rope(config_)) {
        name += "local.";
    }
    if (head_dim != config_.head_dim) name += std::to_string(head_dim) + ".";
    return name;
}

Builder::RopeTables Builder::rope_tables(std::int64_t head_dim) {
    const std::string name = rope_name(head_dim);
    return {rope_table(name + "cos", head_dim), rope_table(name + "sin", head_dim)};
}

// tenstorrent/tt-metal models/tt_transformers/tt/rope.py, get_rot_mats: tables are kept in tiles,
// and ttnn.embedding untilizes all of a tiled table before it gathers.
Builder::RopeTables Builder::rope_rows(std::int64_t head_dim) {
    const std::string name = rope_name(head_dim);
    const auto found = rope_rows_.find(name);
    if (found != rope_rows_.end()) return found->second;
    const RopeTables tables = rope_tables(head_dim);
    const ValueId positions =
        input("rope_positions", {{core::round_up(shape_.users, tensor::kTileSide)},
                                 tensor::DType::UInt32,
                                 Layout::RowMajor});
    std::vector<tensor::Node>& nodes = graph_.blocks.back().nodes;
    const auto first = static_cast<std::ptrdiff_t>(nodes.size());
    std::array<ValueId, 2> rows{tables.cos, tables.sin};
    const std::array<std::string, 2> names{name + "cos", name + "sin"};
    for (const std::size_t i : {0U, 1U}) {
        rows[i] = node(names[i] + ".untilize", tensor::Untilize{}, {rows[i]}, Role::Other);
        rows[i] = node(names[i] + ".rows", tensor::Embedding{precision_.rope}, {positions, rows[i]},
                       Role::Other);
    }
    const bool fills = shape_.users % tensor::kTileSide == 0;
    for (const std::size_t i : {0U, 1U}) {
        rows[i] = node(names[i] + ".transpose", tensor::SpreadRows{}, {rows[i]},
                       fills ? Role::RopeRows : Role::Other);
    }
    for (const std::size_t i : {0U, 1U}) {
        if (fills) break;
        rows[i] =
            node(names[i] + ".slice", tensor::FirstRows{shape_.users}, {rows[i]}, Role::RopeRows);
    }
    // Once per step: into the prologue, before the embedding.
    std::vector<tensor::Node>& prologue = graph_.blocks.front().nodes;
    prologue.insert(prologue.end() - 1, std::make_move_iterator(nodes.begin() + first),
                    std::make_move_iterator(nodes.end()));
    nodes.erase(nodes.begin() + first, nodes.end());
    return rope_rows_.emplace(name, RopeTables{rows[0], rows[1]}).first->second;
}

ValueId Builder::rope_table(const std::string& name, std::int64_t head_dim) {
    return shared({name,
                   {{shape_.max_context, head_dim}, precision_.rope, Layout::Tile},
                   ValueKind::Weight,
                   Role::RopeTable,
                   false,
                   {}});
}

ValueId Builder::input(const std::string& name, const tensor::Spec& spec) {
    return shared({name, spec, ValueKind::Input, Role::Other, false, {}});
}

ValueId Builder::shared(const tensor::Value& value) {
    const auto found = shared_.find(value.name);
    if (found != shared_.end()) return found->second;
    const ValueId id = graph_.add_value(value);
    shared_.emplace(value.name, id);
    return id;
}

tensor::WeightSource Builder::fused_part(const std::string& tail, std::int64_t columns,
                                         std::int64_t first, std::int64_t rows) {
    tensor::WeightSource source{hf(tail), columns};
    source.first_row = first;
    source.rows = rows;
    return source;
}

}  // namespace model

// What splits where the question's mesh does not, and what it costs. Bytes and multiply-adds are
// read off the graphs of the network as it is and as it would be stored.
#include <algorithm>
#include <numeric>
#include <set>

#include "core/error.h"
#include "model/build.h"
#include "model/deployment.h"
#include "model/device_name.h"
#include "model/head_padding.h"
#include "model/split.h"
#include "tensor/op.h"

namespace model {
namespace {

using Kind = SplitOption::Kind;

// What a network takes on all chips of a group together.
struct Cost {
    core::Bytes weights;
    core::Bytes kv_of_a_tile;        // 32 positions of one user
    std::int64_t multiply_adds = 0;  // of a decode step of one user
};

void count(const tensor::Value& value, std::int64_t instances, Cost& cost) {
    const std::int64_t bytes = value.spec.bytes().value * instances;
    if (value.kind == tensor::ValueKind::Weight) cost.weights += core::Bytes{bytes};
    if (value.kind == tensor::ValueKind::State && value.role == tensor::Role::KvCache) {
        cost.kv_of_a_tile += core::Bytes{bytes};
    }
}

// The user's last position; its blocks one after the other.
tensor::Bindings last_position(const StepShape& shape) {
    tensor::Bindings bindings;
    bindings.positions = {static_cast<std::int32_t>(shape.max_context - 1)};
    bindings.page_table.block_size = shape.block_size;
    bindings.page_table.blocks_per_user = shape.blocks;
    bindings.page_table.blocks.resize(static_cast<std::size_t>(shape.blocks));
    std::iota(bindings.page_table.blocks.begin(), bindings.page_table.blocks.end(), 0);
    return bindings;
}

std::int64_t multiply_adds(const tensor::Graph& graph, const tensor::Node& node,
                           const tensor::Bindings& bindings) {
    std::vector<tensor::Spec> specs;
    for (const tensor::ValueId id : node.inputs) specs.push_back(graph.value(id).spec);
    return tensor::work(node.op, specs, bindings).multiply_adds;
}

Cost cost_of(const Config& config, const Precision& precision, std::int64_t context) {
    StepShape shape;
    shape.max_context = core::round_up(context, tensor::kTileSide);
    shape.block_size = tensor::kTileSide;
    shape.blocks = shape.max_context / shape.block_size;
    const tensor::Bindings bindings = last_position(shape);
    const tensor::Graph graph = build_decode(config, precision, shape);
    Cost cost;
    std::set<std::int32_t> seen;
    for (const tensor::Block& block : graph.blocks) {
        for (const tensor::Node& node : block.nodes) {
            cost.multiply_adds += multiply_adds(graph, node, bindings) * block.repeat;
            for (const tensor::ValueId id : node.inputs) {
                const tensor::Value& value = graph.value(id);
                if (!seen.insert(static_cast<std::int32_t>(id.value)).second) continue;
                count(value, value.per_layer ? block.repeat : 1, cost);
            }
        }
    }
    cost.kv_of_a_tile = core::Bytes{cost.kv_of_a_tile.value / shape.blocks};
    return cost;
}

class Finder {
public:
    Finder(const Config& config, const Precision& precision, const fabric::Mesh& mesh,
           const SplitQuestion& question)
        : config_(config), precision_(precision), mesh_(mesh), question_(question) {}

    std::vector<SplitOption> all() {
        add_groups();
        add_sub_meshes();
        add_padding();
        return std::move(options_);
    }

private:
    bool splits(const Config& config, const fabric::Mesh& group) const {
        const Config stored = pad_feed_forward(config, question_.base_model, group.chip_count(),
                                               question_.pad_mlp_cores);
        // Only what the real stack opens too is offered.
        return device_name(group) &&
               split_reasons(stored, group, question_.base_model, question_.software).empty();
    }

    SplitOption option(Kind kind, const fabric::Mesh& group, std::int64_t dp,
                       std::string text) const {
        SplitOption found;
        found.kind = kind;
        found.tp = group.chip_count();
        found.dp = dp;
        found.shape = group.shape;
        found.text = std::move(text);
        const std::string chips = found.tp == 1 ? " chip, " : " chips, ";
        found.why = "tensor parallel over " + std::to_string(found.tp) + chips + found.shape.text();
        return found;
    }

    bool has_groups(std::int64_t dp) const {
        const std::int64_t rows = mesh_.shape.rows;
        return mesh_.chip_count() % dp == 0 && (rows % dp == 0 || dp % rows == 0);
    }

    void add_groups() {
        for (std::int64_t dp = 1; dp <= mesh_.chip_count(); ++dp) {
            if (!has_groups(dp)) continue;
            const fabric::Mesh group = data_parallel_groups(mesh_, dp).front();
            if (!splits(config_, group)) continue;
            options_.push_back(option(Kind::DataParallel, group, dp, "--dp " + std::to_string(dp)));
        }
    }

    bool add_sub_mesh(mesh::Shape shape) {
        if (shape == mesh_.shape) return false;
        // The rules need only a shape; whether the wiring has it is searched for last.
        fabric::Mesh unmapped;
        unmapped.system = mesh_.system;
        unmapped.shape = shape;
        if (!splits(config_, unmapped)) return false;
        const auto mapped = fabric::map_mesh(mesh_.system, shape);
        const auto* part = std::get_if<fabric::Mesh>(&mapped);
        if (part == nullptr) return false;
        options_.push_back(
            option(Kind::SubMesh, *part, 1, "--mesh " + mesh_.system.name + ":" + shape.text()));
        return true;
    }

    // Lines; grids of as many chips only where the line does not split.
    void add_sub_meshes() {
        const auto chips = mesh_.system.wiring.chips;
        for (std::int32_t count = 1; count <= chips; count *= 2) {
            if (count == mesh_.chip_count() && mesh_.shape.rows == 1) {
                if (splits(config_, mesh_)) continue;
            }
            if (add_sub_mesh({1, count})) continue;
            for (std::int32_t rows = 2; rows < count; rows *= 2) {
                add_sub_mesh({rows, count / rows});
            }
        }
    }

    void add_padding() {
        const bool padded_already = config_.unpadded && config_.unpadded->heads > 0;
        if (padded_already || padding_obstacle(config_)) return;
        const fabric::Mesh group = data_parallel_groups(mesh_, question_.dp).front();
        const bool grid = group.shape.rows > 1 && group.shape.cols > 1;
        const std::int64_t heads_over = grid ? group.shape.rows : group.chip_count();
        const Config padded = pad_heads(config_, heads_over);
        if (!padded.unpadded || padded.unpadded->heads == 0 || !splits(padded, group)) return;
        const std::string groups =
            question_.dp == 1 ? "" : "--dp " + std::to_string(question_.dp) + " ";
        SplitOption found = option(Kind::HeadPadding, group, question_.dp, groups + "--pad-heads");
        describe(padded, found);
        charge(padded, heads_over, found);
        options_.push_back(std::move(found));
    }

    // Heads of the layer that grows most, and how many layers grow.
    void describe(const Config& padded, SplitOption& found) const {
        std::int64_t most = 0;
        std::int64_t changed = 0;
        for (const LayerConfig& layer : padded.layers) {
            const Unpadded& source = layer.unpadded;
            if (source.heads == 0) continue;
            ++changed;
            const std::int64_t queries = layer.heads - source.heads;
            const std::int64_t keys = layer.kv_heads - source.kv_heads;
            if (queries + 2 * keys <= most) continue;
            most = queries + 2 * keys;
            found.added_heads = queries;
            found.added_kv_heads = keys;
            found.why = std::to_string(source.heads) + " heads become " +
                        std::to_string(layer.heads) + ", " + std::to_string(source.kv_heads) +
                        " KV heads " + std::to_string(layer.kv_heads);
        }
        if (found.added_heads == 0) found.kind = Kind::KvReplication;
        const auto layers = static_cast<std::int64_t>(padded.layers.size());
        if (changed == layers) return;
        found.why += " (" + std::to_string(changed) + " of " + std::to_string(layers) + " layers)";
    }

    void charge(const Config& padded, std::int64_t heads_over, SplitOption& found) const {
        const Cost before = cost_of(config_, precision_, question_.context);
        const Cost after = cost_of(padded, precision_, question_.context);
        const std::int64_t weights = after.weights.value - before.weights.value;
        const std::int64_t cache = after.kv_of_a_tile.value - before.kv_of_a_tile.value;
        found.added_weight_bytes = core::Bytes{core::ceil_div(weights, found.tp)};
        found.added_kv_bytes_per_token =
            core::Bytes{core::ceil_div(cache, tensor::kTileSide * heads_over)};
        found.added_flops_percent =
            100.0 * static_cast<double>(after.multiply_adds - before.multiply_adds) /
            static_cast<double>(before.multiply_adds);
    }

    const Config& config_;
    const Precision& precision_;
    const fabric::Mesh& mesh_;
    const SplitQuestion& question_;
    std::vector<SplitOption> options_;
};

}  // namespace

std::vector<SplitOption> split_options(const Config& config, const Precision& precision,
                                       const fabric::Mesh& mesh, const SplitQuestion& question) {
    return Finder(config, precision, mesh, question).all();
}

}  // namespace model

#include "model/host_memory.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "core/error.h"
#include "model/build.h"
#include "model/weight_reader.h"

namespace model {
namespace {

core::Bytes stored_bytes(StoredType type) { return core::Bytes{type == StoredType::F32 ? 4 : 2}; }

// Of `stored` rows or columns those that the tensor has: padded heads are zeros, and a head that is
// stored several times is in the tensor once.
std::int64_t in_tensor(std::int64_t stored, const tensor::StoredHeads& map) {
    if (map.heads.empty()) return stored;
    std::set<std::int32_t> heads(map.heads.begin(), map.heads.end());
    heads.erase(-1);
    return static_cast<std::int64_t>(heads.size()) * map.head_dim;
}

// Elements that `source` gives to a value [..., K, N]: its columns of all K rows.
std::int64_t elements_of(const tensor::Value& value, const tensor::WeightSource& source) {
    const tensor::Shape& shape = value.spec.shape;
    const std::int64_t columns =
        source.columns > 0 ? std::min(source.columns, shape[-1]) : shape[-1];
    std::int64_t outer = 1;
    for (int axis = 0; axis + 2 < shape.rank(); ++axis) outer *= shape[axis];
    const std::int64_t stored_rows = shape.rank() > 1 ? shape[-2] : 1;
    const std::int64_t rows =
        source.depth > 0 ? source.depth : in_tensor(stored_rows, source.row_heads);
    return outer * rows * in_tensor(columns, source.column_heads);
}

// Layers a per-layer value stands for: the repeat count of the block that uses it.
std::map<tensor::ValueId, std::int64_t> instances(const tensor::Graph& graph) {
    std::map<tensor::ValueId, std::int64_t> counts;
    for (const tensor::Block& block : graph.blocks) {
        std::set<tensor::ValueId> used;
        for (const tensor::Node& node : block.nodes) {
            used.insert(node.inputs.begin(), node.inputs.end());
        }
        for (const tensor::ValueId id : used) {
            counts[id] += graph.value(id).per_layer ? block.repeat : 1;
        }
    }
    return counts;
}

}  // namespace

HostMemory host_memory(const Config& config, const Precision& precision, std::int64_t threads) {
    core::require(threads >= 1, "somebody converts");
    const tensor::Graph graph = build_decode(config, precision, StepShape{});
    HostMemory host;
    host.threads = threads;
    // The same part of the same tensor twice (tied embeddings) is stored once.
    std::set<std::tuple<std::string, std::int64_t, std::int32_t>> seen;
    for (const auto& [id, count] : instances(graph)) {
        const tensor::Value& value = graph.value(id);
        if (value.kind != tensor::ValueKind::Weight || value.sources.empty()) continue;
        for (const tensor::WeightSource& source : value.sources) {
            const std::int32_t part = value.per_layer ? id.value : -1;
            if (!seen.insert({source.tensor, source.first_row, part}).second) continue;
            host.parameters += elements_of(value, source) * count;
        }
        const tensor::Spec stripe = stripe_of(value.spec);
        const core::Bytes as_float{stripe.shape.elements() * 4};
        if (as_float <= host.largest_as_float32) continue;
        host.largest_tensor = value.name;
        host.largest_as_float32 = as_float;
        host.largest_as_tiles = stripe.bytes();
    }
    host.reference_stored = stored_bytes(config.torch_dtype) * host.parameters;
    host.reference_float32 = core::Bytes{4} * host.parameters;
    host.checkpoint_mapped = host.reference_stored;
    host.converting = (host.largest_as_float32 + host.largest_as_tiles) * threads;
    return host;
}

}  // namespace model

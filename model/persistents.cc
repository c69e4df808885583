#include "model/persistents.h"

namespace model {
namespace {

using dispatch::Buffer;
using dispatch::Instance;
using dispatch::Owner;
using tensor::ValueId;
using tensor::ValueKind;

Owner owner_of(tensor::Role role, ValueKind kind) {
    if (kind == ValueKind::Input) return Owner::Inputs;
    switch (role) {
        case tensor::Role::EmbeddingTable:
            return Owner::Embedding;
        case tensor::Role::NormWeight:
        case tensor::Role::HeadNormWeight:
            return Owner::Norms;
        case tensor::Role::RopeTable:
            return Owner::RopeTables;
        case tensor::Role::WeightLmHead:
            return Owner::LmHead;
        case tensor::Role::KvCache:
        case tensor::Role::LatentCache:
        case tensor::Role::ConvState:
            return Owner::KvCache;
        default:
            return kind == ValueKind::Weight ? Owner::Weights : Owner::Activations;
    }
}

}  // namespace

// Weights, caches, inputs: one buffer per (value, placement), alive as long as the model.
Located Persistents::place(const tensor::Block& block, ValueId id, const Placements& placed) {
    const tensor::Value& value = graph_.value(id);
    std::string name = value.name;
    if (value.per_layer) {
        // Layers of another segment have buffers of their own.
        name = "layers." + std::to_string(block.first_layer) + "-" +
               std::to_string(block.first_layer + block.repeat - 1) + name.substr(name.find('.'));
    }
    if (value.kind == ValueKind::Input) name = program_name_ + "." + name;
    if (value.role == tensor::Role::NormWeight && placed != Placements{}) name += ".sharded";
    const auto key = std::make_pair(id, name);
    const Instance instance = value.per_layer ? Instance::Layer : Instance::Only;
    if (const auto found = persistent_.find(key); found != persistent_.end()) {
        return {{found->second, instance}, placed};
    }
    Buffer buffer;
    buffer.name = name;
    buffer.global = value.spec;
    buffer.spec = writer_.shard(value.spec, placed, name);
    buffer.placement = placed;
    buffer.memory = value.kind == ValueKind::Weight ? weight_memory(writer_.profile(), value.role)
                                                    : dispatch::MemoryConfig{};
    buffer.owner = owner_of(value.role, value.kind);
    buffer.kind = value.kind;
    buffer.instances = value.per_layer ? block.repeat : 1;
    buffer.first_layer = value.per_layer ? block.first_layer : 0;
    buffer.sources = value.sources;
    const std::int32_t index = writer_.add_buffer(std::move(buffer));
    persistent_.emplace(key, index);
    return {{index, instance}, placed};
}

// Columns [first, first + count) of every chip's part of the LM head: one split of it.
Located Persistents::lm_head_split(ValueId id, const Placements& placed, std::size_t index,
                                   std::int64_t first, std::int64_t count) {
    const tensor::Value& value = graph_.value(id);
    Buffer buffer;
    buffer.name = value.name + "." + std::to_string(index);
    buffer.global = value.spec;
    buffer.spec = writer_.shard(value.spec, placed, buffer.name);
    buffer.spec.shape.set(1, count);
    buffer.first_column = first;
    buffer.placement = placed;
    buffer.memory = weight_memory(writer_.profile(), value.role);
    buffer.owner = owner_of(value.role, value.kind);
    buffer.kind = value.kind;
    buffer.sources = value.sources;
    return {{writer_.add_buffer(std::move(buffer)), Instance::Only}, placed};
}

}  // namespace model

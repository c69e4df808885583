// A network on one device, as it stands in the paper: values, and nodes that make them.
// Layers that are alike are one block with a repeat count; its weights and caches are `per_layer`
// values (one instance per layer), and one value is carried from layer to layer.
// Nothing here knows of chips, placement or addresses.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/ids.h"
#include "tensor/op.h"

namespace tensor {

using ValueId = core::Id<struct ValueTag>;

/// What a value is for; the software profile places values by it.
enum class Role {
    TokenIds,
    EmbeddingTable,
    NormWeight,
    HeadNormWeight,  // q_norm, k_norm
    RopeTable,
    RopeRows,  // of a step's positions
    WeightQkv,
    BiasQkv,            // and other vectors that go with the columns of wqkv
    WeightColumns,      // few columns, cut as those of wqkv
    WeightLatentIn,     // hidden -> latent queries, keys and values
    WeightLatentHeads,  // one matrix per head [heads, k, n]
    WeightO,
    BiasO,
    WeightGateUp,         // w1 and w3
    WeightDown,           // w2
    WeightRouter,         // and its biases
    WeightExpertsGateUp,  // w1 and w3 of all experts, [experts, K, F]
    WeightExpertsDown,    // w2 of all experts, [experts, F, K]
    BiasGateUp,
    BiasDown,
    BiasExpertsGateUp,  // [experts, F]
    BiasExpertsDown,    // [experts, K]
    WeightLmHead,
    BiasLmHead,
    KvCache,       // [blocks or users, heads, ...]
    LatentCache,   // [blocks, 1, block_size, width]
    ConvState,     // [steps, users, width]
    Residual,      // the stream between blocks
    Contribution,  // to the stream, where it is normalized or gated before it is added
    Normed,
    Qkv,
    Heads,         // q, k, v and the attention output, by heads
    AttentionOut,  // after concat, before wo
    FeedForward,   // w1 x, w3 x and their product
    Logits,
    Other,
};

/// Which heads of a tensor a stored matrix has, in its own order: entry j is the tensor's head at
/// place j, -1 a head of zeros. Empty: as they are.
struct StoredHeads {
    std::vector<std::int32_t> heads = {};
    std::int64_t head_dim = 0;
};

/// Where a weight's numbers come from: Hugging Face tensors, concatenated along the columns of
/// the stored [K, N] matrix. Each segment is sharded by itself, so a shard is [q_i | k_i | v_i].
struct WeightSource {
    std::string tensor;              // "{layer}" and "{expert}" stand for numbers
    std::int64_t columns = 0;        // columns of the stored matrix this source fills
    std::int64_t rope_head_dim = 0;  // > 0: rows of each head are permuted to Meta's layout ...
    std::int64_t rope_dims = 0;      // ... of which the first so many turn; 0: all
    std::int64_t first_row = 0;      // rows of the tensor from this one on (fused projections)
    std::int64_t rows = 0;           // rows of the tensor; 0: as many as columns
    StoredHeads column_heads = {};   // of the stored columns; before the permutation of each head
    StoredHeads row_heads = {};      // of the stored rows
    std::int64_t depth = 0;  // columns of the tensor (rows of the stored matrix); 0: as stored.
                             // Stored rows that the tensor has no column for are zeros.
};

enum class ValueKind { Input, Weight, State, Computed };

struct Value {
    std::string name;  // "layers.attention.wqkv"
    Spec spec;
    ValueKind kind = ValueKind::Computed;
    Role role = Role::Other;
    bool per_layer = false;
    std::vector<WeightSource> sources;  // weights only; empty for made tables
};

struct Node {
    std::string name;  // "attention.wqkv"
    Op op;
    std::vector<ValueId> inputs;
    std::vector<ValueId> outputs;
    int fidelity_group = 0;  // index into the precision's op groups
};

struct Block {
    std::string name;  // "prologue", "layers 0-30", "epilogue"
    std::int32_t first_layer = 0;
    std::int32_t repeat = 1;
    std::vector<Node> nodes;
    // A repeated block reads `carry_in` and leaves `carry_out` for the next round.
    ValueId carry_in{-1};
    ValueId carry_out{-1};
};

class Graph {
public:
    /// Layers of the whole network (instances of every per-layer value).
    std::int32_t layers = 0;
    Phase phase = Phase::Decode;
    std::vector<Value> values;
    std::vector<Block> blocks;
    std::vector<ValueId> outputs;

    const Value& value(ValueId id) const { return values.at(static_cast<std::size_t>(id.value)); }
    ValueId add_value(Value value);
    /// Appends a node to the last block; its outputs get specs from `infer`, names and roles from
    /// the arguments. Throws core::Error (from infer) when shapes do not fit.
    std::vector<ValueId> add_node(std::string name, const Op& op, std::vector<ValueId> inputs,
                                  std::vector<Role> roles);
};

}  // namespace tensor

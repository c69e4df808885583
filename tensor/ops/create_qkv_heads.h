// Fused QKV to query, key and value heads (nlp_create_qkv_heads[_decode]).
#pragma once

#include <span>

#include "tensor/op_types.h"

namespace tensor {

/// Cuts fused projections into heads. qkv [rows, (group + 2) * kv_heads * head_dim], columns
/// [q | k | v] -> decode: q [rows, group * kv_heads, head_dim], k, v [rows, kv_heads, head_dim];
/// prefill: heads outermost, q [heads, rows, head_dim].  kv_heads is read off the columns.
struct CreateQkvHeads {
    std::int64_t group = 1;  // query heads per KV head
    std::int64_t head_dim = 0;
    Phase phase = Phase::Decode;
    bool operator==(const CreateQkvHeads&) const = default;
};

Specs infer(const CreateQkvHeads&, std::span<const Spec> in);
Split split(const CreateQkvHeads&, std::span<const Spec> in, std::span<const Placement> placed);
core::Bytes scratch(const CreateQkvHeads&, std::span<const Spec> in, const Bindings&);
Work work(const CreateQkvHeads&, std::span<const Spec> in, const Bindings&);
void run(const CreateQkvHeads&, std::span<const View> in, std::span<const View> out,
         const Bindings&, Counters&);

}  // namespace tensor

// FlashAttention for prefill: causal softmax(q k^T scale) v.
#pragma once

#include <span>

#include "tensor/op_types.h"

namespace tensor {

/// Causal attention of a prompt over itself (positions start at 0).
/// q [heads, rows, head_dim], k, v [kv_heads, rows, head_dim] -> y like q.
struct Sdpa {
    float scale = 1.0F;
    bool operator==(const Sdpa&) const = default;
};

Specs infer(const Sdpa&, std::span<const Spec> in);
Split split(const Sdpa&, std::span<const Spec> in, std::span<const Placement> placed);
core::Bytes scratch(const Sdpa&, std::span<const Spec> in, const Bindings&);
Work work(const Sdpa&, std::span<const Spec> in, const Bindings&);
void run(const Sdpa&, std::span<const View> in, std::span<const View> out, const Bindings&,
         Counters&);

}  // namespace tensor

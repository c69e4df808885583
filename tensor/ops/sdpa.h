// FlashAttention for prefill: causal softmax(q k^T scale) v over all positions or a window.
#pragma once

#include <cstdint>
#include <span>

#include "tensor/op_types.h"

namespace tensor {

/// Causal attention of a prompt over itself (positions start at 0): position i sees j <= i with
/// i - j < window. Throws Error for a negative window.
/// q [heads, rows, head_dim], k, v [kv_heads, rows, head_dim] -> y like q.
struct Sdpa {
    float scale = 1.0F;
    std::int64_t window = 0;  // positions a query sees back from itself, itself included; 0: all
    bool operator==(const Sdpa&) const = default;
};

Specs infer(const Sdpa&, std::span<const Spec> in);
Split split(const Sdpa&, std::span<const Spec> in, std::span<const Placement> placed);
core::Bytes scratch(const Sdpa&, std::span<const Spec> in, const Bindings&);
Work work(const Sdpa&, std::span<const Spec> in, const Bindings&);
void run(const Sdpa&, std::span<const View> in, std::span<const View> out, const Bindings&,
         Counters&);

}  // namespace tensor

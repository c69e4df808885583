// Rotary position embedding.
#pragma once

#include <span>

#include "tensor/op_types.h"

namespace tensor {

/// Rotates pairs (2i, 2i+1) of each head (Meta's interleaved layout) by the row's position.
/// Decode: x [users, heads, head_dim], cos, sin [users, 1, head_dim], a row for each user.
/// Prefill: x [heads, rows, head_dim], cos, sin [positions, head_dim]. Each frequency stands twice.
/// -> y like x.
struct RotaryEmbedding {
    Phase phase = Phase::Decode;
    bool operator==(const RotaryEmbedding&) const = default;
};

Specs infer(const RotaryEmbedding&, std::span<const Spec> in);
Split split(const RotaryEmbedding&, std::span<const Spec> in, std::span<const Placement> placed);
core::Bytes scratch(const RotaryEmbedding&, std::span<const Spec> in, const Bindings&);
Work work(const RotaryEmbedding&, std::span<const Spec> in, const Bindings&);
void run(const RotaryEmbedding&, std::span<const View> in, std::span<const View> out,
         const Bindings&, Counters&);

}  // namespace tensor

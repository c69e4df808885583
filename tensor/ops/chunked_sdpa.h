// Chunked FlashAttention: a chunk of a prompt against its paged KV cache.
#pragma once

#include <cstdint>
#include <span>

#include "tensor/op_types.h"

namespace tensor {

/// Causal attention of a prefill chunk over the cache of its user: a row sees positions [0,
/// chunk_start + row], of these the last `window`. Throws Error for a negative window.
/// q [heads, rows, head_dim], k, v [blocks, kv_heads, block_size, head_dim] -> y like q.
/// Zeros where the user lives on another chip, so that the sum over chips is the value.
struct ChunkedSdpa {
    float scale = 1.0F;
    std::int64_t window = 0;  // positions a query sees back from itself, itself included; 0: all
    bool operator==(const ChunkedSdpa&) const = default;
};

Specs infer(const ChunkedSdpa&, std::span<const Spec> in);
Split split(const ChunkedSdpa&, std::span<const Spec> in, std::span<const Placement> placed);
core::Bytes scratch(const ChunkedSdpa&, std::span<const Spec> in, const Bindings&);
Work work(const ChunkedSdpa&, std::span<const Spec> in, const Bindings&);
void run(const ChunkedSdpa&, std::span<const View> in, std::span<const View> out, const Bindings&,
         Counters&);

}  // namespace tensor

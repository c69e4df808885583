// Paged FlashDecode: softmax(q k^T scale) v over the cache or its last window.
#pragma once

#include <cstdint>
#include <span>

#include "tensor/op_types.h"

namespace tensor {

/// Attention of one query position per user over positions [0, position] of its cache, of these
/// the last `window`. Throws Error for a negative window.
/// q [users, heads, head_dim], k, v [blocks, kv_heads, block_size, head_dim] -> y like q.
/// Idle users give zeros.
struct SdpaDecode {
    float scale = 1.0F;
    std::int64_t window = 0;  // positions a query sees back from itself, itself included; 0: all
    bool operator==(const SdpaDecode&) const = default;
};

Specs infer(const SdpaDecode&, std::span<const Spec> in);
Split split(const SdpaDecode&, std::span<const Spec> in, std::span<const Placement> placed);
core::Bytes scratch(const SdpaDecode&, std::span<const Spec> in, const Bindings&);
Work work(const SdpaDecode&, std::span<const Spec> in, const Bindings&);
void run(const SdpaDecode&, std::span<const View> in, std::span<const View> out, const Bindings&,
         Counters&);

}  // namespace tensor

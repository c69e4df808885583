// One new position per user into the paged KV cache.
#pragma once

#include <span>

#include "tensor/op_types.h"

namespace tensor {

/// Decode: writes one position of each user into the cache, in place; idle users (-1) and blocks
/// that live elsewhere (-1) are skipped.
/// cache [blocks, kv_heads, block_size, head_dim], x [users, kv_heads, head_dim] -> cache.
struct UpdateCache {
    bool operator==(const UpdateCache&) const = default;
};

Specs infer(const UpdateCache&, std::span<const Spec> in);
Split split(const UpdateCache&, std::span<const Spec> in, std::span<const Placement> placed);
core::Bytes scratch(const UpdateCache&, std::span<const Spec> in, const Bindings&);
Work work(const UpdateCache&, std::span<const Spec> in, const Bindings&);
void run(const UpdateCache&, std::span<const View> in, std::span<const View> out, const Bindings&,
         Counters&);

}  // namespace tensor

// The positions of a prefill chunk into the paged KV cache.
#pragma once

#include <span>

#include "tensor/op_types.h"

namespace tensor {

/// Prefill: writes positions [chunk_start, chunk_start + valid rows) of one user into the cache, in
/// place; nothing happens where the user lives on another chip.
/// cache [blocks, kv_heads, block_size, head_dim], x [kv_heads, rows, head_dim] -> cache.
struct FillCache {
    bool operator==(const FillCache&) const = default;
};

Specs infer(const FillCache&, std::span<const Spec> in);
Split split(const FillCache&, std::span<const Spec> in, std::span<const Placement> placed);
core::Bytes scratch(const FillCache&, std::span<const Spec> in, const Bindings&);
Work work(const FillCache&, std::span<const Spec> in, const Bindings&);
void run(const FillCache&, std::span<const View> in, std::span<const View> out, const Bindings&,
         Counters&);

}  // namespace tensor

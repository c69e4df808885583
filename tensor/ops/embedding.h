// Token ids to rows of the embedding table.
#pragma once

#include <span>

#include "tensor/op_types.h"

namespace tensor {

/// y[r] = table[ids[r]].  ids [rows] uint32 row-major, table [vocab, dim] row-major -> y [rows,
/// dim]. Throws core::Error when an id is outside the table.
struct Embedding {
    DType out = DType::BFloat16;
    bool operator==(const Embedding&) const = default;
};

Specs infer(const Embedding&, std::span<const Spec> in);
Split split(const Embedding&, std::span<const Spec> in, std::span<const Placement> placed);
core::Bytes scratch(const Embedding&, std::span<const Spec> in, const Bindings&);
Work work(const Embedding&, std::span<const Spec> in, const Bindings&);
void run(const Embedding&, std::span<const View> in, std::span<const View> out, const Bindings&,
         Counters&);

}  // namespace tensor

// Heads back to rows (nlp_concat_heads[_decode]).
#pragma once

#include <span>

#include "tensor/op_types.h"

namespace tensor {

/// decode: x [users, heads, head_dim] -> [users, heads * head_dim];
/// prefill: x [heads, rows, head_dim] -> [rows, heads * head_dim].
struct ConcatHeads {
    Phase phase = Phase::Decode;
    bool operator==(const ConcatHeads&) const = default;
};

Specs infer(const ConcatHeads&, std::span<const Spec> in);
Split split(const ConcatHeads&, std::span<const Spec> in, std::span<const Placement> placed);
core::Bytes scratch(const ConcatHeads&, std::span<const Spec> in, const Bindings&);
Work work(const ConcatHeads&, std::span<const Spec> in, const Bindings&);
void run(const ConcatHeads&, std::span<const View> in, std::span<const View> out, const Bindings&,
         Counters&);

}  // namespace tensor

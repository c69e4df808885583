// Elementwise sum (the residual stream).
#pragma once

#include <span>

#include "tensor/op_types.h"

namespace tensor {

/// y = a + b, shapes equal; y in the dtype of a.
struct Add {
    bool operator==(const Add&) const = default;
};

Specs infer(const Add&, std::span<const Spec> in);
Split split(const Add&, std::span<const Spec> in, std::span<const Placement> placed);
core::Bytes scratch(const Add&, std::span<const Spec> in, const Bindings&);
Work work(const Add&, std::span<const Spec> in, const Bindings&);
void run(const Add&, std::span<const View> in, std::span<const View> out, const Bindings&,
         Counters&);

}  // namespace tensor

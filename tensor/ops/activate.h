// The activation of a feed-forward without a gate.
#pragma once

#include <span>

#include "tensor/activation.h"
#include "tensor/op_types.h"

namespace tensor {

/// y = activation(x), shapes equal.
struct Activate {
    Activation activation = Activation::Gelu;
    DType out = DType::BFloat16;
    bool operator==(const Activate&) const = default;
};

Specs infer(const Activate&, std::span<const Spec> in);
Split split(const Activate&, std::span<const Spec> in, std::span<const Placement> placed);
core::Bytes scratch(const Activate&, std::span<const Spec> in, const Bindings&);
Work work(const Activate&, std::span<const Spec> in, const Bindings&);
void run(const Activate&, std::span<const View> in, std::span<const View> out, const Bindings&,
         Counters&);

}  // namespace tensor

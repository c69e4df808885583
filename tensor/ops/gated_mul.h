// The gate of the MLP: activation fused into the product.
#pragma once

#include <span>

#include "tensor/activation.h"
#include "tensor/op_types.h"

namespace tensor {

/// y = activation(a) * b, shapes equal.
struct GatedMul {
    Activation activation = Activation::Silu;
    DType out = DType::BFloat16;
    bool operator==(const GatedMul&) const = default;
};

Specs infer(const GatedMul&, std::span<const Spec> in);
Split split(const GatedMul&, std::span<const Spec> in, std::span<const Placement> placed);
core::Bytes scratch(const GatedMul&, std::span<const Spec> in, const Bindings&);
Work work(const GatedMul&, std::span<const Spec> in, const Bindings&);
void run(const GatedMul&, std::span<const View> in, std::span<const View> out, const Bindings&,
         Counters&);

}  // namespace tensor

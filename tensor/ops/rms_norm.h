// Root-mean-square normalisation over the last axis.
#pragma once

#include <span>

#include "tensor/op_types.h"

namespace tensor {

/// y = x / rms(x) * weight over the last axis.
/// x [..., dim], weight [dim] -> y like x.
struct RmsNorm {
    float epsilon = 1e-5F;
    bool operator==(const RmsNorm&) const = default;
};

Specs infer(const RmsNorm&, std::span<const Spec> in);
Split split(const RmsNorm&, std::span<const Spec> in, std::span<const Placement> placed);
core::Bytes scratch(const RmsNorm&, std::span<const Spec> in, const Bindings&);
Work work(const RmsNorm&, std::span<const Spec> in, const Bindings&);
void run(const RmsNorm&, std::span<const View> in, std::span<const View> out, const Bindings&,
         Counters&);

}  // namespace tensor

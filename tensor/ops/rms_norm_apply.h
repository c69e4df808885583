// Second half of the distributed norm: scale by gathered statistics.
#pragma once

#include <span>

#include "tensor/op_types.h"

namespace tensor {

/// y = x / sqrt(sum of gathered stats / (n * dim/n) + epsilon) * weight.
/// x [rows, dim/n], stats [rows, 32 * n], weight [dim/n] -> y like x.
struct RmsNormApply {
    float epsilon = 1e-5F;
    bool operator==(const RmsNormApply&) const = default;
};

Specs infer(const RmsNormApply&, std::span<const Spec> in);
Split split(const RmsNormApply&, std::span<const Spec> in, std::span<const Placement> placed);
core::Bytes scratch(const RmsNormApply&, std::span<const Spec> in, const Bindings&);
Work work(const RmsNormApply&, std::span<const Spec> in, const Bindings&);
void run(const RmsNormApply&, std::span<const View> in, std::span<const View> out, const Bindings&,
         Counters&);

}  // namespace tensor

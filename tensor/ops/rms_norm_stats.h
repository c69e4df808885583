// First half of the distributed norm: local sums of squares.
#pragma once

#include <span>

#include "tensor/op_types.h"

namespace tensor {

/// stats[r, 0] = sum over this chip's part of x[r]^2; the other 31 columns are zero.
/// x [rows, dim/n] -> stats [rows, 32] (one tile column, as the distributed norm gathers it).
struct RmsNormStats {
    DType out = DType::BFloat16;
    bool operator==(const RmsNormStats&) const = default;
};

Specs infer(const RmsNormStats&, std::span<const Spec> in);
Split split(const RmsNormStats&, std::span<const Spec> in, std::span<const Placement> placed);
core::Bytes scratch(const RmsNormStats&, std::span<const Spec> in, const Bindings&);
Work work(const RmsNormStats&, std::span<const Spec> in, const Bindings&);
void run(const RmsNormStats&, std::span<const View> in, std::span<const View> out, const Bindings&,
         Counters&);

}  // namespace tensor

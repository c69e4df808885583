// Local sum of gathered partial values.
#pragma once

#include <span>

#include "tensor/op_types.h"

namespace tensor {

/// y = sum over the outermost axis, in order (fast_reduce_nc).  x [parts, rows, cols] -> y [rows,
/// cols].
struct SumParts {
    DType out = DType::BFloat16;
    bool operator==(const SumParts&) const = default;
};

Specs infer(const SumParts&, std::span<const Spec> in);
Split split(const SumParts&, std::span<const Spec> in, std::span<const Placement> placed);
core::Bytes scratch(const SumParts&, std::span<const Spec> in, const Bindings&);
Work work(const SumParts&, std::span<const Spec> in, const Bindings&);
void run(const SumParts&, std::span<const View> in, std::span<const View> out, const Bindings&,
         Counters&);

}  // namespace tensor

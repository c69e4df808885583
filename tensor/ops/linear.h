// Matrix product of activations and a stored weight.
#pragma once

#include <span>

#include "tensor/op_types.h"

namespace tensor {

/// y = x W (+ bias).  x [rows, K], W [K, N], bias [N] (optional third input) -> y [rows, N].
/// The order of accumulation over K does not depend on rows or on how N is split.
struct Linear {
    DType out = DType::BFloat16;
    bool operator==(const Linear&) const = default;
};

Specs infer(const Linear&, std::span<const Spec> in);
Split split(const Linear&, std::span<const Spec> in, std::span<const Placement> placed);
core::Bytes scratch(const Linear&, std::span<const Spec> in, const Bindings&);
Work work(const Linear&, std::span<const Spec> in, const Bindings&);
void run(const Linear&, std::span<const View> in, std::span<const View> out, const Bindings&,
         Counters&);

}  // namespace tensor

// A bias row added to every row.
#pragma once

#include <span>

#include "tensor/op_types.h"

namespace tensor {

/// y[r] = x[r] + bias.  x [rows, n], bias [n] -> y like x.
struct AddBias {
    bool operator==(const AddBias&) const = default;
};

Specs infer(const AddBias&, std::span<const Spec> in);
Split split(const AddBias&, std::span<const Spec> in, std::span<const Placement> placed);
core::Bytes scratch(const AddBias&, std::span<const Spec> in, const Bindings&);
Work work(const AddBias&, std::span<const Spec> in, const Bindings&);
void run(const AddBias&, std::span<const View> in, std::span<const View> out, const Bindings&,
         Counters&);

}  // namespace tensor

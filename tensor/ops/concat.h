// Column blocks to one matrix (ttnn.concat along the last axis): the splits of an LM head.
#pragma once

#include <span>

#include "tensor/op_types.h"

namespace tensor {

/// Columns side by side, in order.  x_i [rows, n_i] -> y [rows, sum of n_i].
struct Concat {
    bool operator==(const Concat&) const = default;
};

Specs infer(const Concat&, std::span<const Spec> in);
Split split(const Concat&, std::span<const Spec> in, std::span<const Placement> placed);
core::Bytes scratch(const Concat&, std::span<const Spec> in, const Bindings&);
Work work(const Concat&, std::span<const Spec> in, const Bindings&);
void run(const Concat&, std::span<const View> in, std::span<const View> out, const Bindings&,
         Counters&);

}  // namespace tensor

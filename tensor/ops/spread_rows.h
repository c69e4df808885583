// Every row to a tile row of its own (ttnn.transpose of axes 1 and 2 of [1, 1, rows, cols]).
#pragma once

#include <span>

#include "tensor/op_types.h"

namespace tensor {

/// x [rows, cols] -> y [rows, 1, cols]: what one user needs becomes what one core can hold.
struct SpreadRows {
    bool operator==(const SpreadRows&) const = default;
};

Specs infer(const SpreadRows&, std::span<const Spec> in);
Split split(const SpreadRows&, std::span<const Spec> in, std::span<const Placement> placed);
core::Bytes scratch(const SpreadRows&, std::span<const Spec> in, const Bindings&);
Work work(const SpreadRows&, std::span<const Spec> in, const Bindings&);
void run(const SpreadRows&, std::span<const View> in, std::span<const View> out, const Bindings&,
         Counters&);

}  // namespace tensor

// Gathered parts to one matrix.
#pragma once

#include <span>

#include "tensor/op_types.h"

namespace tensor {

/// x [parts, rows, cols] -> y [parts * rows, cols]: drops the row padding of each gathered part
/// (the user-selection matmul of the Galaxy flow).
struct MergeRows {
    bool operator==(const MergeRows&) const = default;
};

Specs infer(const MergeRows&, std::span<const Spec> in);
Split split(const MergeRows&, std::span<const Spec> in, std::span<const Placement> placed);
core::Bytes scratch(const MergeRows&, std::span<const Spec> in, const Bindings&);
Work work(const MergeRows&, std::span<const Spec> in, const Bindings&);
void run(const MergeRows&, std::span<const View> in, std::span<const View> out, const Bindings&,
         Counters&);

}  // namespace tensor

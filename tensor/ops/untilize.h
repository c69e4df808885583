// Tile layout to row-major (ttnn.untilize, ttnn.to_layout).
#pragma once

#include <span>

#include "tensor/op_types.h"

namespace tensor {

/// Rows one after another; block floats become bf16. Rows of padding stay: a step of one user has
/// 32 rows.  x [rows, cols] in tiles -> y [rows rounded up to 32, cols] row-major.
struct Untilize {
    bool operator==(const Untilize&) const = default;
};

Specs infer(const Untilize&, std::span<const Spec> in);
Split split(const Untilize&, std::span<const Spec> in, std::span<const Placement> placed);
core::Bytes scratch(const Untilize&, std::span<const Spec> in, const Bindings&);
Work work(const Untilize&, std::span<const Spec> in, const Bindings&);
void run(const Untilize&, std::span<const View> in, std::span<const View> out, const Bindings&,
         Counters&);

}  // namespace tensor

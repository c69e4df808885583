// The first entries of the outermost axis (ttnn.slice).
#pragma once

#include <span>

#include "tensor/op_types.h"

namespace tensor {

/// x [n, ...] -> y [count, ...]: drops what only filled up a tile.  Requires: count <= n.
struct FirstRows {
    std::int64_t count = 0;
    bool operator==(const FirstRows&) const = default;
};

Specs infer(const FirstRows&, std::span<const Spec> in);
Split split(const FirstRows&, std::span<const Spec> in, std::span<const Placement> placed);
core::Bytes scratch(const FirstRows&, std::span<const Spec> in, const Bindings&);
Work work(const FirstRows&, std::span<const Spec> in, const Bindings&);
void run(const FirstRows&, std::span<const View> in, std::span<const View> out, const Bindings&,
         Counters&);

}  // namespace tensor

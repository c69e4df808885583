// Streams the weights of a decode step from DRAM into a global circular buffer in the L1 of the
// cores that multiply (ttnn.dram_prefetcher). The products read them where they are stored: no
// value changes, and the bytes are counted by the products.
#pragma once

#include <cstdint>
#include <span>

#include "tensor/op_types.h"

namespace tensor {

/// w... the weights of a layer, in the order in which they are read -> nothing.
struct Prefetch {
    std::int64_t weights = 0;  // of all layers
    bool operator==(const Prefetch&) const = default;
};

/// No outputs. Throws core::Error without weights.
Specs infer(const Prefetch&, std::span<const Spec> in);
/// Every chip streams its own part.
Split split(const Prefetch&, std::span<const Spec> in, std::span<const Placement> placed);
core::Bytes scratch(const Prefetch&, std::span<const Spec> in, const Bindings&);
/// Counts nothing: see above.
Work work(const Prefetch&, std::span<const Spec> in, const Bindings&);
void run(const Prefetch&, std::span<const View> in, std::span<const View> out, const Bindings&,
         Counters&);

}  // namespace tensor

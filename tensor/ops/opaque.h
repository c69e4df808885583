// Stands for a computation the runtime does not do, so that its inputs, outputs, weights and
// caches have sizes and places all the same. A graph with one cannot be run, only planned.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "tensor/op_types.h"

namespace tensor {

/// y is like x, the first input, but its last axis is numerator / denominator as long.
/// x [..., n] and any others -> y [..., n * numerator / denominator], in tiles, of x's format.
struct Opaque {
    std::string what;  // "gated delta rule"
    std::int64_t numerator = 1;
    std::int64_t denominator = 1;
    bool operator==(const Opaque&) const = default;
};

Specs infer(const Opaque&, std::span<const Spec> in);
/// y goes where x is; a sum over chips is taken first. The other inputs stay where they are.
Split split(const Opaque&, std::span<const Spec> in, std::span<const Placement> placed);
core::Bytes scratch(const Opaque&, std::span<const Spec> in, const Bindings&);
/// Counts nothing: what the computation costs is not known here.
Work work(const Opaque&, std::span<const Spec> in, const Bindings&);
/// Throws core::Error naming `what`.
void run(const Opaque&, std::span<const View> in, std::span<const View> out, const Bindings&,
         Counters&);

}  // namespace tensor

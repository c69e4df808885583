// The gated feed-forwards of a layer's experts, each on the rows that were routed to it.
// One op for all experts: their weights are stacked along an outer axis, [experts, K, F]. The
// device runs their three products one expert after the other.
#pragma once

#include <cstdint>
#include <span>

#include "tensor/activation.h"
#include "tensor/op_types.h"

namespace tensor {

/// y[t] = sum over e of routing[t, e] * (activation(x w1[e] + b1[e]) * (x w3[e] + b3[e]) w2[e] +
/// b2[e]), over the experts with a weight that is not 0, in their order.
/// x [rows, K], routing [rows, E], w1 and w3 [E, K, F], w2 [E, F, K] -> y [rows, K]; optionally
/// b1 and b3 [E, F], b2 [E, K]. Sums are float32; the gated product is stored as `hidden`.
struct Experts {
    /// The rows an expert is given: those routed to it, or all rows (weights 0 drop the rest).
    enum class Rows { Chosen, All };

    Activation activation = Activation::Silu;
    Rows rows = Rows::Chosen;
    std::int64_t experts = 1;  // of the layer, on all chips together
    std::int64_t top_k = 1;    // experts of a token
    DType hidden = DType::BFloat16;
    DType out = DType::BFloat16;
    bool operator==(const Experts&) const = default;
};

/// Throws core::Error naming the operand whose shape does not fit.
Specs infer(const Experts&, std::span<const Spec> in);
/// Weights by columns of F (w2 by its rows), or by experts: both leave summands.
Split split(const Experts&, std::span<const Spec> in, std::span<const Placement> placed);
/// The rows of one expert and their two hidden halves, all rows routed to it at worst.
core::Bytes scratch(const Experts&, std::span<const Spec> in, const Bindings&);
/// Rows of each expert as Bindings::expert_rows says, else balanced: rows x top_k pairs over as
/// many experts as they reach; of a chip with a part of the experts, the one with most.
Work work(const Experts&, std::span<const Spec> in, const Bindings&);
void run(const Experts&, std::span<const View> in, std::span<const View> out, const Bindings&,
         Counters&);

}  // namespace tensor

// How long experts take that multiply all rows with whole matrices of their own, one expert after
// the other: three matmuls, the gated product and the product with the rows' weights, each a kernel
// of its own, timed as the op it is (dispatch/op_time.h).
// Source: tenstorrent/tt-metal models/tt_transformers/tt/mixtral_mlp.py, mixtral_moe.py.
#pragma once

#include <optional>
#include <span>

#include "dispatch/op_time.h"

namespace dispatch {

/// nullopt for other ops, and for experts that are given the rows routed to them.
std::optional<OpTime> experts_time(const tensor::Op& op, std::span<const tensor::Spec> in,
                                   const tensor::Bindings& bindings, const KernelPlan& plan,
                                   const mesh::ChipSpec& chip, MatmulTuning tuning);

}  // namespace dispatch

// Which kernel an op of a program runs as, asked of the same question as a row of a profile
// (dispatch/kernel_question.h). Bytes are those that tensor::work counts.
#pragma once

#include <optional>
#include <span>

#include "dispatch/kernel_question.h"
#include "tensor/bindings.h"
#include "tensor/op.h"

namespace dispatch {

/// nullopt for matmuls, attention, experts and what is opaque: they are no kernels of this kind.
std::optional<KernelQuestion> kernel_question(const tensor::Op& op,
                                              std::span<const tensor::Spec> in,
                                              const tensor::Work& work, const KernelPlan& plan);

}  // namespace dispatch

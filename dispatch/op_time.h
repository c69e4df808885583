// How long an op takes on one chip and what holds it back: the one function behind the simulator
// and `tessera op`. Parts overlap, so the longest is the total; matmuls (dispatch/matmul_time.h),
// attention (dispatch/attention_time.h) and kernels that stream pages (dispatch/kernel_time.h) have
// mechanisms of their own, what is left is a roofline of its KernelPlan and its work.
// Times are picoseconds; every constant comes from topologies/chips and topologies/kernels.
#pragma once

#include <span>
#include <string>

#include "dispatch/kernel_plan.h"
#include "tensor/bindings.h"
#include "tensor/op.h"
#include "tensor/spec.h"
#include "tensor/work.h"

namespace dispatch {

/// What holds an op back, and for how long each part would take alone.
struct OpTime {
    core::Picoseconds compute{};
    core::Picoseconds dram{};
    core::Picoseconds l1{};      // moving operands to or from L1 over the NoC
    core::Picoseconds launch{};  // floor of launching this plan's kernels
    // Of each of the first three: what a program pays once however many ops are its parts, and what
    // of `dram` is no transfer.
    core::Picoseconds begins{};
    core::Picoseconds alone{};
    core::Picoseconds total() const;
    /// "compute", "dram", "l1" or "launch".
    std::string bound() const;
};

/// Roofline of any op: matrix and vector work shared evenly by the cores, whole tiles each.
OpTime op_time(const KernelPlan& plan, const tensor::Work& work, const mesh::ChipSpec& chip);

/// Who chose the blocks of a matmul: the best that fit, as a sweep finds them; the rules that
/// ttnn.matmul falls back to; the prefill configs of tt_transformers, without or with
/// minimal_matmul for some of them; or minimal_matmul's own.
enum class MatmulTuning { Tuned, OutOfBox, Model, NewerModel, Minimal };

/// The same for an op whose operands are known: a Linear is timed as its layouts say.
OpTime op_time(const tensor::Op& op, std::span<const tensor::Spec> in,
               const tensor::Bindings& bindings, const KernelPlan& plan, const mesh::ChipSpec& chip,
               MatmulTuning tuning = MatmulTuning::Tuned);

}  // namespace dispatch

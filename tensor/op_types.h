// What the five questions are asked with and answered in.
#pragma once

#include <span>
#include <vector>

#include "core/units.h"
#include "tensor/bindings.h"
#include "tensor/placement.h"
#include "tensor/spec.h"
#include "tensor/view.h"
#include "tensor/work.h"

namespace tensor {

/// One spec per output. An in-place output repeats its input's spec.
using Specs = std::vector<Spec>;

/// Along one mesh axis: the placement each input must have before the op can run on its shards
/// (equal to what it has when nothing must move) and what the outputs then are.
/// A weight's or cache's placement is never asked to change.
struct Split {
    std::vector<Placement> inputs;
    std::vector<Placement> outputs;
};

/// Decode rows are users; prefill rows are the positions of one user.
enum class Phase { Decode, Prefill };

}  // namespace tensor

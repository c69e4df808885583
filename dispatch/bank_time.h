// How long the matmul of one core per DRAM bank takes (decode). Blocks of K
// (dispatch/bank_blocks.h) are handed over, read and multiplied at once; the slowest of the three
// decides. docs/matmul.md.
#pragma once

#include "dispatch/matmul_time.h"

namespace dispatch {

/// Requires: is_dram_sharded.
OpTime bank_time(const MatmulSpecs& specs, const KernelPlan& plan, const mesh::ChipSpec& chip);

}  // namespace dispatch

// Matmuls of a decode step whose weight a prefetcher has put into L1: every core of a ring holds
// its columns of the weight and a share of the rows' depth; the shares go round, and each core
// multiplies what it has while it passes it on. No constant of its own: the start of a matmul,
// tile cycles and the NoC's write rate are those of other kernels.
// Source: tenstorrent/tt-metal models/demos/llama3_70b_galaxy/tt/model_config.py
// (matmul_1d_ring_config, gather_in0), tree of 2026-05-23. Units: cycles of the chip's clock.
#pragma once

#include <cstdint>

#include "dispatch/matmul_time.h"

namespace dispatch {

/// Puts the plan of a matmul on `cores` in a ring, the weight in their L1. Requires: x is one row
/// of tiles.
void place_on_ring(KernelPlan& plan, const MatmulSpecs& specs, std::int32_t cores);

/// The same for a weight that is read from DRAM, block by block. Requires: as above.
void read_on_ring(KernelPlan& plan, const MatmulSpecs& specs, std::int32_t cores);

/// Whether the weight lies in the L1 of the cores that multiply.
bool is_ring(const MatmulSpecs& specs, const KernelPlan& plan);

/// Whether a ring reads it from DRAM: a DRAM-sharded matmul has one core per bank at most.
bool reads_on_ring(const MatmulSpecs& specs, const KernelPlan& plan, const mesh::ChipSpec& chip);

/// Requires: either of the two. Leaves OpTime::launch at zero; that a weight in L1 is there is the
/// caller's (prefetch_clock.h).
OpTime ring_matmul_time(const MatmulSpecs& specs, const KernelPlan& plan,
                        const mesh::ChipSpec& chip);

}  // namespace dispatch

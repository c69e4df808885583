// Decides once how an op sits on a chip: cores, circular buffers, arguments, operand locations.
// Core counts follow published rules (one core per DRAM bank, find_grid, rows of a norm, cores per
// head of FlashDecode: tenstorrent/tt-metal tree of 2026-05-23); sizes of circular buffers and
// counts of arguments are guesses, said where they stand.
#pragma once

#include <span>

#include "dispatch/kernel_plan.h"
#include "dispatch/release.h"
#include "mesh/chip_spec.h"
#include "tensor/op.h"

namespace dispatch {

struct LowerContext {
    const mesh::ChipSpec* chip = nullptr;
    mesh::Grid worker_grid;
    tensor::Phase phase = tensor::Phase::Decode;
    mesh::Fidelity fidelity = mesh::Fidelity::HiFi2;
    Release release = Release::R2026_09;
};

/// `in` and `out` are one chip's specs; `placed` says where the inputs are. The result's `outputs`
/// say where the outputs go.
KernelPlan lower(const tensor::Op& op, std::span<const tensor::Spec> in,
                 std::span<const tensor::Spec> out, std::span<const MemoryConfig> placed,
                 const LowerContext& context);

/// Where a collective leaves its result: decode in L1 (width-sharded), prefill in DRAM.
MemoryConfig activation_memory(const tensor::Spec& spec, tensor::Phase phase,
                               mesh::Grid worker_grid);

/// find_grid of tt_transformers: the divisor of `tiles` nearest 32 (ties: the smaller) that is a
/// grid of at most rows x cols cores; 0 when there is none.
std::int32_t nearest_core_count(std::int64_t tiles, mesh::Grid limit);

}  // namespace dispatch

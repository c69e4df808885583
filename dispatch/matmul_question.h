// One matmul on one chip as people and published tables put it: sizes, one format, a fidelity,
// where operands are, who chose the blocks. The one way to its time for `tessera op` and for
// `tessera validate`: specs, lower and op_time.
// The weight and the output have the format of the activations unless they say another.
#pragma once

#include <cstdint>
#include <optional>

#include "dispatch/op_time.h"

namespace dispatch {

/// x [m, k] times weight [k, n].
struct MatmulQuestion {
    std::int64_t m = 0;
    std::int64_t k = 0;
    std::int64_t n = 0;
    tensor::DType dtype = tensor::DType::BFloat16;
    std::optional<tensor::DType> weight = {};
    std::optional<tensor::DType> result = {};
    mesh::Fidelity fidelity = mesh::Fidelity::HiFi2;
    mesh::Grid grid{};  // of the workers
    mesh::BufferType activations = mesh::BufferType::Dram;
    mesh::BufferType output = mesh::BufferType::Dram;        // in L1: block-sharded over the grid
    MemoryLayout weight_layout = MemoryLayout::Interleaved;  // in DRAM
    MatmulTuning tuning = MatmulTuning::OutOfBox;

    double flops() const;  // 2 m k n
};

/// Without the gap that the device keeps between programs. Requires: sizes and grid above 0.
OpTime matmul_time(const MatmulQuestion& question, const mesh::ChipSpec& chip);

}  // namespace dispatch

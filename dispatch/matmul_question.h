// One matmul on one chip as people and published tables put it: sizes, one format, a fidelity,
// where operands are, who chose the blocks. The one way to its time for `tessera op` and for
// `tessera validate`: specs, lower and op_time.
// The weight and the output have the format of the activations unless they say another.
#pragma once

#include <cstdint>
#include <optional>

#include "dispatch/op_time.h"

namespace dispatch {

/// What the activations are before they are multiplied: tiles, or rows of a convolution that the
/// cores put together and tilize.
enum class ActivationRows { Tiles, Windows };

/// x [m, k] times weight [k, n], for `heads` pairs of them one after the other.
struct MatmulQuestion {
    std::int64_t m = 0;
    std::int64_t k = 0;
    std::int64_t n = 0;
    std::int64_t heads = 1;
    ActivationRows rows = ActivationRows::Tiles;
    tensor::DType dtype = tensor::DType::BFloat16;
    std::optional<tensor::DType> weight = {};
    std::optional<tensor::DType> result = {};
    std::optional<tensor::DType> bias = {};  // none unless given
    mesh::Fidelity fidelity = mesh::Fidelity::HiFi2;
    PartialSums partial_sums = PartialSums::InL1;
    mesh::Grid grid{};  // of the workers
    mesh::BufferType activations = mesh::BufferType::Dram;
    mesh::BufferType output = mesh::BufferType::Dram;        // in L1: block-sharded over the grid
    MemoryLayout weight_layout = MemoryLayout::Interleaved;  // in DRAM
    MatmulTuning tuning = MatmulTuning::OutOfBox;
    Projection projection = {};

    double flops() const;  // 2 m k n, of all heads
};

/// Without the gap that the device keeps between programs. Requires: sizes and grid above 0.
OpTime matmul_time(const MatmulQuestion& question, const mesh::ChipSpec& chip);

}  // namespace dispatch

// Activations times a stored weight, reading the weight's tiles as the device keeps them.
// Invariant: an output value is ((0 + x0 w0) + x1 w1) + ... over k in order, one float32 fused
// multiply-add each, so its bits depend neither on the other rows, nor on how columns are split,
// nor on threads. A machine without FMA rounds the product too, on every path alike.
// Weights are the exact stored values (unpack_row_host).
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/numerics.h"
#include "tensor/spec.h"

namespace tensor::kernels {

/// out[rows, n1 - n0] (row stride ldo) = x[rows, K] (row stride ldx) * W[K, columns n0..n1).
/// Runs on the calling thread. With columns split at multiples of 32 no tile is read twice.
/// Requires: w is rank 2 [K, N], tile layout, fp32, bf16 or a block float; 0 <= n0 <= n1 <= N.
void matmul(const float* x, std::int64_t ldx, std::int64_t rows, const Spec& w,
            const std::byte* w_data, std::int64_t n0, std::int64_t n1, float* out, std::int64_t ldo,
            NumericsLevel level = NumericsLevel::ExactStorage);

}  // namespace tensor::kernels

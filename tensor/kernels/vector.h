// Arithmetic on rows of float32 that the ops share, with run-time choice of the instruction set.
// Sums run over 32 interleaved partial sums combined in one fixed tree, so their bits depend on n
// only; AVX2 and AVX-512 agree. The exponential is within 2 ulp (below 1e-6 relative).
#pragma once

#include <cstdint>

namespace tensor::kernels {

/// Sum of a[i] * b[i].
float dot(const float* a, const float* b, std::int64_t n);
/// Sum of x[i]^2.
float sum_of_squares(const float* x, std::int64_t n);
/// y += a * x, one fused multiply-add each.
void axpy(float a, const float* x, float* y, std::int64_t n);

// Element by element; `out` may be an input.
void add(const float* a, const float* b, float* out, std::int64_t n);
void multiply(const float* a, const float* b, float* out, std::int64_t n);
void scale(float a, const float* x, float* out, std::int64_t n);
/// e^x; 0 below -104, infinity above 88.73, NaN stays NaN.
void exp(const float* x, float* out, std::int64_t n);
/// x / (1 + e^-x).
void silu(const float* x, float* out, std::int64_t n);
/// x (1 + erf(x / sqrt 2)) / 2, by the C library's error function.
void gelu(const float* x, float* out, std::int64_t n);
/// x (1 + tanh(u)) / 2 with u = sqrt(2 / pi) (x + 0.044715 x^3), as x / (1 + e^-2u).
void gelu_tanh(const float* x, float* out, std::int64_t n);
/// max(x, 0); NaN stays NaN.
void relu(const float* x, float* out, std::int64_t n);

/// exp(x - max) / sum. -infinity gives 0; a row of nothing else becomes all zero.
void softmax(const float* x, float* out, std::int64_t n);

}  // namespace tensor::kernels

// The nonlinear functions between the matrices of a feed-forward.
// Names and formulas: huggingface/transformers src/transformers/activations.py.
#pragma once

#include <cstdint>

namespace tensor {

enum class Activation {
    Silu,      // x / (1 + e^-x)
    Gelu,      // x (1 + erf(x / sqrt 2)) / 2
    GeluTanh,  // x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2
    Relu,      // max(x, 0)
};

/// out[i] = activation(x[i]); `out` may be `x`.
void activate(Activation activation, const float* x, float* out, std::int64_t n);

}  // namespace tensor

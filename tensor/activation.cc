#include "tensor/activation.h"

#include "tensor/kernels/vector.h"

namespace tensor {

void activate(Activation activation, const float* x, float* out, std::int64_t n) {
    switch (activation) {
        case Activation::Silu:
            return kernels::silu(x, out, n);
        case Activation::Gelu:
            return kernels::gelu(x, out, n);
        case Activation::GeluTanh:
            return kernels::gelu_tanh(x, out, n);
        case Activation::Relu:
            return kernels::relu(x, out, n);
    }
}

}  // namespace tensor

// How closely values follow the device. One place for the choice, so that closer levels can be
// added without new functions: fidelity-aware matmuls (operands truncated per math fidelity, bf16
// destination) and bit-exact ones (the published matrix-unit model) are the next two.
#pragma once

namespace tensor {

enum class NumericsLevel {
    /// Bytes and values in storage are exactly the device's; arithmetic between them is float32.
    ExactStorage,
};

}  // namespace tensor

// A tensor with bytes on one chip. `data` holds spec.bytes() bytes in device page order.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/spec.h"

namespace tensor {

/// What kernels really did, to be compared with `work()`.
struct Counters {
    std::int64_t multiply_adds = 0;
};

struct View {
    Spec spec;
    std::byte* data = nullptr;
};

}  // namespace tensor

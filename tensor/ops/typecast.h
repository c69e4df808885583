// Storage format conversion.
#pragma once

#include <span>

#include "tensor/op_types.h"

namespace tensor {

/// y = x in another storage format (device packer, single rounding).
struct Typecast {
    DType out = DType::BFloat16;
    bool operator==(const Typecast&) const = default;
};

Specs infer(const Typecast&, std::span<const Spec> in);
Split split(const Typecast&, std::span<const Spec> in, std::span<const Placement> placed);
core::Bytes scratch(const Typecast&, std::span<const Spec> in, const Bindings&);
Work work(const Typecast&, std::span<const Spec> in, const Bindings&);
void run(const Typecast&, std::span<const View> in, std::span<const View> out, const Bindings&,
         Counters&);

}  // namespace tensor

// The tile of the last token of a prompt.
#pragma once

#include <span>

#include "tensor/op_types.h"

namespace tensor {

/// The 32-row tile that holds the last valid row: only it goes to the LM head.
/// x [rows, dim] -> y [min(rows, 32), dim]; the last valid row is row (valid - 1) % 32 of y.
struct LastRows {
    bool operator==(const LastRows&) const = default;
};

Specs infer(const LastRows&, std::span<const Spec> in);
Split split(const LastRows&, std::span<const Spec> in, std::span<const Placement> placed);
core::Bytes scratch(const LastRows&, std::span<const Spec> in, const Bindings&);
Work work(const LastRows&, std::span<const Spec> in, const Bindings&);
void run(const LastRows&, std::span<const View> in, std::span<const View> out, const Bindings&,
         Counters&);

}  // namespace tensor

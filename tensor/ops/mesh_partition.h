// Takes the chip's own part of a replicated value.
#pragma once

#include <span>

#include "tensor/op_types.h"

namespace tensor {

/// This chip's part of axis `dim` along mesh axis `axis`: the local inverse of an all-gather.
/// x with x.shape[dim] = parts * n -> y with n.  `parts` is the extent of the mesh axis.
struct MeshPartition {
    int axis = 0;
    int dim = 0;
    std::int32_t parts = 1;
    /// A slice, or a product with a selection matrix, which comes out in bf16 where x is in a block
    /// format (slice_mat of tt_transformers' attention.py).
    enum class How { Slice, Selection };
    How how = How::Slice;
    bool operator==(const MeshPartition&) const = default;
};

Specs infer(const MeshPartition&, std::span<const Spec> in);
Split split(const MeshPartition&, std::span<const Spec> in, std::span<const Placement> placed);
core::Bytes scratch(const MeshPartition&, std::span<const Spec> in, const Bindings&);
Work work(const MeshPartition&, std::span<const Spec> in, const Bindings&);
void run(const MeshPartition&, std::span<const View> in, std::span<const View> out, const Bindings&,
         Counters&);

}  // namespace tensor

// The same value in other banks or on other cores (ttnn.to_memory_config).
#pragma once

#include <span>

#include "tensor/op_types.h"

namespace tensor {

/// y = x where the command's output is; sharded_to_interleaved may change the storage format too
/// (device packer, single rounding). The route names the program the device runs.
struct ToMemory {
    enum class Route { InterleavedToSharded, ShardedToInterleaved, Reshard, Copy };
    Route route = Route::Reshard;
    DType out = DType::BFloat16;
    bool operator==(const ToMemory&) const = default;
};

Specs infer(const ToMemory&, std::span<const Spec> in);
Split split(const ToMemory&, std::span<const Spec> in, std::span<const Placement> placed);
core::Bytes scratch(const ToMemory&, std::span<const Spec> in, const Bindings&);
Work work(const ToMemory&, std::span<const Spec> in, const Bindings&);
void run(const ToMemory&, std::span<const View> in, std::span<const View> out, const Bindings&,
         Counters&);

}  // namespace tensor

// What the host needs to bring a model up: bytes of the checkpoint as it is stored, of converting
// its tensors, and of a Hugging Face reference run. Counted from the weights of the graph
// (elements x bytes of a stored format), so that what the graph does not hold (a vision tower) is
// not counted.
#pragma once

#include <cstdint>
#include <string>

#include "model/config.h"
#include "model/precision.h"

namespace model {

struct HostMemory {
    /// Elements of all weights, each stored tensor once (a tied table counts once).
    std::int64_t parameters = 0;
    /// The mapped safetensors files: page cache that the kernel may drop, not resident memory. What
    /// was converted is given back at once.
    core::Bytes checkpoint_mapped;
    /// Converting keeps a stripe (stripe_of) per thread: as float32, and in tiles.
    std::string largest_tensor;
    core::Bytes largest_as_float32;
    core::Bytes largest_as_tiles;
    std::int64_t threads = 1;
    core::Bytes converting;  // threads x (float32 + tiles): an upper bound, all at the largest
    /// A reference run on the host holds all weights: in torch_dtype, and in float32.
    core::Bytes reference_stored;
    core::Bytes reference_float32;
};

/// `threads` convert at once. Requires: threads >= 1.
HostMemory host_memory(const Config& config, const Precision& precision, std::int64_t threads);

}  // namespace model

// The network of the paper on one device: what a decode step or a prefill chunk computes.
// Nothing here knows of chips; `partition` places it.
#pragma once

#include <cstdint>

#include "model/config.h"
#include "model/precision.h"
#include "tensor/graph.h"

namespace model {

/// Sizes of a step that the model does not fix.
struct StepShape {
    std::int64_t users = 1;           // decode: user slots (rows of the step)
    std::int64_t rows = 128;          // prefill: padded positions of the chunk
    std::int64_t max_context = 1024;  // positions a user may reach
    std::int64_t block_size = 1024;   // of the paged cache; max_context for a contiguous one
    std::int64_t blocks = 1;          // of the pool, all users
    std::int64_t padded_vocab = 0;    // columns of the stored LM head; 0: the vocabulary
    /// Prefill: the first chunk attends to itself, later ones to the cache.
    enum class Chunk { First, Later } chunk = Chunk::First;
};

/// One token of every user: token ids [users] -> logits [users, padded_vocab].
tensor::Graph build_decode(const Config& config, const Precision& precision,
                           const StepShape& shape);

/// A chunk of one user's prompt: token ids [rows] -> logits of the last token's tile
/// [min(rows, 32), padded_vocab].
tensor::Graph build_prefill(const Config& config, const Precision& precision,
                            const StepShape& shape);

}  // namespace model

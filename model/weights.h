// Fills a model's persistent buffers: from the weight cache, else from the checkpoint, and then the
// cache is filled. Each chip gets its shard at its real address; a part that several chips hold is
// in host memory once. The bytes are the same wherever they come from.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "dispatch/executor.h"
#include "dispatch/program.h"
#include "dispatch/session.h"
#include "model/config.h"
#include "model/safetensors.h"
#include "model/weight_cache.h"

namespace model {

/// Tensors (each layer's count) that were loaded, by where they came from.
struct LoadedWeights {
    std::int64_t converted = 0;
    std::int64_t cached = 0;
};

/// Writes the weights of `program` that are not in `loaded` yet on every chip, and adds their
/// names. Throws core::Error naming file, tensor, expected and found shape. `cache` null: none.
LoadedWeights load_weights(const dispatch::Program& program, const dispatch::Session& session,
                           const dispatch::Executor& executor, const Checkpoint& checkpoint,
                           const Config& config, std::set<std::string>& loaded,
                           WeightCache* cache = nullptr);

/// The whole value of a buffer from what every chip holds (row-major floats of `global`);
/// replicated axes are read from their first chip.
std::vector<float> assemble(const dispatch::Buffer& buffer, mesh::Shape shape,
                            const dispatch::HostData& data);

}  // namespace model

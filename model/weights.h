// Fills a model's persistent buffers: weights from a checkpoint, rotary tables by formula.
// Each chip gets its shard in the run's storage format (host packer), at its real address.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "dispatch/executor.h"
#include "dispatch/program.h"
#include "dispatch/session.h"
#include "model/config.h"
#include "model/safetensors.h"

namespace model {

/// Writes the weights of `program` that are not in `loaded` yet on every chip, and adds their
/// names. Throws core::Error naming file, tensor, expected and found shape.
void load_weights(const dispatch::Program& program, const dispatch::Session& session,
                  dispatch::Executor& executor, const Checkpoint& checkpoint, const Config& config,
                  std::set<std::string>& loaded);

/// The whole value of a buffer from what every chip holds (row-major floats of `global`);
/// replicated axes are read from their first chip.
std::vector<float> assemble(const dispatch::Buffer& buffer, mesh::Shape shape,
                            const dispatch::HostData& data);

}  // namespace model

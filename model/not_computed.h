// What the runtime does not compute of a network whose sizes it knows: one list, read by
// support(), by messages and, as the names of tensor::Opaque nodes, by the builder.
// Invariant: every Opaque of a network's graph is named here, and a network with an empty list
// runs. Rules: huggingface/transformers: src/transformers/models, modeling_*.py of each.
#pragma once

#include <string>
#include <vector>

#include "model/config.h"

namespace model {

inline constexpr const char* kLayerNorm = "LayerNorm";
inline constexpr const char* kCrossAttention = "cross-attention to the image";
inline constexpr const char* kLatentAttention = "multi-head latent attention";
inline constexpr const char* kLinearAttention = "gated delta rule";
inline constexpr const char* kAttentionSinks = "attention sinks";
inline constexpr const char* kOutputGate = "output gate of the attention";
inline constexpr const char* kValuesFromKeys = "values made of keys";
inline constexpr const char* kLayerScales = "scales of layers and experts";
inline constexpr const char* kFullWidthNorm = "norm of queries and keys over all heads";

/// Whether Sliding layers turn their heads otherwise than Full layers do.
bool has_local_rope(const Config& config);
/// Whether heads of this layer turn with the position at all.
bool has_rope(const Config& config, const LayerConfig& layer);

/// Empty exactly when support(config) is Runs. For "not computed, sizes only: ...".
std::vector<std::string> not_computed(const Config& config);

}  // namespace model

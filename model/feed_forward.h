// The parts of a feed-forward that its kinds share. For build_feed_forward.cc and
// build_experts.cc only; the rest of the network calls build_feed_forward (model/builder.h).
#pragma once

#include <cstdint>
#include <string>

#include "model/builder.h"
#include "tensor/activation.h"

namespace model {

/// Where the three matrices of a gated feed-forward come from. A module holds ".weight" and, where
/// config().mlp_bias says so, ".bias".
struct GatedModules {
    std::string gate;
    std::string up;
    std::string down;
    std::int64_t width = 0;   // columns of w1 and w3 as they are kept
    std::int64_t stored = 0;  // of them in the checkpoint; the others are zeros
};

tensor::Activation activation_of(const Config& config);

/// down(activation(gate(x)) * up(x)), x normalized; nodes and weights are called `name`.w1 ...
tensor::ValueId build_gated(Builder& builder, const std::string& name, tensor::ValueId x,
                            const GatedModules& modules);

/// Router, experts and, where the layer has one, the feed-forward every token passes beside them.
tensor::ValueId build_experts(Builder& builder, tensor::ValueId x);

}  // namespace model

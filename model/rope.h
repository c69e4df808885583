// Rotary frequencies as a config says, stretched for long contexts.
// Rules: huggingface/transformers src/transformers/modeling_rope_utils.py.
#pragma once

#include <cstdint>
#include <vector>

#include "model/config.h"

namespace model {

struct RopeTable {
    std::vector<double> frequencies;  // radians per position of each pair that turns
    double scale = 1;                 // cos and sin are multiplied by it (yarn, longrope)
};

/// For a run that may reach `context` positions: longrope takes its long factors when that is
/// beyond the original context. Throws core::Error for a scaling that cannot be run.
RopeTable rope_table(const Config& config, std::int64_t context);

/// The context of a run that needs `needed` positions and would take `wanted`: no more than the
/// original one where longrope would take its long factors for positions that are never reached.
std::int64_t context_of_run(const Config& config, std::int64_t wanted, std::int64_t needed);

}  // namespace model

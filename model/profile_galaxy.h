// The second software profile: the demo of Llama-3 70B on a Galaxy of 32 Wormhole chips, where a
// prefetcher streams the weights of a decode step and neighbours are fused into one program.
// Source: tenstorrent/tt-metal models/demos/llama3_70b_galaxy/tt (llama_decoder.py,
// llama_attention.py, llama_mlp.py, llama_ccl.py, model_config.py, prefetcher_common.py; tree of
// 2026-05-23).
#pragma once

#include "model/profile.h"

namespace model {

/// Throws core::Error for anything else than 8x4 Wormhole chips.
Profile llama_galaxy(const Config& config, const fabric::Mesh& mesh);

}  // namespace model

// The prefetcher of a decode step in a program: one command, launched first, on its own sub-device
// streams the weights of all layers from DRAM into a global circular buffer in the L1 of the cores
// that multiply. Source: tenstorrent/tt-metal models/demos/llama3_70b_galaxy/tt/
// prefetcher_common.py, llama_model.py (tree of 2026-05-23).
#pragma once

#include "dispatch/program.h"
#include "model/profile.h"

namespace model {

/// Puts the last command, that of `node`, on a ring of cores where it is a matmul beside a
/// prefetcher: a layer's finds its weight in L1, the LM head's reads it from DRAM. Others stay as
/// they are.
void place_on_ring(dispatch::Program& program, const Profile& profile, const tensor::Graph& graph,
                   const tensor::Node& node, std::int32_t dram_banks);

/// Adds command, buffer and sub-devices for the weights that place_on_ring() has marked; nothing
/// where there are none. Requires: a whole program.
void add_prefetcher(dispatch::Program& program, const Profile& profile);

}  // namespace model

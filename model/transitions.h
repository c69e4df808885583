// How a value gets from one placement to another along a mesh axis: the short table behind
// `partition`. Which collective stands for which transition is the profile's.
//   Sharded -> Replicated   all-gather (users: stacked, then merged)
//   Partial -> Sharded      reduce-scatter along the last axis, else all-reduce and own part
//   Partial -> Replicated   reduce-scatter + all-gather, or all-gather stacked + local sum
//   Replicated -> Sharded   own part, no traffic
#pragma once

#include <string>

#include "model/program_writer.h"

namespace model {

/// Appends what brings `from` to `need` along `axis` and returns where it is then. `form` says what
/// a sum over the chips of the axis becomes where all of them need it.
Located move_to(ProgramWriter& writer, const std::string& label, Located from, int axis,
                tensor::Placement need, AllReduceForm form);

/// Sharded along `axis` -> Replicated.
Located all_gather(ProgramWriter& writer, const std::string& label, const Located& from, int axis);
/// Sharded -> Replicated and back, as tt_transformers does with the norm of a block's output:
/// distributed_norm.py gathers it, decoder.py cuts out each chip's part (mesh_partition).
Located gathered_and_cut(ProgramWriter& writer, const std::string& label, const Located& from,
                         int axis);

}  // namespace model

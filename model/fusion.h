// Marks the commands of a segment that are parts of one program on the device, as the software's
// profile lists them. Nothing is moved or left out: a command that no list names stays a program
// of its own.
#pragma once

#include <span>

#include "dispatch/program.h"
#include "model/profile.h"

namespace model {

/// From the first command to the last; of the fusions that match at a command the first is taken.
void fuse(dispatch::Segment& segment, std::span<const Fusion> fusions);

/// use_fused_all_gather_matmul: the gather before a column-parallel wo, the last command but one,
/// and wo are one program of a decode step; the product takes the chips' parts as they arrive.
/// Other nodes than wo, and a wo behind something else, stay as they are.
void fuse_gather_and_wo(dispatch::Segment& segment, const tensor::Graph& graph,
                        const tensor::Node& node);

}  // namespace model

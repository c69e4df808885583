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

}  // namespace model

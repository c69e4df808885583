// When buffers of a segment live: outputs are allocated before the command that makes them, and
// freed after the last command of the segment that touches them.
#pragma once

#include <functional>

#include "dispatch/program.h"

namespace model {

/// Fills in `allocates` and `releases` of the segment's commands. `carries_on` says which buffers
/// stay for the next segment or round.
void set_lifetimes(const dispatch::Program& program, dispatch::Segment& segment,
                   const std::function<bool(dispatch::BufferRef)>& carries_on);

}  // namespace model

// What a collective sends through routers around a ring, and whether that locks them up. For the
// .cc files of this room only. Gathers and reducing hops are read back by workers at every chip and
// never pass through a router.
#pragma once

#include <span>

#include "ccl/plan.h"
#include "fabric/flow_control.h"
#include "fabric/mesh.h"

namespace ccl {

/// Throws fabric::Hang, with the cycle of routers, when `plan` on a ring fills their buffers.
/// `chips[r]` is the mesh index of rank r. One link carries all.
void require_no_deadlock(const Plan& plan, const fabric::Mesh& mesh,
                         std::span<const std::int32_t> chips, fabric::FabricConfig config);

}  // namespace ccl

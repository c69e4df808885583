// Carries a collective out on real tile bytes: slices of a tensor as pages, sums in the payload's
// format (device packer at every reducing hop), landings in the output buffer or on the host side
// of the staging. Semantics: ccl/carry_out.h.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ccl/plan.h"
#include "dispatch/program.h"
#include "dispatch/transport.h"
#include "tensor/view.h"

namespace dispatch {

/// `chips[r]`, `in[r]`, `out[r]` belong to rank r of one group.
void run_collective(const CollectiveCommand& command, const ccl::Plan& plan,
                    std::span<const std::int32_t> chips, std::span<const tensor::View> in,
                    std::span<const tensor::View> out, Transport& transport);

}  // namespace dispatch

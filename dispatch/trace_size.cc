#include "dispatch/trace_size.h"

#include "core/error.h"

namespace dispatch {
namespace {

bool is_program(const Command& command) {
    return std::holds_alternative<OpCommand>(command.body) ||
           std::holds_alternative<CollectiveCommand>(command.body);
}

}  // namespace

core::Bytes trace_bytes(const Command& command) {
    core::require(is_program(command), "only ops and collectives are programs");
    const TraceCosts& costs = kTraceCosts;
    const auto* op = std::get_if<OpCommand>(&command.body);
    if (op == nullptr) return costs.collective;
    const KernelPlan& plan = op->plan;
    const auto buffers = static_cast<std::int64_t>(plan.circular_buffers.size());
    const core::Bytes group =
        costs.kernel_group + costs.circular_buffer * buffers + costs.argument * plan.common_args;
    const core::Bytes core = costs.core + costs.argument * plan.unique_args;
    return costs.program + group * plan.kernel_groups + core * plan.cores;
}

core::Bytes binary_bytes(const Command& command) {
    core::require(is_program(command), "only ops and collectives are programs");
    const auto* op = std::get_if<OpCommand>(&command.body);
    const std::int32_t groups = op == nullptr ? 1 : op->plan.kernel_groups;
    return core::round_up(kTraceCosts.kernel_binaries * groups, kTraceCosts.binary_page);
}

}  // namespace dispatch

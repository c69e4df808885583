#include "ccl/closed_form.h"

#include "core/error.h"

namespace ccl {
namespace {

/// total x parts / (ranks x directions), rounded up.
core::Bytes share(core::Bytes total, std::int64_t parts, std::int32_t ranks,
                  fabric::Topology topology) {
    return {core::ceil_div(total.value * parts, std::int64_t{ranks} * directions(topology))};
}

}  // namespace

std::int32_t directions(fabric::Topology topology) {
    return topology == fabric::Topology::Ring ? 2 : 1;
}

core::Bytes bottleneck_closed_form(Kind kind, fabric::Topology topology, std::int32_t ranks,
                                   core::Bytes total, Algorithm algorithm) {
    core::require(ranks >= 1 && total.value >= 0, "a closed form has ranks and no negative bytes");
    if (ranks == 1) return {};
    const core::Bytes gather = share(total, ranks - 1, ranks, topology);
    const std::int64_t cut = std::int64_t{ranks / 2} * ((ranks + 1) / 2);
    const core::Bytes crossing = share(total, cut, ranks, topology);
    const core::Bytes scatter = algorithm == Algorithm::Direct ? crossing : gather;
    switch (kind) {
        case Kind::AllGather:
            return gather;
        case Kind::ReduceScatter:
            return scatter;
        case Kind::AllReduce:
            if (algorithm == Algorithm::GatherAndSum) {
                return share(total * ranks, ranks - 1, ranks, topology);
            }
            return scatter + gather;
        case Kind::AllToAll:
            return crossing;
        case Kind::Broadcast:
        case Kind::PointToPoint:
            return total;
    }
    core::require(false, "every kind has a closed form");
    return {};
}

}  // namespace ccl

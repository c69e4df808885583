#include "ccl/closed_form.h"

#include "core/error.h"

namespace ccl {
namespace {

/// total x parts / (ranks x directions), rounded up.
core::Bytes share(core::Bytes total, std::int64_t parts, std::int32_t ranks,
                  fabric::Topology topology) {
    return {core::ceil_div(total.value * parts, std::int64_t{ranks} * directions(topology))};
}

struct Published {
    std::int64_t setup_ns = 0;
    std::int64_t hop_ns = 0;  // of N-1 hops on a line, N/2 on a ring
    std::int64_t mega_bytes_per_second = 0;
};

/// tenstorrent/tt-metal: tech_reports/CCLs/results/SUMMARY_wormhole @3a4ad18f8339.
Published published(Kind kind, bool ring) {
    switch (kind) {
        case Kind::AllGather:
            return ring ? Published{4470, 2500, 20'800} : Published{4470, 1910, 11'800};
        case Kind::ReduceScatter:
            return ring ? Published{3230, 3060, 16'700} : Published{3230, 3970, 11'100};
        case Kind::AllReduce:
            return ring ? Published{9070, 5250, 18'400} : Published{9070, 5820, 10'900};
        case Kind::AllToAll:
            return ring ? Published{2990, 3400, 16'500} : Published{2990, 2140, 7'600};
        case Kind::Broadcast:
        case Kind::PointToPoint:
            return {};
    }
    core::require(false, "every kind is published or not");
    return {};
}

}  // namespace

core::Picoseconds published_time(Kind kind, fabric::Topology topology, std::int32_t ranks,
                                 core::Bytes total) {
    const bool ring = topology == fabric::Topology::Ring;
    const Published numbers = published(kind, ring);
    if (numbers.mega_bytes_per_second == 0) return {};
    const std::int64_t hops = ring ? ranks / 2 : ranks - 1;
    // The published bandwidths are of both directions of a ring together.
    const core::Bytes bytes = bottleneck_closed_form(kind, fabric::Topology::Line, ranks, total);
    return core::Picoseconds{(numbers.setup_ns + numbers.hop_ns * hops) * 1000} +
           bytes / core::BytesPerSecond{numbers.mega_bytes_per_second * 1'000'000};
}

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

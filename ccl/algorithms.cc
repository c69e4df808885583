#include "ccl/algorithms.h"

#include "core/error.h"

namespace ccl {

PageRange whole(std::int64_t pages) { return {0, pages}; }

PageRange opposite_share(const Collective& collective, std::int64_t pages, Direction direction) {
    const bool multicasts =
        collective.buffers == Buffers::Persistent && collective.algorithm == Algorithm::Direct;
    if (!multicasts) return half(pages, direction);
    return direction == Direction::Forward ? whole(pages) : PageRange{pages, 0};
}

PageRange half(std::int64_t pages, Direction direction) {
    const std::int64_t forward = core::ceil_div(pages, 2);
    if (direction == Direction::Forward) return {0, forward};
    return {forward, pages - forward};
}

std::int32_t rank_at(const Collective& collective, std::int32_t rank, Direction direction,
                     std::int32_t hops) {
    const std::int32_t ranks = collective.ranks;
    core::require(hops <= ranks, "a walk along a line or ring goes round at most once");
    const std::int32_t at = rank + sign(direction) * hops;
    if (collective.topology == fabric::Topology::Ring) return (at + ranks) % ranks;
    return at >= 0 && at < ranks ? at : kNoRank;
}

std::int32_t summed_lanes(const Collective& collective) {
    const bool reduces =
        collective.kind == Kind::ReduceScatter || collective.kind == Kind::AllReduce;
    if (!reduces) return 0;
    return collective.algorithm == Algorithm::Default ? 2 : collective.ranks;
}

}  // namespace ccl

#include "ccl/workers.h"

#include <algorithm>

namespace ccl {
namespace {

using fabric::Topology;

std::int32_t gather_workers(std::int64_t bytes) {
    if (bytes > 256 * 1024) return 4;
    return bytes > 4096 ? 2 : 1;
}

std::int32_t scatter_workers(std::int64_t bytes, Topology topology) {
    const bool ring = topology == Topology::Ring;
    if (bytes > (ring ? 50 * 1024 * 1024 : 4'000'000)) return 8;
    if (bytes <= 4096) return 1;
    return bytes < (ring ? 1024 * 1024 : 500'000) ? 2 : 4;
}

}  // namespace

std::int32_t Workers::cores(std::int32_t links, std::int32_t neighbours) const {
    return links * (2 * per_direction + (mux ? neighbours : 0));
}

std::int32_t Workers::most_cores(std::int32_t links, std::int32_t ranks) const {
    return cores(links, std::min(ranks - 1, 2));
}

std::optional<Workers> with_workers(Kind kind, Topology topology, std::int32_t per_direction) {
    if (kind != Kind::AllGather && kind != Kind::ReduceScatter) return std::nullopt;
    const bool lone_goes_without = kind == Kind::AllGather || topology == Topology::Ring;
    return Workers{per_direction, per_direction > 1 || !lone_goes_without};
}

std::optional<Workers> usual_workers(const Request& request, std::int32_t available) {
    const std::int64_t moved =
        request.total.value * (request.ranks - 1) / request.ranks / request.links;
    const std::int64_t bytes = request.topology == Topology::Ring ? moved / 2 : moved;
    std::int32_t count = request.kind == Kind::AllGather ? gather_workers(bytes)
                                                         : scatter_workers(bytes, request.topology);
    for (; count >= 1; count /= 2) {
        const auto workers = with_workers(request.kind, request.topology, count);
        if (!workers || workers->cores(request.links, 2) <= available) return workers;
    }
    return std::nullopt;
}

}  // namespace ccl

#include "ccl/request.h"

#include "core/error.h"

namespace ccl {
namespace {

// tenstorrent/tt-metal: reduce_scatter_minimal_direct, "ring inputs <= 512 KiB per device".
constexpr core::Bytes kMostOneShot{512 * 1024};

bool reduces(Kind kind) { return kind == Kind::ReduceScatter || kind == Kind::AllReduce; }

std::int64_t pages_of(const Request& request) {
    return core::ceil_div(request.total.value, request.page.value);
}

std::int64_t slice_count(const Request& request) {
    switch (request.kind) {
        case Kind::AllGather:
        case Kind::ReduceScatter:
        case Kind::AllReduce:
            return request.ranks;
        case Kind::AllToAll:
            return std::int64_t{request.ranks} * request.ranks;
        case Kind::Broadcast:
        case Kind::PointToPoint:
            return 1;
    }
    core::require(false, "every kind has a slice count");
    return 0;
}

}  // namespace

Algorithm usual_algorithm(const Request& request, OneShot one_shot) {
    if (!reduces(request.kind)) return Algorithm::Default;
    if (request.kind == Kind::AllReduce && pages_of(request) % request.ranks != 0) {
        return Algorithm::GatherAndSum;
    }
    const bool small = request.topology == fabric::Topology::Ring && request.total <= kMostOneShot;
    return small && one_shot == OneShot::Present ? Algorithm::Direct : Algorithm::Default;
}

Collective collective_of(const Request& request, Algorithm algorithm) {
    core::require(request.page.value > 0 && request.ranks > 0, "a request has pages and ranks");
    if (request.total.value < 1) {
        throw core::Error::mismatch(to_text(request.kind), "bytes", "at least 1",
                                    std::to_string(request.total.value));
    }
    Collective collective;
    collective.kind = request.kind;
    collective.algorithm = algorithm;
    collective.topology = request.topology;
    collective.ranks = request.ranks;
    collective.page = request.page;
    collective.links = request.links;
    collective.target = request.ranks - 1;
    // Every rank of an all-to-all holds `total`, in one chunk per rank.
    const std::int64_t parts =
        request.kind == Kind::AllToAll ? request.ranks : slice_count(request);
    const std::int64_t pages = pages_of(request);
    for (std::int64_t slice = 0; slice < slice_count(request); ++slice) {
        const std::int64_t part = slice % parts;
        collective.slice_pages.push_back(pages / parts + (part < pages % parts ? 1 : 0));
    }
    return collective;
}

std::optional<Kind> parse_kind(std::string_view text) {
    for (const Kind kind : {Kind::AllGather, Kind::ReduceScatter, Kind::AllReduce, Kind::Broadcast,
                            Kind::AllToAll, Kind::PointToPoint}) {
        if (to_text(kind) == text) return kind;
    }
    return std::nullopt;
}

double bus_factor(Kind kind, std::int32_t ranks) {
    const double others = static_cast<double>(ranks - 1) / ranks;
    if (kind == Kind::Broadcast || kind == Kind::PointToPoint) return 1.0;
    return kind == Kind::AllReduce ? 2 * others : others;
}

}  // namespace ccl

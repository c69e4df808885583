// What the tests of this room share: collectives of every sort, and a mesh built by hand.
// Invariant: the same arguments give the same group. The link numbers are round on purpose, no
// device has them. Include root is the project root: "tests/ccl/group.h".
#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "ccl/plan.h"
#include "fabric/mesh.h"

namespace ccl_test {

struct Sort {
    ccl::Kind kind = ccl::Kind::AllGather;
    ccl::Algorithm algorithm = ccl::Algorithm::Default;
};

inline constexpr std::array kSorts = {
    Sort{ccl::Kind::AllGather},
    Sort{ccl::Kind::ReduceScatter},
    Sort{ccl::Kind::ReduceScatter, ccl::Algorithm::Direct},
    Sort{ccl::Kind::AllReduce},
    Sort{ccl::Kind::AllReduce, ccl::Algorithm::Direct},
    Sort{ccl::Kind::AllReduce, ccl::Algorithm::GatherAndSum},
    Sort{ccl::Kind::Broadcast},
    Sort{ccl::Kind::AllToAll},
    Sort{ccl::Kind::PointToPoint},
};
inline constexpr std::array kTopologies = {fabric::Topology::Line, fabric::Topology::Ring};

/// No ring of 2; no reducing hops on an odd ring.
inline bool can_be_planned(Sort sort, fabric::Topology topology, std::int32_t ranks) {
    if (topology == fabric::Topology::Line) return true;
    const bool in_hops =
        sort.algorithm == ccl::Algorithm::Default &&
        (sort.kind == ccl::Kind::ReduceScatter || sort.kind == ccl::Kind::AllReduce);
    return ranks > 2 && !(in_hops && ranks % 2 != 0);
}

inline std::size_t slice_count(ccl::Kind kind, std::int32_t ranks) {
    const auto count = static_cast<std::size_t>(ranks);
    if (kind == ccl::Kind::AllToAll) return count * count;
    return kind == ccl::Kind::Broadcast || kind == ccl::Kind::PointToPoint ? 1 : count;
}

/// Every slice has `pages` pages of 2 KiB; from the first rank to the last.
inline ccl::Collective even_collective(Sort sort, fabric::Topology topology, std::int32_t ranks,
                                       std::int64_t pages) {
    ccl::Collective collective;
    collective.kind = sort.kind;
    collective.algorithm = sort.algorithm;
    collective.topology = topology;
    collective.ranks = ranks;
    collective.slice_pages.assign(slice_count(sort.kind, ranks), pages);
    collective.page = core::Bytes{2048};
    collective.target = ranks - 1;
    return collective;
}

/// Slices of 0 to 5 pages, ends anywhere.
inline ccl::Collective random_collective(Sort sort, fabric::Topology topology, std::int32_t ranks,
                                         std::mt19937& random) {
    ccl::Collective collective = even_collective(sort, topology, ranks, 0);
    const auto draw = [&random](std::int32_t end) {
        return static_cast<std::int32_t>(random() % static_cast<std::uint32_t>(end));
    };
    for (std::int64_t& pages : collective.slice_pages) pages = draw(6);
    // Pages of 64 KiB make every page a chunk of its own when one slice is relayed.
    collective.page = core::Bytes{65536};
    collective.root = draw(ranks);
    collective.target = (collective.root + 1 + draw(ranks - 1)) % ranks;
    return collective;
}

inline std::string name_of(const ccl::Collective& collective) {
    return to_text(collective.kind) + " algorithm " +
           std::to_string(static_cast<int>(collective.algorithm)) +
           (collective.topology == fabric::Topology::Ring ? " ring " : " line ") +
           std::to_string(collective.ranks);
}

/// 10 GB/s raw, no headers, 1 us per hop, 5 us per collective.
inline fabric::LinkSpec plain_link() {
    fabric::LinkSpec link;
    link.line_rate = core::BytesPerSecond{10'000'000'000};
    link.hop_latency = core::Picoseconds{1'000'000};
    link.packet_payload = core::Bytes{4096};
    link.packet_header = core::Bytes{0};
    link.ethernet_frame = core::Bytes{1500};
    link.ethernet_overhead = core::Bytes{0};
    link.collective_setup = core::Picoseconds{5'000'000};
    link.collectives.straight.setup = core::Picoseconds{5'000'000};
    return link;
}

/// `rows` lines (or rings) of `ranks` chips, not joined to each other.
inline fabric::Mesh rows_of(fabric::Topology topology, std::int32_t rows, std::int32_t ranks,
                            std::int32_t links = 1) {
    fabric::Mesh mesh;
    mesh.shape = {rows, ranks};
    mesh.system.link = plain_link();
    mesh.system.wiring.chips = rows * ranks;
    mesh.wrap_wired[1] = topology == fabric::Topology::Ring;
    mesh.links = {0, links};
    for (std::int32_t row = 0; row < rows; ++row) {
        const std::int32_t base = row * ranks;
        for (std::int32_t rank = 0; rank < ranks; ++rank) {
            mesh.chips.push_back({base + rank});
            if (rank == 0 && mesh.wrap_wired[1]) {
                mesh.system.wiring.edges.push_back({{base}, {base + 1}, links});
                mesh.system.wiring.edges.push_back({{base}, {base + ranks - 1}, links});
            } else if (rank + 1 < ranks) {
                mesh.system.wiring.edges.push_back({{base + rank}, {base + rank + 1}, links});
            }
        }
    }
    return mesh;
}

}  // namespace ccl_test

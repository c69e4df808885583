#include "ccl/plan.h"

#include <algorithm>
#include <numeric>

#include "ccl/algorithms.h"
#include "core/error.h"

namespace ccl {
namespace {

// A 1-D fabric header reaches 63 hops at most (tenstorrent/tt-metal:
// tt_metal/fabric/fabric_edm_packet_header.hpp).
constexpr std::int32_t kMostRouted = 64;
// What moves one hop at a time needs no longer header. The largest systems described have 160 chips
// (5-Galaxy all-to-all); beyond 64 nothing is measured.
constexpr std::int32_t kMostRelayed = 1024;
// Far beyond any device memory; keeps every product below 2^63.
constexpr core::Bytes kMostBytes{std::int64_t{1} << 44};

[[noreturn]] void refuse(const Collective& collective, std::string_view key,
                         std::string_view expected, std::string_view found, std::string_view hint) {
    throw core::Error::mismatch(to_text(collective.kind), key, expected, found).hint(hint);
}

bool is_ring(const Collective& collective) { return collective.topology == fabric::Topology::Ring; }

bool reduces(Kind kind) { return kind == Kind::ReduceScatter || kind == Kind::AllReduce; }

/// The kinds and algorithms that run their reduce-scatter in reducing hops.
bool reduces_in_hops(const Collective& collective) {
    return reduces(collective.kind) && collective.algorithm == Algorithm::Default;
}

std::int64_t slice_count(const Collective& collective) {
    switch (collective.kind) {
        case Kind::AllGather:
        case Kind::ReduceScatter:
        case Kind::AllReduce:
            return collective.ranks;
        case Kind::AllToAll:
            return std::int64_t{collective.ranks} * collective.ranks;
        case Kind::Broadcast:
        case Kind::PointToPoint:
            return 1;
    }
    core::require(false, "every kind has a slice count");
    return 0;
}

/// Routers forward over several hops: all-to-all and one-shot sums.
bool is_routed(const Collective& collective) {
    return collective.kind == Kind::AllToAll || collective.algorithm == Algorithm::Direct;
}

void check_group(const Collective& collective) {
    const std::string ranks = std::to_string(collective.ranks);
    const std::int32_t most = is_routed(collective) ? kMostRouted : kMostRelayed;
    if (collective.ranks < 1 || collective.ranks > most) {
        refuse(collective, "ranks", "1 to " + std::to_string(most), ranks,
               "a 1-D fabric header reaches 63 hops, relays one by one 1023");
    }
    if (is_ring(collective) && collective.ranks < 3) {
        refuse(collective, "ranks", "at least 3 on a ring", ranks,
               "two chips have one pair of neighbours: use a line");
    }
    if (is_ring(collective) && reduces_in_hops(collective) && collective.ranks % 2 != 0) {
        refuse(collective, "ranks", "an even number on a ring", ranks,
               "the ring reduce-scatter starts at the opposite chip; use a line");
    }
    if (collective.links < 1) {
        refuse(collective, "links", "at least 1", std::to_string(collective.links),
               "links of each pair of neighbours");
    }
}

void check_algorithm(const Collective& collective) {
    const bool known =
        collective.algorithm == Algorithm::Default ||
        (collective.algorithm == Algorithm::Direct &&
         (reduces(collective.kind) || collective.kind == Kind::AllGather)) ||
        (collective.algorithm == Algorithm::GatherAndSum && collective.kind == Kind::AllReduce);
    if (known) return;
    refuse(collective, "algorithm", "one this kind has", to_text(collective.algorithm),
           "direct: all_gather, reduce_scatter, all_reduce; gather_and_sum: all_reduce");
}

void check_slices(const Collective& collective) {
    const std::int64_t expected = slice_count(collective);
    const auto found = static_cast<std::int64_t>(collective.slice_pages.size());
    if (found != expected) {
        refuse(collective, "slice_pages", std::to_string(expected) + " slices",
               std::to_string(found), "one per rank; all_to_all: one per pair; one for one root");
    }
    if (collective.page.value < 1 || collective.page > kMostBytes) {
        refuse(collective, "page", "1 B to 16 TiB", std::to_string(collective.page.value) + " B",
               "bytes of a tile or a row");
    }
    std::int64_t room = kMostBytes / collective.page;
    for (std::size_t i = 0; i < collective.slice_pages.size(); ++i) {
        const std::int64_t pages = collective.slice_pages[i];
        const std::string key = "slice_pages[" + std::to_string(i) + "]";
        if (pages < 0) {
            refuse(collective, key, "0 pages or more", std::to_string(pages),
                   "an empty slice has 0 pages");
        }
        if (pages > room) {
            refuse(collective, key, "no more than 16 TiB in all slices", std::to_string(pages),
                   "pages of " + std::to_string(collective.page.value) + " B");
        }
        room -= pages;
    }
}

void check_rank(const Collective& collective, std::string_view key, std::int32_t rank) {
    if (rank >= 0 && rank < collective.ranks) return;
    refuse(collective, key, "a rank, 0 to " + std::to_string(collective.ranks - 1),
           std::to_string(rank), "ranks count along the mesh axis");
}

void check_ends(const Collective& collective) {
    if (collective.kind == Kind::Broadcast) check_rank(collective, "root", collective.root);
    if (collective.kind != Kind::PointToPoint) return;
    check_rank(collective, "root", collective.root);
    check_rank(collective, "target", collective.target);
    if (collective.root == collective.target) {
        refuse(collective, "target", "another rank than the root",
               std::to_string(collective.target), "a copy within a chip is not a collective");
    }
}

std::int64_t total_pages(const Collective& collective) {
    const std::vector<std::int64_t>& pages = collective.slice_pages;
    return std::accumulate(pages.begin(), pages.end(), std::int64_t{0});
}

/// Steps before the gather of an AllReduce; all steps of the other kinds.
std::int32_t first_phase_steps(const Collective& collective) {
    if (reduces_in_hops(collective)) return reduce_scatter_steps(collective);
    switch (collective.kind) {
        case Kind::AllGather:
            return gather_steps(collective);
        case Kind::AllReduce:
            if (collective.algorithm == Algorithm::GatherAndSum) return gather_steps(collective);
            return straight_steps(collective);
        case Kind::ReduceScatter:
        case Kind::AllToAll:
            return straight_steps(collective);
        case Kind::Broadcast:
        case Kind::PointToPoint:
            return relay_steps(collective);
    }
    core::require(false, "every kind has steps");
    return 0;
}

Step first_phase_step(const Collective& collective, std::int32_t index) {
    if (reduces_in_hops(collective)) return reduce_scatter_step(collective, index);
    switch (collective.kind) {
        case Kind::AllGather:
            return gather_step(collective, Gathered::Shards, index);
        case Kind::AllReduce:
            if (collective.algorithm == Algorithm::GatherAndSum) {
                return gather_step(collective, Gathered::Inputs, index);
            }
            return straight_step(collective, index);
        case Kind::ReduceScatter:
        case Kind::AllToAll:
            return straight_step(collective, index);
        case Kind::Broadcast:
        case Kind::PointToPoint:
            return relay_step(collective, index);
    }
    core::require(false, "every kind has steps");
    return {};
}

/// The terms of a sum at `rank`. By direction: own first, then forward, backward. By source: in the
/// order of the ranks, so that every rank of a GatherAndSum rounds alike.
std::vector<std::int32_t> sum_terms(const Collective& collective, std::int32_t rank) {
    std::vector<std::int32_t> terms;
    if (reduces_in_hops(collective)) {
        terms.push_back(kOwnTerm);
        if (is_ring(collective) || rank > 0) terms.push_back(0);
        if (is_ring(collective) || rank < collective.ranks - 1) terms.push_back(1);
        return terms;
    }
    for (std::int32_t source = 0; source < collective.ranks; ++source) {
        terms.push_back(source == rank ? kOwnTerm : source);
    }
    return terms;
}

/// Whether what lands stays there for good: in the receiver's output.
bool lands_in_output(const Collective& collective, const Transfer& transfer) {
    if (transfer.lane < summed_lanes(collective)) return false;
    return collective.kind != Kind::AllToAll || transfer.slice % collective.ranks == transfer.to;
}

}  // namespace

std::string to_text(Kind kind) {
    switch (kind) {
        case Kind::AllGather:
            return "all_gather";
        case Kind::ReduceScatter:
            return "reduce_scatter";
        case Kind::AllReduce:
            return "all_reduce";
        case Kind::Broadcast:
            return "broadcast";
        case Kind::AllToAll:
            return "all_to_all";
        case Kind::PointToPoint:
            return "point_to_point";
    }
    core::require(false, "every kind has a name");
    return {};
}

std::string to_text(Algorithm algorithm) {
    switch (algorithm) {
        case Algorithm::Default:
            return "default";
        case Algorithm::Direct:
            return "direct";
        case Algorithm::GatherAndSum:
            return "gather_and_sum";
    }
    core::require(false, "every algorithm has a name");
    return {};
}

Plan::Plan(Collective collective) : collective_(std::move(collective)) {
    check_group(collective_);
    check_algorithm(collective_);
    check_slices(collective_);
    check_ends(collective_);
}

std::int32_t Plan::gather_phase() const { return first_phase_steps(collective_); }

std::int32_t Plan::step_count() const {
    const bool two_phases =
        collective_.kind == Kind::AllReduce && collective_.algorithm != Algorithm::GatherAndSum;
    return gather_phase() + (two_phases ? gather_steps(collective_) : 0);
}

Step Plan::step(std::int32_t index) const {
    core::require(index >= 0 && index < step_count(), "a plan has steps 0 to step_count() - 1");
    const std::int32_t gather = gather_phase();
    if (index < gather) return first_phase_step(collective_, index);
    return gather_step(collective_, Gathered::Sums, index - gather);
}

std::int32_t Plan::lanes() const { return summed_lanes(collective_); }

std::vector<Sum> Plan::sums() const {
    std::vector<Sum> sums;
    if (!reduces(collective_.kind)) return sums;
    const bool everywhere = collective_.algorithm == Algorithm::GatherAndSum;
    for (std::int32_t rank = 0; rank < collective_.ranks; ++rank) {
        for (std::int32_t slice = 0; slice < collective_.ranks; ++slice) {
            if (!everywhere && slice != rank) continue;
            if (collective_.slice_pages[static_cast<std::size_t>(slice)] == 0) continue;
            sums.push_back({rank, slice, sum_terms(collective_, rank)});
        }
    }
    return sums;
}

std::map<std::pair<std::int32_t, std::int32_t>, core::Bytes> Plan::bytes_by_hop() const {
    std::map<std::pair<std::int32_t, std::int32_t>, core::Bytes> bytes;
    const std::int32_t steps = step_count();
    for (std::int32_t index = 0; index < steps; ++index) {
        for (const Transfer& transfer : step(index)) {
            bytes[{transfer.from, transfer.to}] += collective_.page * transfer.pages;
        }
    }
    return bytes;
}

core::Bytes Plan::bytes_on(std::int32_t from, std::int32_t to) const {
    const auto bytes = bytes_by_hop();
    const auto found = bytes.find({from, to});
    return found == bytes.end() ? core::Bytes{} : found->second;
}

core::Bytes Plan::bottleneck_bytes() const {
    core::Bytes most;
    for (const auto& [hop, bytes] : bytes_by_hop()) most = std::max(most, bytes);
    return most;
}

core::Bytes Plan::staging_bytes() const {
    const std::int64_t everything = total_pages(collective_);
    if (collective_.kind == Kind::PointToPoint) return collective_.page * everything;
    if (collective_.algorithm == Algorithm::GatherAndSum) {
        return collective_.page * everything * collective_.ranks;
    }
    std::vector<std::int64_t> pages(static_cast<std::size_t>(collective_.ranks));
    const std::int32_t steps = gather_phase();
    for (std::int32_t index = 0; index < steps; ++index) {
        for (const Transfer& transfer : step(index)) {
            if (lands_in_output(collective_, transfer)) continue;
            pages[static_cast<std::size_t>(transfer.to)] += transfer.pages;
        }
    }
    return collective_.page * *std::max_element(pages.begin(), pages.end());
}

}  // namespace ccl

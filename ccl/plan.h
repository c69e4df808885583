// How data moves between the chips of one group: a collective as steps of transfers, plain data.
// Slices are counted in pages (a tile, or a row); every transfer crosses exactly one hop between
// neighbours of the line or ring (ranks r and r+1, and N-1 and 0 on a ring).
// Three readers: the executor copies along a plan, the fabric times it, the memory plan reads its
// staging. Algorithms: ccl/algorithms.h.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/units.h"
#include "fabric/mesh.h"

namespace ccl {

enum class Kind { AllGather, ReduceScatter, AllReduce, Broadcast, AllToAll, PointToPoint };
std::string to_text(Kind kind);  // "all_gather", ...

/// Default: what the real op does on that topology. Direct: one-shot, every rank sends each slice
/// straight to its owner, or its own to all. GatherAndSum: all-reduce as all-gather + local sum.
enum class Algorithm { Default, Direct, GatherAndSum };
std::string to_text(Algorithm algorithm);  // "default", "direct", "gather_and_sum"

/// Fresh: the call's own buffers and semaphores, which every rank waits for, chunk by chunk.
/// Persistent: both are always there. A one-shot program sends all its packets at once and sums
/// them as they land.
enum class Buffers { Fresh, Persistent };

/// What a group of ranks does together. Slices, by kind:
///   AllGather       slice i = rank i's shard;         all ranks end with all slices
///   ReduceScatter   slice i of every rank's input;    rank i ends with the sum of slice i
///   AllReduce       as ReduceScatter then AllGather;  all ranks end with all sums
///   Broadcast       one slice, at `root`;             all ranks end with it
///   AllToAll        slice i*N+j = rank i's chunk for rank j (i == j stays)
///   PointToPoint    one slice, from `root` to `target`
struct Collective {
    Kind kind = Kind::AllGather;
    Algorithm algorithm = Algorithm::Default;
    Buffers buffers = Buffers::Fresh;
    fabric::Topology topology = fabric::Topology::Line;
    std::int32_t ranks = 1;
    std::vector<std::int64_t> slice_pages;  // uneven sizes allowed, zero too
    core::Bytes page;
    std::int32_t links = 1;
    std::int32_t root = 0;
    std::int32_t target = 0;
    bool operator==(const Collective&) const = default;
};

/// What a transfer carries. Own: the sender's own input. Landed: what the sender holds for this
/// slice and lane: what arrived (a relay) or, on the output lane of an AllReduce, what it summed.
/// OwnPlusLanded: the sender's own input plus what arrived (a reducing hop); pages that nothing
/// arrived for count as zero.
enum class Payload { Own, Landed, OwnPlusLanded };

/// A lane keeps the parts of a reduction apart until they are summed: by direction (0 forward, 1
/// backward), or by source rank (Direct, GatherAndSum). What is not to be summed travels on
/// Plan::output_lane().
struct Transfer {
    std::int32_t from = 0;
    std::int32_t to = 0;
    std::int32_t slice = 0;
    std::int64_t first_page = 0;  // within the slice
    std::int64_t pages = 0;
    std::int32_t lane = 0;
    Payload payload = Payload::Own;
    bool operator==(const Transfer&) const = default;
};

/// Transfers of one step may all be under way at once: none reads what another of the same step
/// writes. A transfer may start when the sender has finished (received) what it depends on.
using Step = std::vector<Transfer>;

/// The term of a Sum that is the rank's own input.
inline constexpr std::int32_t kOwnTerm = -1;

/// A local reduction: output lane of (rank, slice) = sum of the terms, added in this order. A term
/// is a lane that landed at the rank for this slice, or kOwnTerm.
struct Sum {
    std::int32_t rank = 0;
    std::int32_t slice = 0;
    std::vector<std::int32_t> terms;
    bool operator==(const Sum&) const = default;
};

/// A rule, expanded step by step. An AllReduce has the steps of its two phases in a row.
class Plan {
public:
    /// Throws core::Error when the collective cannot be planned (ring of 2, odd ring reduce, ...).
    explicit Plan(Collective collective);

    const Collective& collective() const { return collective_; }
    std::int32_t step_count() const;
    Step step(std::int32_t index) const;
    /// Steps from this index on belong to the gathering phase of an AllReduce; step_count()
    /// otherwise.
    std::int32_t gather_phase() const;
    /// Lanes that are summed, 0 .. lanes()-1; zero when nothing is reduced.
    std::int32_t lanes() const;
    /// The lane of final values: gathered slices, messages, sums. The one after the summed lanes.
    std::int32_t output_lane() const { return lanes(); }
    /// The local reductions, by rank then slice, all due between the steps gather_phase()-1 and
    /// gather_phase(). Empty when nothing is reduced; slices without pages are left out.
    std::vector<Sum> sums() const;

    /// Payload bytes over the directed hop from -> to, summed over all steps.
    core::Bytes bytes_on(std::int32_t from, std::int32_t to) const;
    /// Payload bytes of every directed hop (from, to) that is used.
    std::map<std::pair<std::int32_t, std::int32_t>, core::Bytes> bytes_by_hop() const;
    /// The busiest directed hop.
    core::Bytes bottleneck_bytes() const;
    /// Bytes of intermediate memory each rank needs beside input and output: the most any rank has,
    /// nothing reused. Summed lanes; chunks an AllToAll passes through; for GatherAndSum the whole
    /// (N, ...) gather, for PointToPoint the receiver's landing buffer, as in the real ops.
    core::Bytes staging_bytes() const;

private:
    Collective collective_;
};

}  // namespace ccl

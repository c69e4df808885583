// When every chip is done with a collective: its plan played on the fabric, all groups of the axis
// at once on one idle network. For the simulator's .cc files only. Invariant: the same collective
// from the same relative ready times takes the same time, so it is played once. Times are relative
// to the earliest ready chip.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "ccl/plan.h"
#include "core/units.h"
#include "fabric/mesh.h"
#include "fabric/network.h"

namespace dispatch {

class CollectiveClock {
public:
    explicit CollectiveClock(const fabric::Mesh& mesh) : mesh_(mesh) {}

    struct Timing {
        std::vector<core::Picoseconds> done;  // per chip, after the earliest ready chip
        std::vector<std::pair<fabric::Hop, core::Bytes>> bytes;
    };
    /// `ready` is relative, per chip; a negative time is a chip that never gets there: then its
    /// group never ends (kNever). Throws core::Error when ranks and axis disagree, fabric::Hang
    /// when a stopped router keeps what a chip waits for.
    const Timing& time(const ccl::Collective& collective, int axis,
                       std::span<const core::Picoseconds> ready);

    static constexpr core::Picoseconds kNever{-1};
    std::int64_t played() const { return played_; }

private:
    struct Entry {
        ccl::Collective collective;
        int axis = 0;
        std::vector<core::Picoseconds> ready;
        Timing timing;
    };
    Timing play(const ccl::Collective& collective, int axis,
                std::span<const core::Picoseconds> ready);

    const fabric::Mesh& mesh_;
    std::map<std::uint64_t, std::vector<Entry>> entries_;  // by digest
    std::int64_t played_ = 0;
};

}  // namespace dispatch

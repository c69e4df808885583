// Op times for all chips of a mesh, asked once per distinct work. Most chips are alike: they differ
// only where users are split over the mesh. For the simulator's .cc files only.
// Invariant: chips whose bindings lead tensor::work to the same answer may share a class; block
// numbers and coordinates never do (work counts blocks that are here, not which ones).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "dispatch/simulator.h"

namespace dispatch {

/// Fingerprint of what tensor::work reads of a chip's bindings.
std::uint64_t work_fingerprint(const tensor::Bindings& bindings);

class OpTimes {
public:
    OpTimes(const mesh::ChipSpec& chip, MatmulTuning tuning) : chip_(chip), tuning_(tuning) {}

    /// The op's time on every chip; valid until the next call.
    std::span<const OpTime> of(const Enqueued& enqueued, const ChipBindings& bindings);

private:
    struct Known {
        std::uint64_t fingerprint = 0;
        OpTime time;
    };
    struct Memo {
        std::weak_ptr<const Program> program;
        std::vector<Known> known;
    };

    Memo& memo_of(const Enqueued& enqueued);
    OpTime compute(const Enqueued& enqueued, const tensor::Bindings& bindings);

    const mesh::ChipSpec& chip_;
    MatmulTuning tuning_;
    std::vector<OpTime> times_;
    std::vector<tensor::Spec> specs_;
    Memo unshared_;                                   // for commands without a program
    std::unordered_map<const Command*, Memo> memos_;  // looked up, never walked
};

}  // namespace dispatch

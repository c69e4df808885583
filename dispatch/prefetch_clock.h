// When weights come that a prefetcher streams from one chip's DRAM: in the order they are read, at
// the rate of DRAM-sharded reads, never further ahead of the readers than the buffer has room.
// A reader's end gives its weight's room back (credits). What other programs read meanwhile takes
// the stream's time: the share is theirs. A step's program streams the weights of that step.
// Source: tenstorrent/tt-metal tech_reports/prefetcher, models/demos/llama3_70b_galaxy/tt/
// prefetcher_common.py, tree of 2026-05-23. Times are picoseconds.
#pragma once

#include <deque>

#include "core/units.h"

namespace dispatch {

class PrefetchClock {
public:
    explicit PrefetchClock(core::BytesPerSecond rate) : rate_(rate) {}

    /// The program of a step is launched: nothing of an earlier one is left.
    void begin(core::SimTime start);
    /// When the last byte of the next weight is in a buffer of `room`. Each call is the next
    /// weight. A weight larger than the buffer streams through while it is read.
    core::SimTime arrival(core::Bytes weight, core::Bytes room);
    /// The reader of the weight asked for last is done with it.
    void taken(core::SimTime end);
    /// Another program reads DRAM for `time` from `start` on. Requires: starts do not decrease.
    void shares(core::SimTime start, core::Picoseconds time);
    /// What the weights since begin() took of DRAM's time.
    core::Picoseconds busy() const {
        return rate_.value > 0 ? streamed_ / rate_ : core::Picoseconds{};
    }

private:
    struct Credit {
        core::Bytes until;  // of the stream
        core::SimTime end;
    };
    struct Other {
        core::SimTime start;
        core::Picoseconds time;
    };

    void wait_for(core::SimTime until);

    core::BytesPerSecond rate_;
    core::Bytes streamed_;  // in all
    core::SimTime at_;      // when it was
    core::Bytes freed_;     // of the stream, by credits that came before at_
    std::deque<Credit> credits_;
    std::deque<Other> others_;
};

}  // namespace dispatch

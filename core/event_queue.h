// A deterministic event queue: events run in order of (time, sequence number), so among equals
// the first scheduled runs first (as ns-3's scheduler.h). Scheduling in the past is an error.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

#include "core/units.h"

namespace core {

class EventQueue {
public:
    using Action = std::function<void()>;

    SimTime now() const { return now_; }
    bool empty() const { return events_.empty(); }

    /// Runs `action` at `when`. Requires: when >= now().
    void schedule(SimTime when, Action action);

    /// Runs the earliest event; false when there is none.
    bool run_next();
    void run_all();

    /// Forgets all events and sets the clock. For reusing one queue over many independent runs.
    void reset(SimTime now);

private:
    struct Event {
        SimTime when;
        std::uint64_t sequence = 0;
        Action action;
    };
    struct Later {
        bool operator()(const Event& a, const Event& b) const {
            return a.when != b.when ? a.when > b.when : a.sequence > b.sequence;
        }
    };

    std::priority_queue<Event, std::vector<Event>, Later> events_;
    SimTime now_{};
    std::uint64_t next_sequence_ = 0;
};

}  // namespace core

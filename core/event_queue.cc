#include "core/event_queue.h"

#include <utility>

#include "core/error.h"

namespace core {

void EventQueue::schedule(SimTime when, Action action) {
    require(when >= now_, "an event is never scheduled in the past");
    events_.push({when, next_sequence_++, std::move(action)});
}

bool EventQueue::run_next() {
    if (events_.empty()) return false;
    // top() is const; the action is moved out, then the shell is popped.
    Event event = std::move(const_cast<Event&>(events_.top()));
    events_.pop();
    now_ = event.when;
    event.action();
    return true;
}

void EventQueue::run_all() {
    while (run_next()) {
    }
}

void EventQueue::reset(SimTime now) {
    events_ = {};
    now_ = now;
    next_sequence_ = 0;
}

}  // namespace core

#include "dispatch/prefetch_clock.h"

#include <algorithm>

#include "core/error.h"

namespace dispatch {
namespace {

// Programs beside the stream older than this many others are taken as passed.
constexpr std::size_t kMostOthers = 1 << 10;

}  // namespace

void PrefetchClock::begin(core::SimTime start) {
    *this = PrefetchClock(rate_);
    at_ = start;
}

// Full: what other programs read until then costs the stream nothing.
void PrefetchClock::wait_for(core::SimTime until) {
    if (until <= at_) return;
    at_ = until;
    while (!others_.empty() && others_.front().start + others_.front().time <= at_) {
        others_.pop_front();
    }
}

core::SimTime PrefetchClock::arrival(core::Bytes weight, core::Bytes room) {
    core::require(rate_.value > 0 && room.value > 0, "a stream has a rate and a buffer");
    const core::Bytes target = streamed_ + weight;
    while (streamed_ < target) {
        if (streamed_ >= freed_ + room && !credits_.empty()) {
            wait_for(credits_.front().end);
            freed_ = credits_.front().until;
            credits_.pop_front();
            continue;
        }
        const bool unlimited = credits_.empty();  // a reader frees its own weight as it goes
        const core::Bytes limit = unlimited ? target : std::min(target, freed_ + room);
        at_ += (limit - streamed_) / rate_;
        streamed_ = limit;
    }
    while (!others_.empty() && others_.front().start < at_) {
        at_ += others_.front().time;
        others_.pop_front();
    }
    return at_;
}

void PrefetchClock::taken(core::SimTime end) { credits_.push_back({streamed_, end}); }

void PrefetchClock::shares(core::SimTime start, core::Picoseconds time) {
    if (time.count() <= 0) return;
    others_.push_back({start, time});
    if (others_.size() > kMostOthers) others_.pop_front();
}

}  // namespace dispatch

#include "core/event_queue.h"

#include <gtest/gtest.h>

#include <numeric>
#include <stdexcept>
#include <vector>

#include "core/digest.h"

namespace {

using namespace core::literals;
using core::SimTime;

TEST(EventQueue, events_run_in_order_of_time) {
    // The order of scheduling must not matter when the times differ.
    core::EventQueue queue;
    std::vector<int> order;
    for (const int at : {30, 10, 20}) {
        queue.schedule(SimTime{core::Picoseconds{at}}, [&order, at] { order.push_back(at); });
    }
    queue.run_all();
    EXPECT_EQ(order, (std::vector<int>{10, 20, 30}));
    EXPECT_EQ(queue.now(), SimTime{30_ps});
}

TEST(EventQueue, among_equals_the_first_scheduled_runs_first) {
    // A heap alone is not stable; a hundred equal times would come out mixed.
    core::EventQueue queue;
    std::vector<int> order;
    for (int i = 0; i < 100; ++i) {
        queue.schedule(SimTime{5_ns}, [&order, i] { order.push_back(i); });
    }
    queue.run_all();
    std::vector<int> expected(100);
    std::iota(expected.begin(), expected.end(), 0);
    EXPECT_EQ(order, expected);
}

TEST(EventQueue, an_event_scheduled_for_now_runs_after_those_already_waiting) {
    // A chain of zero-time steps must not jump the queue of others at the same time.
    core::EventQueue queue;
    std::vector<char> order;
    queue.schedule(SimTime{1_ns}, [&] {
        order.push_back('a');
        queue.schedule(queue.now(), [&] { order.push_back('c'); });
    });
    queue.schedule(SimTime{1_ns}, [&] { order.push_back('b'); });
    queue.run_all();
    EXPECT_EQ(order, (std::vector<char>{'a', 'b', 'c'}));
}

TEST(EventQueue, the_clock_stands_at_the_event_while_it_runs) {
    // Handlers compute completion times from now(); it must be their own time.
    core::EventQueue queue;
    std::vector<std::int64_t> seen;
    for (const std::int64_t at : {7, 7, 11}) {
        queue.schedule(SimTime{core::Picoseconds{at}},
                       [&] { seen.push_back(queue.now().time_since_epoch().count()); });
    }
    EXPECT_TRUE(queue.run_next());
    EXPECT_EQ(queue.now(), SimTime{7_ps});
    queue.run_all();
    EXPECT_EQ(seen, (std::vector<std::int64_t>{7, 7, 11}));
}

TEST(EventQueue, scheduling_in_the_past_is_a_broken_rule) {
    // Silently running late events would hide a causality bug; the present is allowed.
    core::EventQueue queue;
    queue.schedule(SimTime{10_ps}, [] {});
    queue.run_all();
    EXPECT_THROW(queue.schedule(SimTime{9_ps}, [] {}), std::logic_error);
    EXPECT_NO_THROW(queue.schedule(SimTime{10_ps}, [] {}));
}

TEST(EventQueue, an_empty_queue_runs_nothing_and_keeps_its_clock) {
    // Callers loop on run_next(); false must be the end, not an event.
    core::EventQueue queue;
    EXPECT_TRUE(queue.empty());
    EXPECT_FALSE(queue.run_next());
    EXPECT_EQ(queue.now(), SimTime{});
}

TEST(EventQueue, reset_forgets_events_and_may_turn_the_clock_back) {
    // One queue serves many independent runs; nothing of the last may leak into the next.
    core::EventQueue queue;
    int runs = 0;
    queue.schedule(SimTime{10_ps}, [&] { ++runs; });
    queue.schedule(SimTime{20_ps}, [&] { ++runs; });
    EXPECT_TRUE(queue.run_next());
    queue.reset(SimTime{3_ps});
    EXPECT_TRUE(queue.empty());
    EXPECT_EQ(queue.now(), SimTime{3_ps});
    queue.schedule(SimTime{4_ps}, [&] { runs += 10; });
    queue.run_all();
    EXPECT_EQ(runs, 11);
}

/// A small storm of events that schedule more events; the digest covers time and label.
std::uint64_t storm(std::int64_t seeds) {
    core::EventQueue queue;
    core::Digest digest;
    std::function<void(std::int64_t, int)> spark = [&](std::int64_t label, int left) {
        digest.add(queue.now().time_since_epoch().count()).add(label);
        if (left == 0) return;
        for (std::int64_t child = 0; child < 2; ++child) {
            const core::Picoseconds delay{(label * 7 + child * 3) % 5};
            queue.schedule(queue.now() + delay,
                           [&spark, label, child, left] { spark(label * 2 + child, left - 1); });
        }
    };
    for (std::int64_t i = 0; i < seeds; ++i) {
        queue.schedule(SimTime{}, [&spark, i] { spark(i, 6); });
    }
    queue.run_all();
    return digest.value();
}

TEST(EventQueue, the_same_schedule_gives_the_same_digest_and_another_does_not) {
    // Reproducible runs are what every golden number of the simulator stands on.
    EXPECT_EQ(storm(5), storm(5));
    EXPECT_NE(storm(5), storm(4));
}

}  // namespace

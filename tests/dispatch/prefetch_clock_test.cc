// The stream of prefetched weights by hand-made clocks: 1 byte takes 1 ns.
#include "dispatch/prefetch_clock.h"

#include <gtest/gtest.h>

namespace dispatch {
namespace {

using core::Bytes;
using core::SimTime;

constexpr core::BytesPerSecond kRate{1'000'000'000};

SimTime ns(std::int64_t time) { return SimTime{core::Picoseconds{1000 * time}}; }

TEST(PrefetchClock, weights_come_one_after_another_at_the_rate) {
    // The stream is ahead of readers that are late: nothing waits for them while there is room.
    PrefetchClock clock(kRate);
    EXPECT_EQ(clock.arrival(Bytes{100}, Bytes{1000}), ns(100));
    clock.taken(ns(5000));
    EXPECT_EQ(clock.arrival(Bytes{300}, Bytes{1000}), ns(400));
    clock.taken(ns(6000));
}

TEST(PrefetchClock, a_full_buffer_waits_for_its_readers) {
    // 1000 bytes ahead of what was taken, not one more: the fourth weight's last 200 bytes come
    // after the first weight is taken.
    PrefetchClock clock(kRate);
    for (int weight = 0; weight < 3; ++weight) {
        EXPECT_EQ(clock.arrival(Bytes{400}, Bytes{1000}),
                  ns(weight < 2 ? 400 * (weight + 1) : 5200));
        clock.taken(ns(5000 + 1000 * weight));
    }
    // From 5200 on 200 bytes more fit, then the second reader's end lets 200 follow.
    EXPECT_EQ(clock.arrival(Bytes{400}, Bytes{1000}), ns(6200));
}

TEST(PrefetchClock, a_weight_larger_than_the_buffer_streams_through) {
    // Its reader frees it as it goes.
    PrefetchClock clock(kRate);
    EXPECT_EQ(clock.arrival(Bytes{3000}, Bytes{1000}), ns(3000));
}

TEST(PrefetchClock, the_program_of_a_step_knows_nothing_of_the_one_before) {
    // Neither its credits nor what others read then.
    PrefetchClock clock(kRate);
    clock.arrival(Bytes{1000}, Bytes{1000});
    clock.shares(ns(900), core::Picoseconds{500'000});
    clock.taken(ns(9000));
    clock.begin(ns(10'000));
    EXPECT_EQ(clock.arrival(Bytes{300}, Bytes{1000}), ns(10'300));
    EXPECT_EQ(clock.busy(), core::Picoseconds{300'000});
}

TEST(PrefetchClock, other_readers_of_dram_take_its_time_only_while_it_streams) {
    // What is read while the buffer is full costs the stream nothing.
    PrefetchClock busy(kRate);
    busy.shares(ns(50), core::Picoseconds{20'000});
    EXPECT_EQ(busy.arrival(Bytes{100}, Bytes{1000}), ns(120));

    PrefetchClock full(kRate);
    EXPECT_EQ(full.arrival(Bytes{1000}, Bytes{1000}), ns(1000));
    full.shares(ns(2000), core::Picoseconds{500'000});
    full.taken(ns(4000));
    EXPECT_EQ(full.arrival(Bytes{100}, Bytes{1000}), ns(4100));
}

}  // namespace
}  // namespace dispatch

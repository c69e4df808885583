#include "dispatch/command_queue.h"

#include "tests/dispatch/device_fixture.h"

namespace dispatch::testing {
namespace {

constexpr QueueId kFirst{0};
constexpr QueueId kSecond{1};

struct CommandQueueTest : ::testing::Test {
    MeshDevice device{0, row_of(1), {.queues = 2}};
    Notes notes;
    std::shared_ptr<const Program> a = add_program(1);
    std::shared_ptr<const Program> b = add_program(2);
    ChipBindings bindings = plain_bindings(device);
    Operand operand{row_of_tiles(1), {}, 0};

    CommandQueueTest() { device.attach(notes); }
    void enqueue(const std::shared_ptr<const Program>& program, QueueId queue) {
        device.enqueue(loose(program), bindings, queue);
    }
};

TEST_F(CommandQueueTest, an_event_orders_the_other_queue_behind_the_programs_before_it) {
    // The whole two-queue protocol rests on this: CQ1 goes on only after ops a and b of CQ0.
    const EventId event = device.new_event();
    device.wait_event(event, kSecond);
    device.enqueue_write(operand, {}, kSecond);
    enqueue(a, kFirst);
    enqueue(b, kFirst);
    device.record_event_as(event, kFirst);
    const std::vector<std::string> expected = {"1: wait 0", "0: add 1", "0: add 2", "0: record 0",
                                               "1: write"};
    EXPECT_EQ(notes.lines, expected);
}

TEST_F(CommandQueueTest, an_event_that_was_never_recorded_stalls_its_queue_only) {
    // The other queue goes on; what was enqueued behind the wait stays in order behind it.
    const EventId event = device.new_event();
    device.wait_event(event, kSecond);
    enqueue(a, kSecond);
    device.enqueue_write(operand, {}, kSecond);
    EXPECT_FALSE(device.drained(kSecond));
    EXPECT_TRUE(device.drained(kFirst));
    enqueue(b, kFirst);
    EXPECT_EQ(notes.lines, (std::vector<std::string>{"1: wait 0", "0: add 2"}));

    device.record_event_as(event, kFirst);
    EXPECT_TRUE(device.drained(kSecond));
    EXPECT_EQ(notes.lines, (std::vector<std::string>{"1: wait 0", "0: add 2", "0: record 0",
                                                     "1: add 1", "1: write"}));
}

TEST_F(CommandQueueTest, a_read_behind_an_event_nobody_records_is_a_hang) {
    // On the device the host would wait for good; the text is the one its timeout prints.
    device.wait_event(device.new_event(), kSecond);
    EXPECT_EQ(error_of([&] { device.enqueue_read(operand, kSecond); }),
              "TIMEOUT: device timeout, potential hang detected, the device is unrecoverable");
    EXPECT_EQ(error_of([&] { device.finish(kSecond); }),
              "TIMEOUT: device timeout, potential hang detected, the device is unrecoverable");
    EXPECT_EQ(error_of([&] { device.finish(kFirst); }), "");
}

TEST_F(CommandQueueTest, queues_that_wait_for_each_other_in_turn_both_finish) {
    // Ping-pong over four events, enqueued so that every wait comes before its record.
    std::vector<EventId> events;
    for (int i = 0; i < 4; ++i) events.push_back(device.new_event());
    device.wait_event(events[0], kSecond);
    device.record_event_as(events[1], kSecond);
    device.wait_event(events[2], kSecond);
    device.record_event_as(events[3], kSecond);
    enqueue(a, kFirst);
    device.record_event_as(events[0], kFirst);
    device.wait_event(events[1], kFirst);
    device.record_event_as(events[2], kFirst);
    device.wait_event(events[3], kFirst);
    enqueue(b, kFirst);
    EXPECT_TRUE(device.drained(kFirst));
    EXPECT_TRUE(device.drained(kSecond));
    EXPECT_EQ(notes.lines.back(), "0: add 2");
    EXPECT_EQ(notes.lines.size(), 10u);
}

TEST_F(CommandQueueTest, an_event_is_recorded_after_what_its_own_queue_waits_for) {
    // A record behind a stalled wait must not release anybody early.
    const EventId outer = device.new_event();
    const EventId inner = device.new_event();
    device.wait_event(outer, kSecond);
    device.record_event_as(inner, kSecond);
    device.wait_event(inner, kFirst);
    enqueue(a, kFirst);
    EXPECT_FALSE(device.drained(kFirst));
    EXPECT_FALSE(device.drained(kSecond));
    EXPECT_EQ(notes.lines, (std::vector<std::string>{"1: wait 0", "0: wait 1"}));
}

TEST_F(CommandQueueTest, a_blocking_command_ends_with_the_host_waiting) {
    // Readers that keep time must see the host stop.
    device.enqueue(loose(a), bindings, kFirst, Blocking::Yes);
    EXPECT_EQ(notes.lines, (std::vector<std::string>{"0: add 1", "0: finish"}));
}

TEST_F(CommandQueueTest, a_queue_that_does_not_exist_is_bad_input) {
    // Devices are opened with one queue by default.
    MeshDevice single(0, row_of(1), {});
    EXPECT_EQ(error_of([&] { single.enqueue_write(operand, {}, kSecond); }),
              "mesh device: queue: expected 0 to 0, got 1");
    EXPECT_EQ(error_of([] { MeshDevice(0, row_of(1), {.queues = 3}); }),
              "mesh device: queues: expected 1 or 2, got 3");
    EXPECT_EQ(error_of([&] { device.wait_event(EventId{7}, kFirst); }),
              "wait_event: event: expected an event of this device, got 7");
}

}  // namespace
}  // namespace dispatch::testing

#include "dispatch/trace.h"

#include "dispatch/simulator.h"
#include "tests/dispatch/device_fixture.h"

namespace dispatch::testing {
namespace {

constexpr QueueId kFirst{0};
constexpr QueueId kSecond{1};
constexpr const char* kNoEvents = "Event Synchronization is not supported during trace capture.";

// Traces of wide_program() have one page of 8192 B per command, and 32 B at the end: n commands are
// n + 1 pages where pages are the largest.
struct TraceTest : ::testing::Test {
    std::shared_ptr<const Program> program = wide_program();

    MeshDevice opened(core::Bytes region, Release release = Release::R2026_05) {
        mesh::ChipSpec chip = small_chip();
        chip.dram.bank_bytes = 64_MiB;
        return {0, row_of(1, chip), {.release = release, .trace_region_size = region, .queues = 2}};
    }
    void warm_up(MeshDevice& device) { device.enqueue(loose(program), plain_bindings(device), {}); }
    TraceId begin(MeshDevice& device, int commands, QueueId queue = {}) {
        const TraceId trace = device.begin_trace_capture(queue);
        for (int i = 0; i < commands; ++i) {
            device.enqueue(loose(program), plain_bindings(device), queue);
        }
        return trace;
    }
    TraceId capture(MeshDevice& device, int commands) {
        const TraceId trace = begin(device, commands);
        device.end_trace_capture({}, trace);
        return trace;
    }
};

TEST_F(TraceTest, a_trace_of_7929856_bytes_takes_663552_bytes_of_each_bank) {
    // 968 pages of 8192 B over 12 banks are 81 pages per bank.
    MeshDevice device = opened(10'000'000_B);
    warm_up(device);
    capture(device, 967);
    EXPECT_EQ(device.trace_buffers_size(), 7'929'856_B);
    const auto& blocks = device.allocator(mesh::BufferType::Trace).blocks();
    ASSERT_EQ(blocks.size(), 1u);
    EXPECT_EQ(blocks.begin()->second, 663'552_B);
}

TEST_F(TraceTest, without_a_region_the_old_rule_has_no_room_and_the_new_one_uses_dram) {
    // Until 2026-02 a size of 0 meant that nothing could be captured. The size is a published one:
    // 367 pages of 2048 B.
    const auto program_of_5920 = add_program(1);
    MeshDevice old = opened(0_B, Release::R2025);
    warm_up(old);
    old.enqueue(loose(program_of_5920), plain_bindings(old), {});
    const TraceId refused = begin(old, 91);
    old.enqueue(loose(program_of_5920), plain_bindings(old), {});
    EXPECT_EQ(error_of([&] { old.end_trace_capture({}, refused); }),
              "Creating trace buffers of size 751616B on MeshDevice 0, but only 0B is allocated "
              "for trace region.");
    warm_up(old);  // the chip stays usable

    MeshDevice now = opened(0_B);
    warm_up(now);
    capture(now, 91);
    const DeviceBuffer trace = now.live_buffers().back();
    EXPECT_EQ(trace.owner, Owner::Trace);
    EXPECT_EQ(trace.per_bank, 65'536_B);  // 92 pages: 8 per bank
    EXPECT_EQ(trace.operand.address + trace.per_bank.value, 64 * 1'048'576 - 2048);
}

// Eras that divide the region over the banks (#47122, #47766).
struct DividedRegionTest : TraceTest {
    MeshDevice opened_in(mesh::TraceEra era, core::Bytes region) {
        mesh::ChipSpec chip = small_chip();
        chip.dram.bank_bytes = 64_MiB;
        return {0, row_of(1, chip), {.trace_region_size = region, .trace_era = era}};
    }
};

TEST_F(DividedRegionTest, ten_thousand_bytes_are_too_small_for_a_page_of_1024_in_era_b) {
    // The check compares totals; the bank is what runs out. Era C gives every bank a whole page.
    MeshDevice b = opened_in(mesh::TraceEra::B, 10'000_B);
    warm_up(b);
    EXPECT_EQ(error_of([&] { capture(b, 1); }),
              "Out of Memory: Not enough space to allocate 9216 B TRACE buffer across 12 banks, "
              "where each bank needs to store 1024 B, but bank size is 864 B (allocated: 0 B, "
              "free: 864 B, largest free block: 864 B)");
    MeshDevice c = opened_in(mesh::TraceEra::C, 10'000_B);
    warm_up(c);
    EXPECT_EQ(error_of([&] { capture(c, 1); }), "");
    EXPECT_EQ(c.allocator(mesh::BufferType::Trace).blocks().begin()->second, 1024_B);
}

TEST_F(DividedRegionTest, eighteen_pages_a_bank_need_147456_bytes_of_it) {
    // tenstorrent/tt-metal PR #50493: 1,753,088 B left 146,112 B in a bank. Era C fits exactly.
    const core::Bytes region = 1'753'088_B;
    MeshDevice b = opened_in(mesh::TraceEra::B, region);
    warm_up(b);
    const std::string text = error_of([&] { capture(b, 213); });  // 214 pages: 18 on some banks
    EXPECT_NE(text.find("each bank needs to store 147456 B, but bank size is 146112 B"),
              std::string::npos)
        << text;
    MeshDevice c = opened_in(mesh::TraceEra::C, region);
    warm_up(c);
    EXPECT_EQ(error_of([&] { capture(c, 213); }), "");
    EXPECT_EQ(c.trace_buffers_size(), region);
    EXPECT_EQ(c.allocator(mesh::BufferType::Trace).blocks().begin()->second, 147'456_B);
}

TEST_F(TraceTest, the_counter_is_raised_before_the_check_and_stays_raised) {
    // 57 + 46 pages in a region of 92: refused with the sum of both. The refused pages stay booked,
    // so after the first trace is released the second one just fits.
    const core::Bytes first = 57 * 8192_B;
    const core::Bytes second = 46 * 8192_B;
    MeshDevice device = opened(second * 2);
    warm_up(device);
    const TraceId a = capture(device, 56);
    EXPECT_EQ(device.trace_buffers_size(), first);
    EXPECT_EQ(error_of([&] { capture(device, 45); }),
              "Creating trace buffers of size 843776B on MeshDevice 0, but only 753664B is "
              "allocated for trace region.");
    device.release_trace(a);
    EXPECT_EQ(device.trace_buffers_size(), second);
    EXPECT_EQ(error_of([&] { capture(device, 45); }), "");
    EXPECT_EQ(device.trace_buffers_size(), second * 2);
}

TEST_F(TraceTest, a_refused_trace_as_large_as_the_first_never_gets_in) {
    // 57 + 57 pages fail, and after releasing the first 57 they fail again with the same number.
    MeshDevice device = opened(92 * 8192_B);
    warm_up(device);
    const TraceId a = capture(device, 56);
    const std::string expected =
        "Creating trace buffers of size 933888B on MeshDevice 0, but only 753664B is allocated for "
        "trace region.";
    EXPECT_EQ(error_of([&] { capture(device, 56); }), expected);
    device.release_trace(a);
    EXPECT_EQ(error_of([&] { capture(device, 56); }), expected);
}

TEST_F(TraceTest, thirty_and_twenty_five_megabytes_do_not_share_a_region_of_fifty) {
    // The published arithmetic in pages: 3662 + 3051 of them. 55 MB is printed; the refused 25 MB
    // stay booked, so that after releasing the first trace the second passes, just.
    MeshDevice device = opened(50'000'000_B);
    warm_up(device);
    const TraceId first = capture(device, 3661);
    EXPECT_EQ(device.trace_buffers_size(), 29'999'104_B);
    EXPECT_EQ(error_of([&] { capture(device, 3050); }),
              "Creating trace buffers of size 54992896B on MeshDevice 0, but only 50000000B is "
              "allocated for trace region.");
    device.release_trace(first);
    EXPECT_EQ(error_of([&] { capture(device, 3050); }), "");
    EXPECT_EQ(device.trace_buffers_size(), 49'987'584_B);
}

TEST_F(TraceTest, thirty_and_thirty_megabytes_never_do) {
    // The refused 30 MB keep the counter where it was: the retry prints 60 MB again.
    MeshDevice device = opened(50'000'000_B);
    warm_up(device);
    const TraceId first = capture(device, 3661);
    const std::string text =
        "Creating trace buffers of size 59998208B on MeshDevice 0, but only 50000000B is allocated "
        "for trace region.";
    EXPECT_EQ(error_of([&] { capture(device, 3661); }), text);
    device.release_trace(first);
    EXPECT_EQ(error_of([&] { capture(device, 3661); }), text);
}

TEST_F(TraceTest, releasing_a_trace_lowers_the_counter_by_its_padded_size) {
    // Capture and release in a loop must not run out of region.
    MeshDevice device = opened(60 * 8192_B);
    warm_up(device);
    for (int round = 0; round < 3; ++round) {
        const TraceId trace = capture(device, 56);
        EXPECT_EQ(device.trace_buffers_size(), 57 * 8192_B);
        device.release_trace(trace);
        EXPECT_EQ(device.trace_buffers_size(), 0_B);
        EXPECT_TRUE(device.allocator(mesh::BufferType::Trace).blocks().empty());
    }
}

TEST_F(TraceTest, a_busy_queue_prints_the_new_id_and_the_other_queue_is_free) {
    // The id is consumed before the check: people look for trace 1 and there is none.
    MeshDevice device = opened(10'000'000_B);
    EXPECT_EQ(device.begin_trace_capture(kFirst), TraceId{0});
    EXPECT_EQ(error_of([&] { device.begin_trace_capture(kFirst); }),
              "CQ 0 is already being used for tracing tid 1");
    EXPECT_EQ(device.begin_trace_capture(kSecond), TraceId{2});
    EXPECT_EQ(error_of([&] { device.end_trace_capture(kSecond, TraceId{0}); }),
              "CQ 1 is not being used for tracing tid 0");
    EXPECT_EQ(error_of([&] { device.end_trace_capture(kSecond, TraceId{2}); }), "");
}

TEST_F(TraceTest, what_cannot_be_recorded_is_refused_and_the_capture_goes_on) {
    // Each text is what users search for.
    MeshDevice device = opened(10'000'000_B);
    warm_up(device);
    const Operand operand{row_of_tiles(1), {}, 0};
    const EventId event = device.record_event(kSecond);
    const TraceId trace = begin(device, 1);
    EXPECT_EQ(error_of([&] { device.enqueue_write(operand, {}, {}); }),
              "Writes are not supported during trace capture. trace id: 0");
    EXPECT_EQ(error_of([&] { device.enqueue_read(operand, {}); }),
              "Reads are not supported during trace capture.");
    EXPECT_EQ(error_of([&] { device.record_event({}); }), kNoEvents);
    EXPECT_EQ(error_of([&] { device.wait_event(event, {}); }), kNoEvents);
    EXPECT_EQ(error_of([&] { device.finish({}); }), kNoEvents);
    EXPECT_EQ(error_of([&] {
                  device.enqueue(loose(program), plain_bindings(device), {}, Blocking::Yes);
              }),
              "Blocking is not supported when recording a trace.");
    EXPECT_EQ(error_of([&] { device.enqueue_write(operand, {}, kSecond); }), "");
    EXPECT_EQ(error_of([&] { device.end_trace_capture({}, trace); }), "");
}

TEST_F(TraceTest, a_program_that_was_not_warmed_up_cannot_be_recorded) {
    // In 2026-05 the write of its binaries fails, after their buffer was allocated.
    MeshDevice device = opened(10'000'000_B);
    const TraceId trace = device.begin_trace_capture({});
    const auto record = [&] { device.enqueue(loose(program), plain_bindings(device), {}); };
    EXPECT_EQ(error_of(record), "Writes are not supported during trace capture. trace id: 0");
    EXPECT_EQ(device.live_buffers().size(), 1u);
    EXPECT_EQ(device.cached_programs(), 0);
    device.end_trace_capture({}, trace);
    record();
    EXPECT_EQ(device.cached_programs(), 1);
    device.begin_trace_capture({});
    EXPECT_EQ(error_of(record), "");
}

TEST_F(TraceTest, newer_releases_name_the_program_cache) {
    // The sentences of the source have no spaces between them.
    MeshDevice device = opened(10'000'000_B, Release::R2026_09);
    device.begin_trace_capture({});
    EXPECT_EQ(error_of([&] { device.enqueue(loose(program), plain_bindings(device), {}); }),
              "Cannot load new binaries during trace capture.This program is not yet in program "
              "cache. Warm up before capturing a trace.See the operation's hash signature for "
              "arguments that must match.");
    EXPECT_TRUE(device.live_buffers().empty());
}

TEST_F(TraceTest, a_capture_executes_nothing_and_a_replay_uses_the_current_input) {
    // The persistent input is rewritten between replays; its address is baked in.
    MeshDevice device = opened(10'000'000_B);
    Bytes bytes(1);
    device.attach(bytes);
    const DeviceBuffer x = allocate(device, "x");
    const DeviceBuffer y = allocate(device, "y");
    const auto write = [&](const DeviceBuffer& to, float value) {
        device.enqueue_write(to.operand, filled(to.operand.spec, value), {});
    };
    const auto y_now = [&] { return first_value(device.enqueue_read(y.operand, {})); };
    const auto add = add_program(1);
    device.enqueue(placed(add, x, x, y), plain_bindings(device), {});
    write(x, 2);
    write(y, -1);
    const TraceId trace = device.begin_trace_capture({});
    device.enqueue(placed(add, x, x, y), plain_bindings(device), {});
    device.end_trace_capture({}, trace);
    EXPECT_EQ(y_now(), -1);
    device.execute_trace(trace, plain_bindings(device), {});
    EXPECT_EQ(y_now(), 4);
    write(x, 5);
    device.execute_trace(trace, plain_bindings(device), {});
    EXPECT_EQ(y_now(), 10);

    const DeviceBuffer moved = allocate(device, "x again");
    write(moved, 50);
    device.execute_trace(trace, plain_bindings(device), {});
    EXPECT_EQ(y_now(), 10);  // stale: the old address is still read
}

TEST_F(TraceTest, a_replay_hands_over_its_commands_behind_one_replay_command) {
    // The simulator charges the host once; the executor runs each command.
    MeshDevice device = opened(10'000'000_B);
    Notes notes;
    device.attach(notes);
    warm_up(device);
    const TraceId trace = capture(device, 2);
    notes.lines.clear();
    device.execute_trace(trace, plain_bindings(device), {}, Blocking::Yes);
    EXPECT_EQ(notes.lines, (std::vector<std::string>{"0: replay 0 of 2", "0: add 1 replayed",
                                                     "0: add 1 replayed", "0: finish"}));
    EXPECT_EQ(error_of([&] { device.execute_trace(TraceId{9}, plain_bindings(device), {}); }),
              "Trace instance 9 must exist on Mesh device 0's active sub-device manager 0");
}

TEST_F(TraceTest, buffers_allocated_after_a_capture_are_unsafe_while_they_live) {
    // x between the captures of A and B: a replay of A may overwrite it, one of B was planned
    // around it.
    MeshDevice device = opened(10'000'000_B);
    warm_up(device);
    const TraceId a = capture(device, 1);
    const DeviceBuffer x = allocate(device, "x");
    const TraceId b = capture(device, 1);
    EXPECT_EQ(device.unsafe_buffers(a), std::vector<std::string>{"x"});
    EXPECT_TRUE(device.unsafe_buffers(b).empty());
    device.free(x);
    EXPECT_TRUE(device.unsafe_buffers(a).empty());
}

TEST_F(TraceTest, binaries_loaded_after_a_capture_are_unsafe_unless_skipped) {
    // Compile all variants first, then capture all traces.
    MeshDevice device = opened(10'000'000_B);
    warm_up(device);
    const TraceId trace = capture(device, 1);
    device.enqueue(loose(add_program(7)), plain_bindings(device), {});
    EXPECT_EQ(device.unsafe_buffers(trace), std::vector<std::string>{"binaries of add 7"});
    EXPECT_TRUE(device.unsafe_buffers(trace, MeshDevice::Binaries::Skip).empty());
}

TEST_F(TraceTest, the_warning_comes_once_and_only_while_a_trace_lives) {
    // Repeats are suppressed on the device as well: the number of lines says nothing.
    MeshDevice device = opened(10'000'000_B);
    warm_up(device);
    const TraceId first = capture(device, 1);
    device.release_trace(first);
    allocate(device, "safe again");
    EXPECT_TRUE(device.warnings().empty());
    const TraceId trace = begin(device, 1);
    allocate(device, "during capture");
    EXPECT_TRUE(device.warnings().empty());
    device.end_trace_capture({}, trace);
    allocate(device, "late");
    allocate(device, "later");
    EXPECT_EQ(device.warnings(),
              std::vector<std::string>{
                  "Allocating device buffers is unsafe due to the existence of an active trace. "
                  "These buffers may be corrupted once a trace is executed."});
}

// Dynamic trace buffers: 1 MiB banks from 32 B on, binaries in the top 2048 B of each. A trace of
// 50 commands has 57 pages of 8192 B: 40,960 B of each bank.
struct DynamicTraceTest : TraceTest {
    MeshDevice device{0, row_of(1), {}};

    DynamicTraceTest() { warm_up(device); }
    DeviceBuffer pages(const std::string& name, std::int64_t per_bank) {
        return allocate(device, name, 12 * per_bank);
    }
};

TEST_F(DynamicTraceTest, over_what_was_allocated_and_freed_during_the_capture_it_is_refused) {
    // A replay would write its intermediates over its own commands.
    const TraceId trace = begin(device, 56);
    device.free(pages("big", 510));
    EXPECT_EQ(error_of([&] { device.end_trace_capture({}, trace); }),
              "Trace buffer at address 1005568 overlaps with DRAM activity during trace capture. "
              "Allocation high water mark: 1044512, Deletion high water mark: 1044512. Reduce "
              "allocations during trace capture or set a non-zero trace_region_size.");
}

TEST_F(DynamicTraceTest, over_what_was_freed_during_the_capture_it_is_refused) {
    // The freed buffer is gone, but the commands recorded before still write to it.
    const DeviceBuffer before = pages("before", 510);
    const TraceId trace = begin(device, 56);
    device.free(before);
    const std::string text = error_of([&] { device.end_trace_capture({}, trace); });
    EXPECT_EQ(text,
              "Trace buffer at address 1005568 overlaps with buffers deallocated during trace "
              "capture (deletion high water mark: 1044512). Avoid deallocating DRAM buffers during "
              "trace capture or set a non-zero trace_region_size.");
}

TEST_F(DynamicTraceTest, below_what_was_allocated_during_the_capture_it_is_refused) {
    // The hole at the bottom is the only room left: below what a replay writes.
    const DeviceBuffer hole = pages("hole", 100);
    pages("between", 300);
    device.free(hole);
    const TraceId trace = begin(device, 56);
    pages("above", 110);
    EXPECT_EQ(error_of([&] { device.end_trace_capture({}, trace); }),
              "Trace buffer at address 163872 overlaps with buffers allocated during trace capture "
              "(allocation high water mark: 1044512). Reduce allocations during trace capture or "
              "set a non-zero trace_region_size.");
}

TEST_F(DynamicTraceTest, newer_releases_also_keep_clear_of_other_live_traces) {
    // A replay of the first trace would write over the second trace's commands.
    const auto second_capture = [this](Release release) {
        MeshDevice other(0, row_of(1), {.release = release});
        warm_up(other);
        const TraceId first = begin(other, 1);
        const DeviceBuffer big = allocate(other, "big", 12 * 500);
        other.end_trace_capture({}, first);
        other.free(big);
        return error_of([&] { capture(other, 56); });
    };
    EXPECT_EQ(second_capture(Release::R2026_05), "");
    EXPECT_EQ(second_capture(Release::R2026_09),
              "Trace buffer at address 1004544 overlaps with DRAM activity captured by another "
              "live trace (maximum live trace high water mark: 1024032). Release the existing "
              "trace before capturing this trace or set a non-zero trace_region_size.");
}

TEST_F(TraceTest, replaying_costs_the_host_the_same_however_long_the_trace_is) {
    // 1.87 us per chip for any number of programs; eagerly each of them costs 15.2 us.
    const auto host_time = [this](int commands, bool traced) {
        MeshDevice device(0, row_of(8), {.trace_region_size = 500'000_B});
        warm_up(device);
        const TraceId trace = traced ? capture(device, commands) : TraceId{};
        Simulator simulator(device.mesh(), {});
        device.attach(simulator);
        if (traced) device.execute_trace(trace, plain_bindings(device), {});
        for (int i = 0; !traced && i < commands; ++i) warm_up(device);
        return simulator.host_now().time_since_epoch();
    };
    EXPECT_EQ(host_time(1, true), 8 * 1'870_ns);
    EXPECT_EQ(host_time(30, true), 8 * 1'870_ns);
    EXPECT_EQ(host_time(30, false), 30 * 15'200_ns);
}

}  // namespace
}  // namespace dispatch::testing

#include "dispatch/sub_device.h"

#include "tests/dispatch/device_fixture.h"

namespace dispatch::testing {
namespace {

constexpr const char* kTimeout =
    "TIMEOUT: device timeout, potential hang detected, the device is unrecoverable";
constexpr SubDeviceId kPrefetch{0};
constexpr SubDeviceId kWorkers{1};

std::shared_ptr<const Program> on(SubDeviceId sub_device, Command::Completion completion) {
    auto program = add_program(1);
    only_command(*program).sub_device = sub_device;
    only_command(*program).completion = completion;
    only_command(*program).label =
        completion == Command::Completion::Persistent ? "prefetch" : "work";
    return program;
}

struct SubDevicesTest : ::testing::Test {
    MeshDevice device{0, row_of(1), {.queues = 2}};
    Notes notes;
    Operand operand{row_of_tiles(1), {}, 0};
    ChipBindings bindings = plain_bindings(device);

    SubDevicesTest() { device.attach(notes); }
    SubDeviceManagerId split(core::Bytes local) {
        return device.create_sub_device_manager(
            {{"prefetch", {1, 8}, {}}, {"workers", {7, 8}, local}});
    }
    void enqueue(SubDeviceId sub_device, Command::Completion completion) {
        device.enqueue(loose(on(sub_device, completion)), bindings, {});
    }
};

TEST_F(SubDevicesTest, a_persistent_program_in_the_stall_group_hangs_the_next_read) {
    // Reads wait for all sub-devices unless told otherwise.
    device.load_sub_device_manager(split({}));
    enqueue(kPrefetch, Command::Completion::Persistent);
    EXPECT_EQ(error_of([&] { device.enqueue_read(operand, {}); }), kTimeout);
    device.set_sub_device_stall_group({kWorkers});
    EXPECT_EQ(error_of([&] { device.enqueue_read(operand, {}); }), "");
    EXPECT_EQ(notes.lines.back(), "0: read");
}

TEST_F(SubDevicesTest, programs_beside_a_persistent_one_run) {
    // The prefetcher feeds the workers while they compute.
    device.load_sub_device_manager(split({}));
    device.set_sub_device_stall_group({kWorkers});
    enqueue(kPrefetch, Command::Completion::Persistent);
    enqueue(kWorkers, Command::Completion::Normal);
    device.record_event({});
    device.finish({});
    const std::vector<std::string> expected = {"0: finish", "1: finish",   "0: prefetch",
                                               "0: work",   "0: record 0", "0: finish"};
    EXPECT_EQ(notes.lines, expected);
}

TEST_F(SubDevicesTest, a_program_behind_a_persistent_one_on_its_sub_device_never_starts) {
    // Its queue is stuck with everything behind it.
    device.load_sub_device_manager(split({}));
    device.set_sub_device_stall_group({kWorkers});
    enqueue(kPrefetch, Command::Completion::Persistent);
    enqueue(kPrefetch, Command::Completion::Normal);
    EXPECT_EQ(notes.lines.back(), "0: stuck");
    EXPECT_FALSE(device.drained({}));
    enqueue(kWorkers, Command::Completion::Normal);
    EXPECT_EQ(notes.lines.back(), "0: stuck");
    EXPECT_EQ(error_of([&] { device.finish({}); }), kTimeout);
}

TEST_F(SubDevicesTest, a_write_or_event_that_waits_for_a_persistent_program_never_comes) {
    // Enqueueing returns at once; the queue is stuck, and so is who waits for the event.
    enqueue(SubDeviceId{0}, Command::Completion::Persistent);
    const EventId event = device.record_event({});
    EXPECT_FALSE(device.drained({}));
    device.wait_event(event, QueueId{1});
    EXPECT_FALSE(device.drained(QueueId{1}));
    EXPECT_EQ(notes.lines, (std::vector<std::string>{"0: prefetch", "0: stuck", "1: wait 0"}));
}

TEST_F(SubDevicesTest, a_manager_is_not_left_while_local_buffers_live) {
    // The local range would be handed to the global allocator with live bytes in it.
    device.load_sub_device_manager(split(65536_B));
    const MemoryConfig l1{.type = mesh::BufferType::L1};
    const DeviceBuffer local =
        taken(device.allocate_local("ring", Owner::Activations, row_of_tiles(1), l1, kWorkers));
    EXPECT_EQ(error_of([&] { device.clear_loaded_sub_device_manager(); }),
              "Cannot switch sub device managers while sub devices still have local allocations");
    device.free(local);
    notes.lines.clear();
    EXPECT_EQ(error_of([&] { device.clear_loaded_sub_device_manager(); }), "");
    EXPECT_EQ(notes.lines, (std::vector<std::string>{"0: finish", "1: finish"}));
    EXPECT_EQ(error_of([&] { enqueue(kWorkers, Command::Completion::Normal); }),
              "sub-device: id: expected 0 to 0 (the loaded manager has 1), got 1");
}

TEST_F(SubDevicesTest, leaving_a_manager_waits_for_all_programs) {
    // A persistent program never ends, so the manager is never left.
    const auto manager = split({});
    device.load_sub_device_manager(manager);
    device.set_sub_device_stall_group({kWorkers});
    enqueue(kPrefetch, Command::Completion::Persistent);
    EXPECT_EQ(error_of([&] { device.clear_loaded_sub_device_manager(); }), kTimeout);
}

TEST_F(SubDevicesTest, local_memory_is_carved_from_the_bottom_of_l1) {
    // The global allocator shrinks by it; local buffers live at addresses it never hands out.
    const mesh::BankAllocator& global = device.allocator(mesh::BufferType::L1);
    const core::Bytes whole = global.statistics().largest_free_block;
    device.load_sub_device_manager(split(65536_B));
    EXPECT_EQ(global.statistics().largest_free_block, whole - 65536_B);
    const MemoryConfig l1{.type = mesh::BufferType::L1};
    const DeviceBuffer local =
        taken(device.allocate_local("ring", Owner::Activations, row_of_tiles(1), l1, kWorkers));
    EXPECT_EQ(local.operand.address, 168192 + 65536 - 2048);
    device.free(local);
    device.clear_loaded_sub_device_manager();
    EXPECT_EQ(global.statistics().largest_free_block, whole);
}

TEST_F(SubDevicesTest, a_full_local_memory_says_so_with_its_own_size) {
    // 64 KiB per core hold 32 tiles per core, whatever the global allocator has left.
    device.load_sub_device_manager(split(65536_B));
    const MemoryConfig l1{.type = mesh::BufferType::L1};
    const auto result =
        device.allocate_local("ring", Owner::Activations, row_of_tiles(33 * 56), l1, kWorkers);
    ASSERT_TRUE(std::holds_alternative<mesh::Failure>(result));
    EXPECT_EQ(std::get<mesh::Failure>(result).statistics.bank, 65536_B);
    EXPECT_EQ(std::get<mesh::Failure>(result).per_bank, 67584_B);
}

TEST_F(SubDevicesTest, l1_buffers_in_the_way_of_local_memory_are_bad_input) {
    // The range is not free, so the manager cannot be loaded, and the default one stays.
    const MemoryConfig l1{.type = mesh::BufferType::L1};
    allocate(device, "x", 64 * 640, l1);
    const auto manager = split(65536_B);
    EXPECT_NE(error_of([&] { device.load_sub_device_manager(manager); }), "");
    EXPECT_EQ(error_of([&] { enqueue(SubDeviceId{0}, Command::Completion::Normal); }), "");
}

TEST_F(SubDevicesTest, managers_are_checked_when_they_are_made_and_loaded) {
    // 9 do not fit the counters, and cores cannot be given twice.
    EXPECT_EQ(error_of([&] {
                  device.create_sub_device_manager(std::vector<SubDevice>(9, {"x", {1, 1}, {}}));
              }),
              "sub-device manager: sub-devices: expected 1 to 8, got 9");
    EXPECT_EQ(error_of([&] {
                  device.create_sub_device_manager({{"a", {8, 7}, {}}, {"b", {8, 2}, {}}});
              }),
              "sub-device \"b\": grid: expected cores left of the worker grid 8x8, got 8x2");
    EXPECT_EQ(error_of([&] { device.load_sub_device_manager(SubDeviceManagerId{7}); }),
              "Sub device manager does not exist");
    EXPECT_EQ(error_of([&] { device.set_sub_device_stall_group({SubDeviceId{3}}); }),
              "sub-device: id: expected 0 to 0 (the loaded manager has 1), got 3");
}

TEST_F(SubDevicesTest, traces_belong_to_the_manager_they_were_captured_under) {
    // Executing one under another manager prints the manager that is active.
    const TraceId trace = device.begin_trace_capture({});
    device.end_trace_capture({}, trace);
    device.load_sub_device_manager(split({}));
    EXPECT_EQ(error_of([&] { device.execute_trace(trace, bindings, {}); }),
              "Trace instance 0 must exist on Mesh device 0's active sub-device manager 1");
    device.clear_loaded_sub_device_manager();
    EXPECT_EQ(error_of([&] { device.execute_trace(trace, bindings, {}); }), "");
}

}  // namespace
}  // namespace dispatch::testing

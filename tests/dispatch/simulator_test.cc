#include "dispatch/simulator.h"

#include <algorithm>
#include <numeric>

#include "dispatch/chip_classes.h"
#include "dispatch/collective_clock.h"
#include "dispatch/command_queue.h"
#include "tests/dispatch/device_fixture.h"

namespace dispatch::testing {
namespace {

using core::Picoseconds;

constexpr QueueId kFirst{0};
constexpr QueueId kSecond{1};

Picoseconds since_start(core::SimTime time) { return time.time_since_epoch(); }

/// The small chip with a host that costs nothing, so that device times come out round.
mesh::ChipSpec free_host() {
    mesh::ChipSpec chip = small_chip();
    chip.launch.traced_gap = {};
    chip.launch.launch_floor = {};
    chip.launch.host_enqueue = {};
    chip.launch.host_replay = {};
    chip.launch.host_write = {};
    chip.launch.host_read = {};
    return chip;
}

struct SimulatorTest : ::testing::Test {
    void run(Simulator& simulator, const std::shared_ptr<const Program>& program,
             QueueId queue = {}, Origin origin = Origin::Eager) {
        simulator.run(loose(program), bindings, queue, origin);
    }
    void read(Simulator& simulator, std::int64_t microseconds, QueueId queue = {}) {
        HostData data;
        std::vector<std::int32_t> chips(bindings.size());
        std::iota(chips.begin(), chips.end(), 0);
        simulator.read(lasting(microseconds), chips, data, queue);
    }
    void write(Simulator& simulator, std::int64_t microseconds, QueueId queue = {}) {
        simulator.write(lasting(microseconds), {}, queue);
    }
    /// A tensor that takes so long over PCIe: 10 kB per us, rows of 40 kB.
    static Operand lasting(std::int64_t microseconds) {
        const tensor::Spec spec{.shape = {microseconds, 2500},
                                .dtype = tensor::DType::UInt32,
                                .layout = tensor::Layout::RowMajor};
        return {spec, {}, 0};
    }

    ChipBindings bindings = ChipBindings(1);
};

// --- host and device ---

TEST_F(SimulatorTest, traced_programs_follow_each_other_at_kernel_plus_gap_or_at_the_floor) {
    // The two regimes of the published goldens: 10,000-cycle kernels 10.8 us here, empty ones 1.2
    // us.
    for (const auto& [tiles, period] : {std::pair{10, 10'800_ns}, std::pair{0, 1'200_ns}}) {
        mesh::ChipSpec chip = small_chip();
        if (tiles == 0) chip.eltwise_tile_cycles = 0;
        Simulator simulator(row_of(1, chip), {});
        const auto program = add_program(std::max(tiles, 1));
        simulator.replay(TraceId{0}, 100, {});
        for (int i = 0; i < 100; ++i) run(simulator, program, {}, Origin::Replay);
        EXPECT_EQ(since_start(simulator.device_done()), 1'870_ns + 100 * period - 800_ns);
        EXPECT_EQ(since_start(simulator.host_now()), 1'870_ns);
    }
}

TEST_F(SimulatorTest, eager_programs_cost_the_host_an_enqueue_each) {
    // Short kernels are host-bound without a trace, long ones hide the host.
    Simulator short_ones(row_of(1), {});
    Simulator long_ones(row_of(1), {});
    for (int i = 0; i < 10; ++i) {
        run(short_ones, add_program(1));
        run(long_ones, add_program(100));
    }
    EXPECT_EQ(since_start(short_ones.host_now()), 152_us);
    EXPECT_EQ(since_start(short_ones.device_done()), 153_us);
    EXPECT_EQ(since_start(long_ones.host_now()), 152_us);
    EXPECT_EQ(since_start(long_ones.device_done()), 15'200_ns + 1'000_us + 9 * 800_ns);
}

TEST_F(SimulatorTest, a_replay_reaches_the_chips_one_after_the_other) {
    // The host loops over the chips: the last one starts 8 x 1.87 us later.
    bindings.resize(8);
    Simulator simulator(row_of(8), {.timeline = SimulatorOptions::Timeline::Keep});
    simulator.replay(TraceId{0}, 1, {});
    run(simulator, add_program(5), {}, Origin::Replay);
    ASSERT_EQ(simulator.timeline().size(), 8u);
    EXPECT_EQ(since_start(simulator.timeline().front().start), 1'870_ns);
    EXPECT_EQ(since_start(simulator.timeline().back().start), 8 * 1'870_ns);
    EXPECT_EQ(simulator.timeline().back().kind, tensor::name(tensor::Add{}));
}

TEST_F(SimulatorTest, writes_and_reads_go_chip_by_chip) {
    // Two chips, 100 us each: fixed costs are 1 us per write and 2 us per read.
    bindings.resize(2);
    Simulator simulator(row_of(2), {});
    write(simulator, 100);
    EXPECT_EQ(since_start(simulator.host_now()), 2_us);  // a write returns early
    EXPECT_EQ(since_start(simulator.device_done()), 201_us);
    read(simulator, 100);
    EXPECT_EQ(since_start(simulator.host_now()), 101_us + 2 * 102_us);
}

// --- order ---

TEST_F(SimulatorTest, a_queue_behind_an_event_starts_after_what_the_event_covers) {
    // Ops a and b on CQ0, event, wait on CQ1: the write on CQ1 starts when b ends.
    Simulator simulator(row_of(1, free_host()), {});
    run(simulator, add_program(30));
    run(simulator, add_program(40));
    simulator.record_event(EventId{0}, kFirst);
    simulator.wait_event(EventId{0}, kSecond);
    write(simulator, 10, kSecond);
    EXPECT_EQ(since_start(simulator.device_done()), 80_us);
}

TEST_F(SimulatorTest, without_the_event_the_other_queue_goes_on) {
    // The overlap that makes two queues worth having.
    Simulator simulator(row_of(1, free_host()), {});
    run(simulator, add_program(70));
    write(simulator, 10, kSecond);
    simulator.finish(kSecond);
    EXPECT_EQ(since_start(simulator.host_now()), 10_us);
    EXPECT_EQ(since_start(simulator.device_done()), 70_us);
}

TEST_F(SimulatorTest, a_write_on_the_same_queue_waits_for_all_earlier_programs) {
    // The default stall: no write under a running program of its own queue.
    Simulator simulator(row_of(1, free_host()), {});
    run(simulator, add_program(70));
    write(simulator, 10);
    EXPECT_EQ(since_start(simulator.device_done()), 80_us);
}

TEST_F(SimulatorTest, waiting_for_an_event_nobody_records_lasts_for_good) {
    // With a limit the text comes; without, the process would just hang.
    Simulator limited(row_of(1), {.operation_timeout = 5'000'000_us});
    Simulator patient(row_of(1), {});
    for (Simulator* simulator : {&limited, &patient}) {
        simulator->wait_event(EventId{3}, kSecond);
        EXPECT_EQ(simulator->device_done(), core::SimTime::max());
    }
    ASSERT_TRUE(limited.hang().has_value());
    EXPECT_EQ(limited.hang()->text, kHangText);
    EXPECT_EQ(limited.hang()->waits_for, "event 3, which nobody recorded");
    EXPECT_FALSE(patient.hang().has_value());

    limited.record_event(EventId{3}, kFirst);
    EXPECT_EQ(limited.device_done(), core::SimTime{});
    EXPECT_FALSE(limited.hang().has_value());
}

TEST_F(SimulatorTest, the_device_hands_a_stalled_queue_to_the_simulator) {
    // Through the queues: the stalled write is held back and the simulator knows why.
    MeshDevice device(0, row_of(1), {.queues = 2});
    Simulator simulator(device.mesh(), {.operation_timeout = 1'000_us});
    device.attach(simulator);
    const EventId event = device.new_event();
    device.wait_event(event, kSecond);
    device.enqueue_write(lasting(10), {}, kSecond);
    EXPECT_EQ(simulator.device_done(), core::SimTime::max());
    EXPECT_EQ(simulator.hang()->text, kHangText);
    device.record_event_as(event, kFirst);
    EXPECT_EQ(since_start(simulator.device_done()), 11_us);
}

TEST_F(SimulatorTest, programs_on_disjoint_chips_overlap_and_on_one_chip_never_do) {
    // Chips are not synchronised; without sub-devices one chip runs one program at a time.
    bindings.resize(8);
    Simulator simulator(row_of(8, free_host()), {.timeline = SimulatorOptions::Timeline::Keep});
    const auto low = add_program(50);
    const auto high = add_program(50);
    only_command(*low).chips = {0, 1, 2, 3};
    only_command(*high).chips = {4, 5, 6, 7};
    run(simulator, low);
    run(simulator, high);
    EXPECT_EQ(since_start(simulator.device_done()), 50_us);
    run(simulator, low, kSecond);  // another queue, the same chips
    EXPECT_EQ(since_start(simulator.device_done()), 100_us);
    ASSERT_EQ(simulator.timeline().size(), 12u);
    for (const TimelineEntry& a : simulator.timeline()) {
        for (const TimelineEntry& b : simulator.timeline()) {
            if (&a == &b || a.chip != b.chip) continue;
            EXPECT_TRUE(a.end <= b.start || b.end <= a.start);
        }
    }
}

// --- the documented loops of one and two queues ---

struct LoopTest : SimulatorTest {
    static constexpr std::int64_t kWrite = 300;
    static constexpr std::int64_t kModel = 1000;
    static constexpr std::int64_t kRead = 200;
    static constexpr std::int64_t kFirstOp = 10;

    MeshDevice device{0, row_of(1, free_host()), {.queues = 2}};
    Simulator simulator{device.mesh(), {}};
    std::shared_ptr<const Program> first_op = add_program(kFirstOp);
    std::shared_ptr<const Program> rest = add_program(kModel - kFirstOp);
    EventId input_consumed = device.new_event();

    LoopTest() { device.attach(simulator); }

    void model() {
        device.enqueue(loose(first_op), bindings, kFirst);
        input_consumed = device.record_event(kFirst);
        device.enqueue(loose(rest), bindings, kFirst);
    }
    /// Writes the next input on CQ1 when the last one was consumed; CQ0 waits for it.
    void write_next() {
        device.wait_event(input_consumed, kSecond);
        device.enqueue_write(lasting(kWrite), {}, kSecond);
        device.wait_event(device.record_event(kSecond), kFirst);
    }
    void read_on_second(EventId model_done) {
        device.wait_event(model_done, kSecond);
        device.enqueue_read(lasting(kRead), kSecond);
    }
    /// Host time between the ends of two late rounds.
    template <class Round>
    Picoseconds period(Round round) {
        for (int i = 0; i < 10; ++i) round();
        const core::SimTime before = simulator.host_now();
        for (int i = 0; i < 10; ++i) round();
        return (simulator.host_now() - before) / 10;
    }
};

TEST_F(LoopTest, one_queue_takes_write_model_and_read_in_turn) {
    // Everything waits for everything: W + M + R.
    const Picoseconds time = period([&] {
        device.enqueue_write(lasting(kWrite), {}, kFirst);
        model();
        device.enqueue_read(lasting(kRead), kFirst);
    });
    EXPECT_EQ(time, 1'500_us);
}

TEST_F(LoopTest, writes_on_a_second_queue_hide_behind_the_model) {
    // max(W + F, M + R): the next input is written while the model runs.
    device.record_event_as(input_consumed, kFirst);
    write_next();
    const Picoseconds time = period([&] {
        model();
        write_next();
        device.enqueue_read(lasting(kRead), kFirst);
    });
    EXPECT_EQ(time, 1'200_us);
}

TEST_F(LoopTest, writes_and_reads_on_the_second_queue_leave_only_the_model) {
    // max(M, W + R), when the next write is enqueued before the read of the current output.
    device.record_event_as(input_consumed, kFirst);
    write_next();
    model();
    EventId done = device.record_event(kFirst);
    const Picoseconds time = period([&] {
        write_next();
        model();
        const EventId next_done = device.record_event(kFirst);
        read_on_second(done);
        done = next_done;
    });
    EXPECT_EQ(time, 1'000_us);
}

TEST_F(LoopTest, a_read_enqueued_before_the_next_write_serialises_but_does_not_deadlock) {
    // The trap of sharing CQ1: M + R + W.
    device.record_event_as(input_consumed, kFirst);
    write_next();
    const Picoseconds time = period([&] {
        model();
        read_on_second(device.record_event(kFirst));
        write_next();
    });
    EXPECT_EQ(time, 1'500_us);
}

// --- sub-devices, hangs ---

TEST_F(SimulatorTest, a_persistent_program_holds_up_only_who_waits_for_its_sub_device) {
    // In the stall group a read never ends; out of it the read takes its time.
    const auto prefetch = add_program(1);
    only_command(*prefetch).completion = Command::Completion::Persistent;
    const auto work = add_program(20);
    only_command(*work).sub_device = {1};
    for (const bool narrowed : {false, true}) {
        Simulator simulator(row_of(1, free_host()), {.operation_timeout = 1'000_us});
        const std::vector<SubDeviceId> group{{1}};
        if (narrowed) simulator.set_stall_group(group);
        run(simulator, prefetch);
        run(simulator, work);
        read(simulator, 10);
        EXPECT_EQ(simulator.hang().has_value(), !narrowed);
        EXPECT_EQ(since_start(simulator.host_now()),
                  narrowed ? 30_us : since_start(core::SimTime::max()));
        EXPECT_EQ(simulator.device_done() == core::SimTime::max(), !narrowed);
    }
}

TEST_F(SimulatorTest, the_device_tells_the_stall_group_and_what_is_stuck) {
    // The same law through the queues of a device with two sub-devices.
    MeshDevice device(0, row_of(1, free_host()), {});
    Simulator simulator(device.mesh(), {.operation_timeout = 1'000_us});
    device.attach(simulator);
    device.load_sub_device_manager(
        device.create_sub_device_manager({{"prefetch", {1, 8}, {}}, {"work", {7, 8}, {}}}));
    device.set_sub_device_stall_group({SubDeviceId{1}});
    const auto prefetch = add_program(1);
    only_command(*prefetch).completion = Command::Completion::Persistent;
    device.enqueue(loose(prefetch), bindings, {});
    device.enqueue_read(lasting(10), {});
    EXPECT_EQ(since_start(simulator.device_done()), 10_us);
    EXPECT_FALSE(simulator.hang().has_value());

    device.set_sub_device_stall_group({SubDeviceId{0}, SubDeviceId{1}});
    device.enqueue_write(lasting(10), {}, {});
    EXPECT_EQ(simulator.device_done(), core::SimTime::max());
    EXPECT_EQ(simulator.hang()->waits_for, "a persistent program on sub-device 0");
}

TEST_F(SimulatorTest, one_program_longer_than_the_limit_is_a_hang_and_a_long_loop_is_not) {
    // The timeout watches progress: 1000 replays of 20 ms pass a limit of 5 s, one program of 6 s
    // not.
    mesh::ChipSpec chip = free_host();
    chip.eltwise_tile_cycles = 1'000'000'000;  // a tile per second
    const SimulatorOptions limit{.operation_timeout = 5'000'000_us};
    Simulator slow(row_of(1, chip), limit);
    run(slow, add_program(6));
    ASSERT_TRUE(slow.hang().has_value());
    EXPECT_EQ(slow.hang()->text, kHangText);
    EXPECT_EQ(slow.hang()->waits_for, "\"add 6\"");
    EXPECT_EQ(since_start(slow.device_done()), 6'000'000_us);

    chip.eltwise_tile_cycles = 20'000'000;
    Simulator loop(row_of(1, chip), limit);
    for (int i = 0; i < 1000; ++i) {
        loop.replay(TraceId{0}, 1, {});
        run(loop, add_program(1), {}, Origin::Replay);
    }
    EXPECT_EQ(since_start(loop.device_done()), 20'000'000_us);
    EXPECT_FALSE(loop.hang().has_value());
}

// --- work, collectives, books ---

TEST_F(SimulatorTest, chips_with_other_users_take_another_time) {
    // On meshes that split users a chip reads only the caches it holds.
    tensor::Bindings here;
    here.positions = {100, 200};
    here.page_table = {.block_size = 64, .blocks_per_user = 4, .blocks = {0, 1, 2, 3, 4, 5, 6, 7}};
    tensor::Bindings moved = here;
    moved.page_table.blocks = {9, 8, 7, 6, 5, 4, 3, 2};
    moved.coord = {1, 2};
    tensor::Bindings half = here;
    std::fill_n(half.page_table.blocks.begin(), 4, -1);
    tensor::Bindings later = here;
    later.positions[1] = 201;
    EXPECT_EQ(work_fingerprint(here), work_fingerprint(moved));
    EXPECT_NE(work_fingerprint(here), work_fingerprint(half));
    EXPECT_NE(work_fingerprint(here), work_fingerprint(later));
}

std::shared_ptr<Program> gather_program(std::int32_t ranks) {
    auto program = add_program(1);
    Command& command = only_command(*program);
    command.label = "gather";
    command.body = CollectiveCommand{
        .collective = {.ranks = ranks,
                       .slice_pages = std::vector<std::int64_t>(std::size_t(ranks), 64),
                       .page = 2048_B,
                       .links = 2},
        .axis = 1,
        .dim = 1,
        .input = {0},
        .output = {2},
        .staging = {},
        .routing = {}};
    return program;
}

TEST_F(SimulatorTest, a_collective_carries_the_bytes_of_its_plan_each_time) {
    // Timings are reused, byte counters are not: three gathers are three times the plan.
    bindings.resize(4);
    Simulator simulator(row_of(4, free_host()), {});
    const auto program = gather_program(4);
    for (int i = 0; i < 3; ++i) run(simulator, program);
    const auto& collective = std::get<CollectiveCommand>(only_command(*program).body).collective;
    std::map<fabric::Hop, core::Bytes> expected;
    for (const auto& [hop, size] : ccl::Plan(collective).bytes_by_hop()) {
        expected[{hop.first, hop.second}] = size * 3;
    }
    EXPECT_EQ(simulator.bytes_carried(), expected);
    EXPECT_EQ(simulator.bytes_carried().at({0, 1}), 64 * 2048_B * 3);
    EXPECT_EQ(simulator.commands_run(), 3);
}

TEST_F(SimulatorTest, parts_of_one_program_are_launched_once_and_overlap_by_slices) {
    // A gather of 4 chips, then work on all of it, or (slices) on what has landed.
    bindings.resize(4);
    mesh::ChipSpec chip = free_host();
    chip.launch.traced_gap = 800_ns;
    const auto ended = [&](const char* fused, std::int32_t slices) {
        Simulator simulator(row_of(4, chip), {});
        const auto gather = gather_program(4), add = add_program(40);
        only_command(*gather).fused = only_command(*add).fused = {fused, slices};
        run(simulator, gather);
        if (slices > 0) run(simulator, add);
        return since_start(simulator.device_done());
    };
    const Picoseconds gather = ended("", 0), whole = ended("both", 1), work = whole - gather;
    EXPECT_EQ(ended("", 1) - whole, chip.launch.traced_gap);
    EXPECT_EQ(ended("both", 4) - gather, std::max(work / 4, work - gather));
}

TEST_F(SimulatorTest, a_collective_waits_for_its_latest_chip) {
    // Chips meet only in collectives: one late chip delays the whole row.
    bindings.resize(4);
    Simulator even(row_of(4, free_host()), {});
    run(even, gather_program(4));
    const Picoseconds alone = since_start(even.device_done());
    EXPECT_GT(alone, 4_us);  // the setup, at least

    Simulator late(row_of(4, free_host()), {});
    const auto busy = add_program(500);
    only_command(*busy).chips = {2};
    run(late, busy);
    run(late, gather_program(4));
    EXPECT_GT(since_start(late.device_done()), 500_us + 4_us);
    EXPECT_LE(since_start(late.device_done()), 500_us + alone);
}

TEST(CollectiveClock, an_identical_collective_from_an_identical_state_is_played_once) {
    // A 70B decode step repeats a handful of collectives hundreds of times.
    const fabric::Mesh mesh = row_of(4, free_host());
    CollectiveClock clock(mesh);
    const auto program = gather_program(4);
    const auto& collective = std::get<CollectiveCommand>(only_command(*program).body).collective;
    const std::vector<Picoseconds> together(4);
    const std::vector<Picoseconds> apart = {0_us, 0_us, 9_us, 0_us};
    const std::vector<Picoseconds> first = clock.time(collective, 1, together).done;
    EXPECT_EQ(clock.time(collective, 1, together).done, first);
    EXPECT_EQ(clock.played(), 1);
    const std::vector<Picoseconds> second = clock.time(collective, 1, apart).done;
    EXPECT_EQ(clock.played(), 2);
    for (std::size_t chip = 0; chip < 4; ++chip) EXPECT_GE(second[chip], first[chip]);
}

TEST(CollectiveClock, a_chip_that_never_comes_holds_its_group_for_good) {
    // And ranks that do not fit the axis are bad input.
    const fabric::Mesh mesh = row_of(4, free_host());
    CollectiveClock clock(mesh);
    const auto program = gather_program(4);
    auto collective = std::get<CollectiveCommand>(only_command(*program).body).collective;
    const std::vector<Picoseconds> ready = {0_us, CollectiveClock::kNever, 0_us, 0_us};
    for (const Picoseconds done : clock.time(collective, 1, ready).done) {
        EXPECT_EQ(done, CollectiveClock::kNever);
    }
    collective.ranks = 3;
    EXPECT_EQ(error_of([&] { clock.time(collective, 1, std::vector<Picoseconds>(4)); }),
              "collective all_gather: ranks: expected 4, the chips along axis 1, got 3");
}

TEST_F(SimulatorTest, time_is_booked_by_kind_and_by_bound_for_chip_0) {
    // What the breakdown of a step is made of.
    bindings.resize(4);
    Simulator simulator(row_of(4, free_host()), {});
    run(simulator, add_program(30));
    run(simulator, add_program(40));
    run(simulator, gather_program(4));
    const std::string add(tensor::name(tensor::Add{}));
    EXPECT_EQ(simulator.time_by_kind().at(add), 70_us);
    EXPECT_EQ(simulator.time_by_bound().at("compute"), 70_us);
    EXPECT_EQ(simulator.time_by_kind().at("all_gather"), simulator.time_by_bound().at("fabric"));
    EXPECT_EQ(simulator.time_by_kind().size(), 2u);
}

TEST_F(SimulatorTest, the_same_commands_give_the_same_digest) {
    // The fingerprint of a run: it moves with a label, an order or a time.
    const auto digest_of = [this](const std::vector<std::int64_t>& tiles) {
        Simulator simulator(row_of(1), {});
        for (const std::int64_t count : tiles) run(simulator, add_program(count));
        return simulator.digest().value();
    };
    EXPECT_EQ(digest_of({3, 4}), digest_of({3, 4}));
    EXPECT_NE(digest_of({3, 4}), digest_of({4, 3}));
    EXPECT_NE(digest_of({3, 4}), digest_of({3, 5}));
}

}  // namespace
}  // namespace dispatch::testing

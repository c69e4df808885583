// What launches and the host add to the simulator's clock: dispatch ahead of the kernels, the
// config ring, the prefetch queue, calls from Python, and chips behind ethernet.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "dispatch/simulator.h"
#include "tests/dispatch/device_fixture.h"

namespace dispatch::testing {
namespace {

using core::Picoseconds;

Picoseconds since_start(core::SimTime time) { return time.time_since_epoch(); }

/// The small chip (gap 0.8 us) with 3 us of dispatch for any program.
mesh::ChipSpec slow_dispatcher(core::Bytes ring = 1_MiB) {
    mesh::ChipSpec chip = small_chip();
    mesh::KernelSpec kernels = *chip.kernels;
    kernels.launch.base = {3000};
    kernels.launch.config_ring = ring;
    kernels.launch.op_call = 48'500_ns;
    chip.kernels = std::make_shared<const mesh::KernelSpec>(kernels);
    chip.launch.launch_floor = {};
    return chip;
}

struct SimulatorLaunchTest : ::testing::Test {
    /// Replays `count` programs of that many microseconds; when the last one is done.
    static Picoseconds replayed(const mesh::ChipSpec& chip, std::int64_t us, std::int32_t count) {
        Simulator simulator(row_of(1, chip), {});
        const auto program = add_program(us);
        simulator.replay(TraceId{0}, count, {});
        for (std::int32_t i = 0; i < count; ++i) {
            simulator.run(loose(program), ChipBindings(1), {}, Origin::Replay);
        }
        EXPECT_EQ(since_start(simulator.host_now()), 1'870_ns);  // whatever the count
        return since_start(simulator.device_done());
    }
};

TEST_F(SimulatorLaunchTest, the_slower_of_dispatch_and_kernel_with_gap_sets_the_pace) {
    // max(dispatch, kernel + gap): 3 us for programs of 1 us, 10.8 us for those of 10.
    EXPECT_EQ(replayed(slow_dispatcher(), 1, 20), 1'870_ns + 20 * 3_us + 1_us);
    EXPECT_EQ(replayed(slow_dispatcher(), 10, 20), 1'870_ns + 3_us + 19 * 10'800_ns + 10_us);
}

TEST_F(SimulatorLaunchTest, a_long_kernel_hides_the_dispatch_of_several_short_ones) {
    // The dispatcher runs ahead while the ring has room.
    for (const auto& [ring, hidden] : {std::pair{1_MiB, true}, std::pair{30'000_B, false}}) {
        Simulator simulator(row_of(1, slow_dispatcher(ring)), {});
        simulator.replay(TraceId{0}, 5, {});
        for (const std::int64_t us : {40, 1, 1, 1, 1}) {
            simulator.run(loose(add_program(us)), ChipBindings(1), {}, Origin::Replay);
        }
        const Picoseconds first = 1'870_ns + 3_us + 40_us;
        const Picoseconds later = hidden ? 4 * 1'800_ns : 4 * 4'800_ns;
        EXPECT_EQ(since_start(simulator.device_done()), first + later);
    }
}

TEST_F(SimulatorLaunchTest, the_host_blocks_when_the_prefetch_queue_is_full) {
    // With room for 4 programs the host of 10 long ones is at most 4 ahead of the dispatcher.
    const mesh::ChipSpec chip = slow_dispatcher(30'000_B);
    Simulator blocked(row_of(1, chip), {.prefetch_entries = 4});
    Simulator ahead(row_of(1, chip), {});
    for (int i = 0; i < 10; ++i) {
        for (Simulator* simulator : {&blocked, &ahead}) {
            simulator->run(loose(add_program(100)), ChipBindings(1), {}, Origin::Eager);
        }
    }
    EXPECT_EQ(since_start(ahead.host_now()), 152_us);
    // The tenth enters when the sixth has been dispatched, after the fifth's kernel.
    EXPECT_EQ(since_start(blocked.host_now()),
              15'200_ns + 3_us + 5 * 100_us + 5 * 800_ns + 4 * 3_us + 3_us + 15'200_ns);
    EXPECT_EQ(blocked.device_done(), ahead.device_done());
}

TEST_F(SimulatorLaunchTest, an_op_called_from_python_costs_the_host_more) {
    // 48.5 us of a ttnn call against 15.2 us of a cached program in C++.
    Simulator simulator(row_of(1, slow_dispatcher()), {.host = SimulatorOptions::Host::Python});
    for (int i = 0; i < 10; ++i) {
        simulator.run(loose(add_program(1)), ChipBindings(1), {}, Origin::Eager);
    }
    EXPECT_EQ(since_start(simulator.host_now()), 485_us);
    EXPECT_EQ(since_start(simulator.device_done()), 485_us + 3_us + 1_us);
}

TEST_F(SimulatorLaunchTest, a_queue_dispatches_while_the_other_queue_runs) {
    // Each queue has a dispatcher of its own; the kernels still follow each other on the chip.
    Simulator simulator(row_of(1, slow_dispatcher()), {});
    const auto program = add_program(1);
    for (const std::int32_t queue : {0, 1}) {
        simulator.replay(TraceId{queue}, 1, QueueId{queue});
        simulator.run(loose(program), ChipBindings(1), QueueId{queue}, Origin::Replay);
    }
    // The second starts at 2 x 1.87 + 3 us, not 3 us after the first.
    EXPECT_EQ(since_start(simulator.device_done()), 2 * 1'870_ns + 3_us + 1_us);
}

TEST_F(SimulatorLaunchTest, an_n300_reads_its_remote_chip_at_half_the_rate) {
    // 64 MiB in 2048 B pages: 7.0 ms from chip 0, 12.5 ms from chip 1; writes within 10 %.
    const auto opened = fabric::open_mesh({std::string(TESSERA_SOURCE_DIR "/topologies")}, "n300");
    const auto& mesh = std::get<fabric::Mesh>(opened);
    const Operand tensor{{.shape = {32, 32 * 32'768},
                          .dtype = tensor::DType::BFloat16,
                          .layout = tensor::Layout::Tile},
                         {},
                         0};
    const auto ms = [&](std::int32_t chip) {
        Simulator simulator(mesh, {});
        HostData data;
        simulator.read(tensor, std::vector<std::int32_t>{chip}, data, {});
        return core::to_us(since_start(simulator.host_now())) * 1e-3;
    };
    EXPECT_NEAR(ms(0), 7.0, 0.1);
    EXPECT_NEAR(ms(1), 12.5, 0.3);
}

TEST_F(SimulatorLaunchTest, traced_programs_of_a_real_chip_take_the_published_time) {
    // 10,000-cycle kernels on N300 follow each other every 10.96 us (10 %).
    mesh::ChipSpec chip = mesh::load_chip(TESSERA_SOURCE_DIR "/topologies/chips/n300.yaml");
    chip.eltwise_tile_cycles = 1000;  // an Add of ten tiles on one core: 10,000 cycles
    chip.launch.host_replay = 1'870_ns;
    mesh::KernelSpec kernels = *chip.kernels;
    kernels.stream = small_chip().kernels->stream;  // nothing but the cycles
    chip.kernels = std::make_shared<const mesh::KernelSpec>(kernels);
    const Picoseconds period = (replayed(chip, 10, 101) - replayed(chip, 10, 1)) / 100;
    EXPECT_NEAR(core::to_us(period), 10.96, 1.1);
}

}  // namespace
}  // namespace dispatch::testing

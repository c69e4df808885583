// What launching costs: the published goldens of tt-metal's pgm_dispatch benchmark (2026-10,
// pgm_dispatch.json) within the promised error, and the laws between cases.
#include "dispatch/launch_time.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/dispatch/device_fixture.h"

namespace dispatch::testing {
namespace {

using core::Picoseconds;

mesh::ChipSpec load(const char* name) {
    return mesh::load_chip(std::string(TESSERA_SOURCE_DIR "/topologies/chips/") + name + ".yaml");
}

Picoseconds period(const LaunchShape& shape, const mesh::ChipSpec& chip,
                   Binaries binaries = Binaries::Resident, LaunchOptions options = {},
                   Picoseconds kernel = {}) {
    return launch_period(launch_cost(shape, binaries, chip, options), kernel, chip);
}

double us(Picoseconds time) { return core::to_us(time); }

TEST(LaunchTime, published_programs_take_the_published_time) {
    // One case of every part of the mechanism: nothing to write, arguments, configuration, groups.
    struct Golden {
        LaunchShape shape;
        double wormhole;
        double blackhole;
    };
    for (const bool is_wormhole : {true, false}) {
        const mesh::ChipSpec chip = load(is_wormhole ? "n300" : "p150");
        const std::int64_t all = is_wormhole ? 56 : 99;
        const std::vector<Golden> goldens{
            {{.cores = all}, 1.214, 0.942},
            {{.cores = all, .circular_buffers = 1}, 2.007, 1.676},
            {{.cores = all, .circular_buffers = 32}, 2.040, 1.680},
            {{.cores = all, .common_args = 384}, 2.094, 1.699},
            {{.cores = all, .unique_args = 3}, 3.272, 4.175},
            {{.cores = all, .unique_args = 384}, 6.831, 5.116},
            {{.cores = all, .groups = 8}, 4.479, 4.283},
            {{.cores = all, .groups = 8, .unique_args = 3}, 7.672, 8.045},
            {{.cores = all, .groups = 8, .unique_args = 384}, 10.47, 9.252}};
        for (const Golden& golden : goldens) {
            const double measured = is_wormhole ? golden.wormhole : golden.blackhole;
            const double predicted = us(period(golden.shape, chip));
            EXPECT_LE(std::abs(predicted / measured - 1), 0.10)
                << chip.name << ": " << predicted << " against " << measured;
        }
    }
}

TEST(LaunchTime, long_kernels_hide_the_dispatcher) {
    // Behaviour of traces: 10,000 cycles take 10.96 us on N300 and 8.172 us on P150 (10 %).
    for (const auto& [name, measured] : {std::pair{"n300", 10.96}, std::pair{"p150", 8.172}}) {
        const mesh::ChipSpec chip = load(name);
        const Picoseconds kernel = core::duration(core::Cycles{10'000}, chip.clock);
        const LaunchShape shape{.cores = 56, .circular_buffers = 32, .processors = 1};
        const Picoseconds time = period(shape, chip, Binaries::Resident, {}, kernel);
        EXPECT_EQ(time, kernel + chip.launch.traced_gap);
        EXPECT_LE(std::abs(us(time) / measured - 1), 0.1) << name;
    }
}

TEST(LaunchTime, programs_that_fill_the_ring_take_turns_with_their_dispatch) {
    // 5 x 8192 B twice is more than 69 KiB: no dispatch under the running kernel.
    const mesh::ChipSpec chip = load("n300");
    LaunchShape shape{.cores = 56, .kernel = 4096_B};
    LaunchCost cost = launch_cost(shape, Binaries::Cached, chip, {});
    EXPECT_EQ(launch_period(cost, 50_us, chip), 50_us + chip.launch.traced_gap);
    shape.kernel = 8192_B;
    cost = launch_cost(shape, Binaries::Cached, chip, {});
    EXPECT_EQ(launch_period(cost, 50_us, chip), 50_us + chip.launch.traced_gap + cost.dispatch);
    // What the workers still hold is not sent again.
    const LaunchCost resident = launch_cost(shape, Binaries::Resident, chip, {});
    EXPECT_EQ(launch_period(resident, 50_us, chip), 50_us + chip.launch.traced_gap);
    EXPECT_LT(resident.dispatch, cost.dispatch);
}

TEST(LaunchTime, a_date_chooses_the_floor) {
    // 2.58 us in April 2025, 1.57 in May 2026, 1.05 in October 2026 (Wormhole, one core).
    const mesh::ChipSpec chip = load("n300");
    const LaunchShape shape{.processors = 1, .kernel = 256_B};
    const auto at = [&](Release release) {
        return us(period(shape, chip, Binaries::Resident, {.release = release}));
    };
    EXPECT_NEAR(at(Release::R2025), 2.58, 0.05);
    EXPECT_NEAR(at(Release::R2026_05), 1.568, 0.01);
    EXPECT_NEAR(at(Release::R2026_09), 1.054, 0.11);
}

TEST(LaunchTime, untraced_and_ethernet_launches_are_slower) {
    // 2.70 us without a trace, 1.71 us from an ethernet core, against 1.05 (N300).
    const mesh::ChipSpec chip = load("n300");
    const LaunchShape shape{.processors = 1, .kernel = 256_B};
    EXPECT_NEAR(us(period(shape, chip, Binaries::Fetched)), 2.70, 0.01);
    const LaunchOptions ethernet{.core = mesh::DispatchCore::Ethernet};
    EXPECT_NEAR(us(period(shape, chip, Binaries::Resident, ethernet)), 1.712, 0.1);
}

TEST(LaunchTime, the_second_data_movement_kernel_is_copied_on_wormhole_only) {
    // all_processors_trace: 1.478 us with 8192 B kernels, 1.847 with 12288 B; P150 does not care.
    LaunchShape shape{.cores = 1, .kernel = 8192_B, .iram_kernel = 8192_B};
    EXPECT_NEAR(us(period(shape, load("n300"))), 1.478, 0.15);
    shape.iram_kernel = 12288_B;
    EXPECT_NEAR(us(period(shape, load("n300"))), 1.847, 0.15);
    EXPECT_EQ(launch_cost(shape, Binaries::Resident, load("p150"), {}).load, 0_us);
}

TEST(LaunchTime, more_of_anything_is_never_faster) {
    // A law every mechanism keeps.
    const mesh::ChipSpec chip = load("p150");
    const LaunchShape base{.cores = 4, .groups = 2, .unique_args = 4, .common_args = 4};
    for (const Binaries binaries : {Binaries::Resident, Binaries::Cached, Binaries::Fetched}) {
        for (auto field : {&LaunchShape::cores, &LaunchShape::groups, &LaunchShape::unique_args,
                           &LaunchShape::common_args, &LaunchShape::circular_buffers,
                           &LaunchShape::semaphores, &LaunchShape::processors}) {
            Picoseconds last{};
            LaunchShape shape = base;
            shape.kernel = 2048_B;
            for (int step = 0; step < 8; ++step) {
                const Picoseconds now = launch_cost(shape, binaries, chip, {}).dispatch;
                EXPECT_GE(now, last);
                last = now;
                shape.*field += 7;
            }
        }
    }
}

TEST(LaunchTime, a_chip_without_kernels_costs_nothing) {
    // Hand-made chips of tests time ops alone.
    EXPECT_EQ(launch_cost({}, Binaries::Fetched, mesh::ChipSpec{}, {}).dispatch, 0_us);
}

}  // namespace
}  // namespace dispatch::testing

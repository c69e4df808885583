// Transfers between host and chips: published bandwidths of tt-metal's rw_buffer benchmark
// (2026-10-06), and the laws between page sizes, memories and chips.
#include "dispatch/host_transfer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/dispatch/device_fixture.h"

namespace dispatch::testing {
namespace {

mesh::ChipSpec load(const char* name) {
    return mesh::load_chip(std::string(TESSERA_SOURCE_DIR "/topologies/chips/") + name + ".yaml");
}

double gigabytes_per_second(const HostTransfer& transfer, const mesh::ChipSpec& chip) {
    const core::Picoseconds time = transfer_time(transfer, chip, Release::R2026_09);
    return static_cast<double>(transfer.size.value) * 1e-9 / core::to_seconds(time);
}

TEST(HostTransfer, reading_64_mib_from_the_remote_chip_of_an_n300_takes_twice_as_long) {
    // Chip 0: 7.0 ms (9.59 GB/s); chip 1: 12.5 ms (5.35 GB/s); writes are within 10 %.
    const mesh::ChipSpec chip = load("n300");
    HostTransfer transfer{64_MiB, 2048_B, Direction::Read};
    EXPECT_NEAR(core::to_us(transfer_time(transfer, chip, Release::R2026_09)), 7000, 100);
    transfer.reach = Reach::Remote;
    EXPECT_NEAR(core::to_us(transfer_time(transfer, chip, Release::R2026_09)), 12'500, 200);
    transfer.direction = Direction::Write;
    const double remote = gigabytes_per_second(transfer, chip);
    transfer.reach = Reach::Local;
    EXPECT_LE(std::abs(gigabytes_per_second(transfer, chip) / remote - 1), 0.1);
}

TEST(HostTransfer, small_pages_are_bound_by_their_number) {
    // Twice the page, twice the rate, until the wire is full.
    const mesh::ChipSpec chip = load("p150");
    const auto rate = [&](core::Bytes page) {
        return gigabytes_per_second({64_MiB, page, Direction::Write}, chip);
    };
    EXPECT_NEAR(rate(64_B) / rate(32_B), 2, 0.01);
    EXPECT_NEAR(rate(32_B), 1.316, 0.1);
    EXPECT_NEAR(rate(2048_B), 21.48, 0.1);
    EXPECT_NEAR(rate(4096_B), 21.48, 0.1);
}

TEST(HostTransfer, pinned_memory_saves_the_copy) {
    // N300: writes of 2048 B pages 10.1 -> 18.9 GB/s, reads 9.6 -> 13.7.
    const mesh::ChipSpec chip = load("n300");
    HostTransfer transfer{64_MiB, 2048_B, Direction::Write, HostMemory::Pinned};
    EXPECT_NEAR(gigabytes_per_second(transfer, chip), 18.86, 1.0);
    transfer.direction = Direction::Read;
    EXPECT_NEAR(gigabytes_per_second(transfer, chip), 13.65, 0.7);
}

TEST(HostTransfer, scattered_pages_cost_the_host_a_step_per_run) {
    // N300, 1 KiB pages of a sharded tensor: 5.0 GB/s page by page, 9.8 in runs of 128.
    const mesh::ChipSpec chip = load("n300");
    HostTransfer transfer{64_MiB, 1024_B, Direction::Write};
    double last = 0;
    for (const std::int64_t run : {1, 2, 4, 8, 16, 32, 64, 128}) {
        transfer.contiguous_pages = run;
        EXPECT_GT(gigabytes_per_second(transfer, chip), last);
        last = gigabytes_per_second(transfer, chip);
    }
    EXPECT_NEAR(last, 9.8, 0.5);
    transfer.contiguous_pages = 1;
    EXPECT_NEAR(gigabytes_per_second(transfer, chip), 5.0, 0.6);
}

TEST(HostTransfer, calls_have_a_fixed_cost_and_kernels_an_issue_floor) {
    // 64 B transactions of one core: about 66 cycles each (PCIe_bandwidth.md).
    const mesh::ChipSpec chip = load("p150");
    EXPECT_EQ(call_time(Direction::Write, chip), chip.launch.host_write);
    EXPECT_EQ(call_time(Direction::Read, chip), chip.launch.host_read);
    EXPECT_EQ(kernel_transfer_time(640_B, 64_B, chip),
              core::duration(core::Cycles{66}, chip.clock) * 10);
}

}  // namespace
}  // namespace dispatch::testing

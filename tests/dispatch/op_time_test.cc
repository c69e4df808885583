#include "dispatch/simulator.h"
#include "tests/dispatch/device_fixture.h"

namespace dispatch::testing {
namespace {

tensor::Work products(std::int64_t count, std::vector<core::Bytes> reads = {},
                      std::vector<core::Bytes> writes = {}) {
    tensor::Work work;
    work.tile_products = count;
    work.reads = std::move(reads);
    work.writes = std::move(writes);
    return work;
}

tensor::Work eltwise(std::int64_t tiles, std::int64_t with_products = 0) {
    tensor::Work work = products(with_products);
    work.eltwise_tiles = tiles;
    return work;
}

TEST(OpTime, tile_products_are_shared_by_the_cores_in_whole_tiles) {
    // 65 products on 64 cores are two rounds, as long as 128: half-used rounds cost like full ones.
    KernelPlan plan;
    plan.cores = 64;
    plan.fidelity = mesh::Fidelity::HiFi2;
    const OpTime some = op_time(plan, products(65), small_chip());
    const OpTime full = op_time(plan, products(128), small_chip());
    EXPECT_EQ(some.compute, 64_ns);  // 2 x 32 cycles at 1 GHz
    EXPECT_EQ(some.compute, full.compute);
}

TEST(OpTime, fidelity_sets_the_cycles_of_a_product) {
    // HiFi4 runs four phases where LoFi runs one.
    KernelPlan plan;
    plan.fidelity = mesh::Fidelity::LoFi;
    const auto low = op_time(plan, products(100), small_chip()).compute;
    plan.fidelity = mesh::Fidelity::HiFi4;
    EXPECT_EQ(low, 1'600_ns);
    EXPECT_EQ(op_time(plan, products(100), small_chip()).compute, 4 * low);
}

TEST(OpTime, eltwise_tiles_add_to_the_products_of_their_cores) {
    // A core multiplies and then post-processes; it does not do both at once.
    KernelPlan plan;
    plan.cores = 4;
    const OpTime time = op_time(plan, eltwise(5, 4), small_chip());
    EXPECT_EQ(time.compute, 32_ns + 2'000_ns);
}

TEST(OpTime, dram_bytes_move_at_the_rate_of_their_layout) {
    // DRAM-sharded weights are the reason decode matmuls reach 240 GB/s instead of 190.
    KernelPlan plan;
    plan.inputs = {{.layout = MemoryLayout::DramWidthSharded}, {}};
    plan.outputs = {{}};
    const tensor::Work work = products(0, {240'000_B, 190'000_B}, {190'000_B});
    EXPECT_EQ(op_time(plan, work, small_chip()).dram, 3_us);
    plan.inputs[0].layout = MemoryLayout::Interleaved;
    EXPECT_EQ(op_time(plan, work, small_chip()).dram, core::Bytes{620'000} / 190_GBps);
}

TEST(OpTime, operands_in_l1_cost_no_dram_and_are_shared_by_the_cores) {
    // Decode activations stay in L1: only the weight's bytes load DRAM.
    KernelPlan plan;
    plan.cores = 32;
    plan.inputs = {{.type = mesh::BufferType::L1, .layout = MemoryLayout::WidthSharded}};
    plan.outputs = plan.inputs;
    const OpTime time = op_time(plan, products(0, {3'200'000_B}, {3'200'000_B}), small_chip());
    EXPECT_EQ(time.dram, 0_ns);
    EXPECT_EQ(time.l1, 2_us);  // 200,000 B per core at 100 GB/s
    EXPECT_EQ(time.bound(), "l1");
}

TEST(OpTime, the_longest_part_is_the_total_and_names_the_bound) {
    // A roofline: parts overlap.
    const OpTime time{.compute = 3_us, .dram = 5_us, .l1 = 1_us, .launch = 400_ns};
    EXPECT_EQ(time.total(), 5_us);
    EXPECT_EQ(time.bound(), "dram");
    EXPECT_EQ((OpTime{.compute = 3_us}).bound(), "compute");
}

TEST(OpTime, an_empty_program_costs_the_launch_floor_with_its_gap) {
    // Traced empty programs follow each other at the floor (1.2 us here), long ones at kernel +
    // gap.
    const mesh::ChipSpec chip = small_chip();
    const OpTime empty = op_time({}, {}, chip);
    EXPECT_EQ(empty.bound(), "launch");
    EXPECT_EQ(empty.total() + chip.launch.traced_gap, chip.launch.launch_floor);
    const OpTime longer = op_time({}, eltwise(10), chip);
    EXPECT_EQ(longer.total() + chip.launch.traced_gap, 10'800_ns);
}

TEST(OpTime, more_bandwidth_is_never_slower) {
    // A law every model keeps.
    KernelPlan plan;
    plan.cores = 8;
    const tensor::Work work = products(77, {12'345'678_B}, {1'234_B});
    mesh::ChipSpec chip = small_chip();
    core::Picoseconds before = op_time(plan, work, chip).total();
    for (int step = 0; step < 6; ++step) {
        chip.dram.interleaved = chip.dram.interleaved * 2;
        const core::Picoseconds now = op_time(plan, work, chip).total();
        EXPECT_LE(now, before);
        before = now;
    }
    EXPECT_EQ(before, op_time(plan, work, chip).total());
}

}  // namespace
}  // namespace dispatch::testing

#include "dispatch/memory_plan.h"

#include <algorithm>

#include "tests/dispatch/step_fixture.h"

namespace dispatch::testing {
namespace {

using mesh::BufferType;
using Programs = std::vector<std::shared_ptr<const Program>>;

/// Per-bank bytes of the placed buffers of one owner.
core::Bytes placed_of(const MemoryPlan& plan, Owner owner) {
    core::Bytes sum;
    for (const Placed& placed : plan.placed) {
        if (placed.owner == owner) sum += placed.per_bank;
    }
    return sum;
}

std::vector<std::int64_t> addresses(const MemoryPlan& plan, const std::string& name) {
    std::vector<std::int64_t> found;
    for (const Placed& placed : plan.placed) {
        if (placed.name == name) found.push_back(placed.address);
    }
    return found;
}

TEST(PlanMemory, gives_every_buffer_its_address_in_order) {
    // First fit from the bottom of the bank at 32 B: x, w0, w1, y, then the temporaries; "carried"
    // of the next layer takes the place that the last one left.
    const MemoryPlan plan = plan_memory(Programs{step_program(2)}, row_of(1), {});
    ASSERT_TRUE(plan.fits());
    EXPECT_EQ(addresses(plan, "x"), std::vector<std::int64_t>{32});
    EXPECT_EQ(addresses(plan, "w"), (std::vector<std::int64_t>{32 + 2048, 32 + 2 * 2048}));
    EXPECT_EQ(addresses(plan, "y"), std::vector<std::int64_t>{32 + 3 * 2048});
    EXPECT_EQ(addresses(plan, "carried"),
              (std::vector<std::int64_t>{32 + 4 * 2048, 32 + 4 * 2048, 32 + 4 * 2048}));
    EXPECT_EQ(addresses(plan, "t"), (std::vector<std::int64_t>(2, 32 + 5 * 2048)));
}

TEST(PlanMemory, tells_what_stays_from_what_comes_and_goes) {
    // Four persistent tensors stay; at the peak two temporaries live beside them.
    const MemoryPlan plan = plan_memory(Programs{step_program(2)}, row_of(1), {});
    const core::Bytes one = 2048_B * 12;
    const core::Bytes binaries = placed_of(plan, Owner::Binaries) * 12;
    EXPECT_EQ(plan.dram.banks, 12);
    EXPECT_EQ(plan.dram.live.at(Owner::Weights), one * 2);
    EXPECT_EQ(plan.dram.live.at(Owner::Inputs), one);
    EXPECT_EQ(plan.dram.live.at(Owner::Activations), one);  // y
    EXPECT_EQ(plan.dram.live.at(Owner::Binaries), binaries);
    EXPECT_EQ(plan.dram.activation_peak, one * 2);
    EXPECT_EQ(plan.dram.peak, one * 6 + binaries);
    EXPECT_EQ(plan.dram.capacity, core::Bytes{((1 << 20) - 32) * 12});
    EXPECT_EQ(plan.dram.free, plan.dram.capacity - plan.dram.peak);
    EXPECT_EQ(plan.dram.largest_free_block.value, (1 << 20) - 32 - 4 * 2048 - binaries.value / 12);
}

TEST(PlanMemory, is_the_same_for_every_mesh_size) {
    // Allocators work in lockstep: one plan holds for all chips.
    const MemoryPlan one = plan_memory(Programs{step_program(2)}, row_of(1), {});
    const MemoryPlan eight = plan_memory(Programs{step_program(2)}, row_of(8), {});
    EXPECT_EQ(one.placed, eight.placed);
    EXPECT_EQ(one.dram.peak, eight.dram.peak);
}

TEST(PlanMemory, programs_together_share_weights_and_take_the_larger_peak) {
    // The second program adds its own input and holds three temporaries at once.
    auto second = step_program(2);
    second->buffers[kX].name = "second x";
    second->segments[1].commands[0].releases.clear();
    second->segments[1].commands[1].releases.push_back({kCarried, Instance::CarryIn});
    const MemoryPlan plan = plan_memory(Programs{step_program(2), second}, row_of(1), {});
    const core::Bytes one = 2048_B * 12;
    EXPECT_EQ(plan.dram.live.at(Owner::Weights), one * 2);
    EXPECT_EQ(plan.dram.live.at(Owner::Inputs), one * 2);
    EXPECT_EQ(plan.dram.activation_peak, one * 3);
}

TEST(PlanMemory, a_trace_region_is_taken_from_every_bank) {
    // tenstorrent/tt-metal #30619: a bank of 2^30 shows 2^30 - trace_region_size - 32.
    DeviceOptions options;
    options.trace_region_size = 100'000_B;
    const MemoryPlan plan = plan_memory(Programs{step_program(1)}, row_of(1), options);
    EXPECT_EQ(plan.dram.trace_region, 100'000_B * 12);
    EXPECT_EQ(plan.dram.capacity, core::Bytes{((1 << 20) - 100'000 - 32) * 12});
}

TEST(PlanMemory, the_first_buffer_that_does_not_fit_is_the_answer) {
    // 86 weights of 12 KiB per bank are 1,056,768 B: number 85 does not fit into 1,048,544 B.
    const MemoryPlan plan = plan_memory(Programs{step_program(86, 72)}, row_of(1), {});
    EXPECT_FALSE(plan.fits());
    EXPECT_EQ(plan.failed_buffer, "w");
    ASSERT_TRUE(plan.failure.has_value());
    EXPECT_EQ(plan.failure->text,
              "Out of Memory: Not enough space to allocate 147456 B DRAM buffer across 12 banks, "
              "where each bank needs to store 12288 B, but bank size is 1048544 B (allocated: "
              "1044480 B, free: 4064 B, largest free block: 4064 B)");
    EXPECT_EQ(plan.dram.live.at(Owner::Weights), 12'288_B * 84 * 12);
    EXPECT_FALSE(plan.clash.has_value());
}

TEST(PlanMemory, reports_l1_use_per_core_and_clashes) {
    // One tensor of 12 tiles is one tile on 12 of 64 cores; circular buffers end below it or not.
    auto program = step_program(2);
    program->buffers[kT].memory = {BufferType::L1, MemoryLayout::Interleaved, 0};
    auto& plan_of_twice = std::get<OpCommand>(program->segments[1].commands[1].body).plan;
    plan_of_twice.circular_buffers = {{"in0", 1'328'896_B}};
    const MemoryPlan plan = plan_memory(Programs{program}, row_of(1), {});
    EXPECT_TRUE(plan.fits());
    EXPECT_EQ(plan.l1.capacity, core::Bytes{1'499'136 - 168'192});
    EXPECT_EQ(plan.l1.buffers_peak, 2048_B);
    EXPECT_EQ(plan.l1.circular_buffers_peak, 1'328'896_B);
    EXPECT_EQ(plan.l1.widest_program, "twice");

    plan_of_twice.circular_buffers[0].size += 1_B;
    const MemoryPlan clash = plan_memory(Programs{program}, row_of(1), {});
    EXPECT_FALSE(clash.fits());
    EXPECT_EQ(clash.failed_buffer, "twice");
    ASSERT_TRUE(clash.clash.has_value());
    EXPECT_EQ(*clash.clash,
              "Statically allocated circular buffers in program 0 clash with L1 buffers on core "
              "range [(x=0,y=0) - (x=7,y=7)]. L1 buffer allocated at 1497088 and static circular "
              "buffer region ends at 1497089");
}

}  // namespace
}  // namespace dispatch::testing

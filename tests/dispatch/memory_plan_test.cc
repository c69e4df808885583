#include "dispatch/memory_plan.h"

#include <algorithm>
#include <set>
#include <vector>

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
    ASSERT_EQ(plan.l1.widest_circular_buffers.size(), 1u);
    EXPECT_EQ(plan.l1.widest_circular_buffers[0].size, 1'328'896_B);
    EXPECT_EQ(plan.l1.headroom, 0_B);
    EXPECT_EQ(plan.l1.tightest_program, "twice");

    plan_of_twice.circular_buffers[0].size += 1_B;
    const MemoryPlan clash = plan_memory(Programs{program}, row_of(1), {});
    EXPECT_FALSE(clash.fits());
    EXPECT_EQ(clash.failed_buffer, "twice");
    EXPECT_EQ(clash.l1.headroom.value, -1);
    EXPECT_EQ(clash.l1.held.at(Owner::Activations), 2048_B);
    ASSERT_TRUE(clash.clash.has_value());
    EXPECT_EQ(*clash.clash,
              "Statically allocated circular buffers in program 0 clash with L1 buffers on core "
              "range [(x=0,y=0) - (x=7,y=7)]. L1 buffer allocated at 1497088 and static circular "
              "buffer region ends at 1497089");
}

/// step_program with wide layers that keep two temporaries alive, and a second input.
std::shared_ptr<Program> wide_program(std::int32_t layers, std::int64_t tiles) {
    auto program = step_program(layers, tiles);
    program->buffers[kX].name = "wide x";
    program->buffers[kW].name = "wide w";
    program->buffers[kY].name = "wide y";
    program->segments[1].commands[0].releases.clear();
    program->segments[1].commands[1].releases.push_back({kCarried, Instance::CarryIn});
    return program;
}

void expect_same(const MemoryPlan& folded, const MemoryPlan& unrolled) {
    EXPECT_EQ(folded.placed, unrolled.placed);
    EXPECT_EQ(folded.programs, unrolled.programs);
    EXPECT_EQ(folded.failed_buffer, unrolled.failed_buffer);
    EXPECT_EQ(folded.failure.has_value(), unrolled.failure.has_value());
    EXPECT_EQ(folded.clash, unrolled.clash);
    EXPECT_EQ(folded.dram.held, unrolled.dram.held);
    EXPECT_EQ(folded.dram.peak, unrolled.dram.peak);
    EXPECT_EQ(folded.dram.live, unrolled.dram.live);
    EXPECT_EQ(folded.dram.at_peak, unrolled.dram.at_peak);
}

TEST(PlanMemory, leaving_out_rounds_that_repeat_changes_nothing) {
    // Odd and even counts, fewer rounds than a period, two programs: the same addresses and peaks.
    for (std::int32_t layers = 1; layers <= 12; ++layers) {
        const Programs programs{step_program(layers), wide_program(layers + 1, 24)};
        expect_same(plan_memory(programs, row_of(1), {}, Detail::Addresses, Rounds::Folded),
                    plan_memory(programs, row_of(1), {}, Detail::Addresses, Rounds::Unrolled));
    }
}

TEST(PlanMemory, a_leak_that_grows_with_the_rounds_is_not_left_out) {
    // What a round leaves behind makes the next one begin differently: all are walked.
    auto program = step_program(9);
    program->buffers[kT].instances = 9;
    auto& layer = program->segments[1].commands;
    layer[0].allocates = {{kT, Instance::Layer}};
    std::get<OpCommand>(layer[0].body).outputs = {{kT, Instance::Layer}};
    std::get<OpCommand>(layer[1].body).inputs = {{kT, Instance::Layer}, {kT, Instance::Layer}};
    layer[1].releases.clear();
    const Programs programs{program};
    const MemoryPlan plan = plan_memory(programs, row_of(1), {}, Detail::Addresses, Rounds::Folded);
    EXPECT_EQ(addresses(plan, "t").size(), 9u);
    const std::vector<std::int64_t> all = addresses(plan, "t");
    EXPECT_EQ(std::set<std::int64_t>(all.begin(), all.end()).size(), 9u);
    expect_same(plan, plan_memory(programs, row_of(1), {}, Detail::Addresses, Rounds::Unrolled));
}

TEST(PlanMemory, says_who_holds_the_space_when_it_fails) {
    // 84 weights of 12 KiB per bank and the input are there when number 85 is asked for.
    const MemoryPlan plan = plan_memory(Programs{step_program(86, 72)}, row_of(1), {});
    ASSERT_FALSE(plan.fits());
    EXPECT_EQ(plan.dram.held.at(Owner::Weights), 12'288_B * 84 * 12);
    EXPECT_EQ(plan.dram.held.at(Owner::Inputs), 12'288_B * 12);
    EXPECT_EQ(plan.dram.at_peak.free, plan.failure->statistics.free);
    EXPECT_EQ(plan.dram.at_peak.largest_block, plan.failure->statistics.largest_free_block);
    EXPECT_TRUE(plan.programs.empty());

    // Temporaries count while they live: "t" fails beside "carried", which is given back after.
    mesh::ChipSpec chip = small_chip();
    chip.dram.bank_bytes = 20'000_B;
    const MemoryPlan running = plan_memory(Programs{step_program(1, 24)}, row_of(1, chip), {});
    EXPECT_EQ(running.failed_buffer, "t");
    EXPECT_EQ(running.dram.held.at(Owner::Activations), 4096_B * 2 * 12);
    EXPECT_EQ(running.dram.live.at(Owner::Activations), 4096_B * 12);
    ASSERT_EQ(running.programs.size(), 1u);
}

TEST(PlanMemory, says_who_holds_the_space_at_the_peak) {
    // Two temporaries beside y; the bank has one free piece above them and one below the binaries.
    const MemoryPlan plan = plan_memory(Programs{step_program(2)}, row_of(1), {});
    const core::Bytes one = 2048_B * 12;
    EXPECT_EQ(plan.dram.held.at(Owner::Activations), one * 3);
    core::Bytes sum;
    for (const auto& [owner, bytes] : plan.dram.held) sum += bytes;
    EXPECT_EQ(sum, plan.dram.peak);
    EXPECT_EQ(plan.dram.at_peak.free * 12, plan.dram.free);
    EXPECT_EQ(plan.dram.at_peak.largest_block, plan.dram.at_peak.free);
    EXPECT_EQ(plan.dram.unreserved_base, 32_B);
    EXPECT_EQ(plan.l1.unreserved_base, 168'192_B);
    EXPECT_EQ(plan.l1.worker_l1_size, core::Bytes{1'499'136 - 168'192});
}

TEST(PlanMemory, tells_programs_apart) {
    // The second holds three temporaries at once where the first holds two.
    auto wide = wide_program(2, 12);
    wide->name = "wide";
    const MemoryPlan plan = plan_memory(Programs{step_program(2), wide}, row_of(1), {});
    const core::Bytes one = 2048_B * 12;
    ASSERT_EQ(plan.programs.size(), 2u);
    EXPECT_EQ(plan.programs[0].name, "step");
    const core::Bytes binaries = plan.dram.live.at(Owner::Binaries);
    EXPECT_EQ(plan.programs[0].dram_activations, one * 2 + binaries);  // loaded by the first run
    EXPECT_EQ(plan.programs[1].dram_activations, one * 3);
    EXPECT_EQ(plan.programs[1].dram_peak, plan.dram.peak);
}

TEST(PlanMemory, lists_what_stays_largest_first) {
    // "w" has two instances of 24 KiB; its entry says so.
    const MemoryPlan plan = plan_memory(Programs{step_program(2)}, row_of(1), {});
    ASSERT_EQ(plan.holdings.size(), 3u);
    EXPECT_EQ(plan.holdings[0].name, "w");
    EXPECT_EQ(plan.holdings[0].instances, 2);
    EXPECT_EQ(plan.holdings[0].per_bank, 2048_B);
    EXPECT_EQ(plan.holdings[0].total, 2048_B * 12 * 2);
    EXPECT_EQ(plan.holdings[0].owner, Owner::Weights);
    EXPECT_EQ(plan.holdings[1].name, "x");
    EXPECT_TRUE(
        plan_memory(Programs{step_program(2)}, row_of(1), {}, Detail::Verdict).holdings.empty());
}

}  // namespace
}  // namespace dispatch::testing

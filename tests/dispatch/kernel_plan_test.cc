#include "dispatch/kernel_plan.h"

#include <gtest/gtest.h>

namespace dispatch {
namespace {

using namespace core::literals;

TEST(MemoryConfig, is_spelled_as_profiler_reports_spell_it) {
    // Op reports are joined with published ones by these words.
    using mesh::BufferType;
    EXPECT_EQ(to_text(MemoryConfig{}), "DRAM_INTERLEAVED");
    EXPECT_EQ(to_text(MemoryConfig{BufferType::Dram, MemoryLayout::DramWidthSharded, 0}),
              "DRAM_WIDTH_SHARDED");
    EXPECT_EQ(to_text(MemoryConfig{BufferType::L1, MemoryLayout::WidthSharded, 32}),
              "L1_WIDTH_SHARDED");
    EXPECT_EQ(to_text(MemoryConfig{BufferType::L1, MemoryLayout::HeightSharded, 8}),
              "L1_HEIGHT_SHARDED");
    EXPECT_EQ(to_text(MemoryConfig{BufferType::L1, MemoryLayout::BlockSharded, 64}),
              "L1_BLOCK_SHARDED");
}

TEST(KernelPlan, circular_buffers_of_a_core_add_up) {
    // The sum is what the L1 clash check compares with the lowest L1 buffer.
    KernelPlan plan;
    EXPECT_EQ(plan.circular_buffer_bytes(), 0_B);
    plan.circular_buffers = {{"in0", 4096_B}, {"in1", 576_B}, {"out", 2048_B}};
    EXPECT_EQ(plan.circular_buffer_bytes(), 6720_B);
}

}  // namespace
}  // namespace dispatch

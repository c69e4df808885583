#include "dispatch/chip_memory.h"

#include <algorithm>
#include <stdexcept>

#include "tests/dispatch/device_fixture.h"

namespace dispatch::testing {
namespace {

Operand at_address(std::int64_t address, mesh::BufferType type = mesh::BufferType::Dram) {
    return {row_of_tiles(1), {type, MemoryLayout::Interleaved, 0}, address};
}

TEST(ChipMemory, buffers_overlap_exactly_when_they_overlap_on_the_device) {
    // An address is per bank: one unit further is 12 (DRAM) or 64 (L1) times as far here.
    const ChipMemory memory(device_memory(small_chip(), {}), -1);
    EXPECT_EQ(memory.at(at_address(96)) - memory.at(at_address(32)), 64 * 12);
    const auto l1 = mesh::BufferType::L1;
    EXPECT_EQ(memory.at(at_address(200'064, l1)) - memory.at(at_address(200'000, l1)), 64 * 64);
}

TEST(ChipMemory, dram_and_l1_are_apart_and_untouched_memory_is_zero) {
    // The same address of two memory types must never be the same byte.
    const ChipMemory memory(device_memory(small_chip(), {}), -1);
    std::byte* dram = memory.at(at_address(200'000));
    std::byte* l1 = memory.at(at_address(200'000, mesh::BufferType::L1));
    std::fill_n(dram, 2048, std::byte{0xFF});
    EXPECT_TRUE(std::all_of(l1, l1 + 2048, [](std::byte b) { return b == std::byte{0}; }));
}

TEST(ChipMemory, a_tensor_outside_the_memory_breaks_a_rule) {
    // A bank of the test chip ends at 1 MiB; the last tile that fits begins 2048 / 12 bytes before.
    const ChipMemory memory(device_memory(small_chip(), {}), -1);
    EXPECT_NO_THROW(memory.at(at_address((1 << 20) - 171)));
    EXPECT_THROW(memory.at(at_address((1 << 20) - 170)), std::logic_error);
    EXPECT_THROW(memory.at(at_address(-32)), std::logic_error);
}

TEST(ChipMemory, moving_it_keeps_addresses_and_bytes) {
    // Chips are kept in a vector that grows.
    ChipMemory first(device_memory(small_chip(), {}), -1);
    std::byte* byte = first.at(at_address(32));
    *byte = std::byte{42};
    const ChipMemory second(std::move(first));
    EXPECT_EQ(second.at(at_address(32)), byte);
    EXPECT_EQ(*second.at(at_address(32)), std::byte{42});
    EXPECT_GE(numa_nodes(), 1);
}

}  // namespace
}  // namespace dispatch::testing

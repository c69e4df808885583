#include "dispatch/chip_memory.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <vector>

#include "dispatch/executor.h"
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

/// A nameless file of `size` bytes that count up from `first`.
std::unique_ptr<std::FILE, int (*)(std::FILE*)> counting_file(std::int64_t size, int first) {
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), std::fclose);
    for (std::int64_t i = 0; i < size; ++i) {
        std::fputc(static_cast<int>((first + i) % 251), file.get());
    }
    std::fflush(file.get());
    return file;
}

TEST(ChipMemory, takes_a_tensor_from_a_file_whether_pages_line_up_or_not) {
    // Eight tiles of 2048 bytes: whole pages in the middle, parts of pages at both ends.
    const Operand operand{row_of_tiles(8), {mesh::BufferType::Dram}, 96};
    const std::int64_t bytes = operand.spec.bytes().value;
    for (const std::int64_t offset : {std::int64_t{96 * 12}, std::int64_t{1}, std::int64_t{0}}) {
        const ChipMemory memory(device_memory(small_chip(), {}), -1);
        std::byte* const data = memory.at(operand);
        data[-1] = data[bytes] = std::byte{99};
        {
            const auto file = counting_file(offset + bytes, 0);
            ASSERT_TRUE(memory.take(operand, {::fileno(file.get()), offset}));
        }
        for (std::int64_t i = 0; i < bytes; ++i) {
            ASSERT_EQ(static_cast<int>(data[i]), (offset + i) % 251) << offset << " + " << i;
        }
        EXPECT_EQ(data[-1], std::byte{99});
        EXPECT_EQ(data[bytes], std::byte{99});
    }
}

TEST(ChipMemory, a_file_that_ends_early_is_refused) {
    const Operand operand{row_of_tiles(8), {mesh::BufferType::Dram}, 96};
    const ChipMemory memory(device_memory(small_chip(), {}), -1);
    const auto file = counting_file(operand.spec.bytes().value - 1, 0);
    EXPECT_FALSE(memory.take(operand, {::fileno(file.get()), 0}));
}

TEST(Executor, chips_share_bytes_until_one_writes) {
    // Of few bytes (one tile) and of many; what a chip writes is its own.
    for (const std::int64_t tiles : {1, 100}) {
        const fabric::Mesh mesh = row_of(3);
        const Executor executor(mesh, device_memory(mesh.system.chip, {}));
        const Operand operand{row_of_tiles(tiles), {mesh::BufferType::Dram}, 96};
        const std::int64_t bytes = operand.spec.bytes().value;
        std::byte* const source = executor.data(operand, 2);
        for (std::int64_t i = 0; i < bytes; ++i) source[i] = static_cast<std::byte>(i % 251);
        const std::vector<std::int32_t> chips{2, 0};
        executor.share(operand, chips);
        const std::vector<std::byte> expected(source, source + bytes);
        EXPECT_TRUE(std::equal(expected.begin(), expected.end(), executor.data(operand, 0)));
        EXPECT_EQ(executor.data(operand, 1)[1], std::byte{0});
        executor.data(operand, 0)[bytes / 2] ^= std::byte{1};
        EXPECT_TRUE(std::equal(expected.begin(), expected.end(), executor.data(operand, 2)));
    }
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

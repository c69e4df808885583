#include "dispatch/mesh_device.h"

#include <filesystem>

#include "tests/dispatch/device_fixture.h"

namespace dispatch::testing {
namespace {

mesh::ChipSpec real_chip(const char* name) {
    const std::filesystem::path root = TESSERA_SOURCE_DIR;
    return mesh::load_chip(root / "topologies" / "chips" / (std::string(name) + ".yaml"));
}

TEST(DeviceMemory, dispatch_decides_how_many_cores_compute) {
    // Worker dispatch takes a row of an n300; ethernet dispatch gives it back.
    const mesh::ChipSpec n150 = real_chip("n150");
    const mesh::ChipSpec n300 = real_chip("n300");
    EXPECT_EQ(device_memory(n150, {}).worker_grid.cores(), 64);
    EXPECT_EQ(device_memory(n300, {}).worker_grid, (mesh::Grid{8, 7}));
    EXPECT_EQ(device_memory(n300, {}).l1.banks, 56);
    const DeviceOptions ethernet{.dispatch_core = mesh::DispatchCore::Ethernet};
    EXPECT_EQ(device_memory(n300, ethernet).worker_grid.cores(), 64);
}

TEST(DeviceMemory, an_old_trace_region_is_taken_from_every_bank) {
    // 100 MB asked for cost 1.2 GB of a Wormhole chip until mid-2026.
    const mesh::ChipSpec n150 = real_chip("n150");
    const core::Bytes whole = device_memory(n150, {}).dram.size;
    const DeviceMemory old = device_memory(n150, {.trace_region_size = 100'000'000_B});
    EXPECT_EQ((whole - old.dram.size) * 12, 1'200'000'000_B);
    EXPECT_EQ(old.trace.size, 100'000'000_B);
    EXPECT_EQ(old.trace.base, old.dram.base + old.dram.size.value);
    const DeviceMemory now =
        device_memory(n150, {.trace_region_size = 100'000'000_B, .trace_era = mesh::TraceEra::C});
    EXPECT_EQ((whole - now.dram.size) * 12, 100'073'472_B);
}

TEST(DeviceMemory, worker_l1_size_and_l1_small_size_move_the_l1_borders) {
    // Galaxy models trade L1 for a larger kernel ring (worker_l1_size 1344544).
    const DeviceMemory memory =
        device_memory(small_chip(), {.l1_small_size = 32768_B, .worker_l1_size = 1344544_B});
    EXPECT_EQ(memory.l1.base, 1499136 - 1344544);
    EXPECT_EQ(memory.l1.size, 1344544_B - 32768_B);
    EXPECT_EQ(memory.l1_small.size, 32768_B);
    EXPECT_EQ(memory.l1_small.base, 1499136 - 32768);
    EXPECT_EQ(device_memory(small_chip(), {}).l1.base, 168192);
}

TEST(MeshDevice, one_tile_reserves_its_page_in_every_bank) {
    // Small tensors are expensive: 2 KiB become 24 KiB of a 12-bank chip.
    MeshDevice device(0, row_of(1), {});
    const DeviceBuffer buffer = allocate(device, "x");
    EXPECT_EQ(buffer.per_bank, 2048_B);
    EXPECT_EQ(device.allocator(mesh::BufferType::Dram).statistics().allocated * 12, 24'576_B);
}

TEST(MeshDevice, a_tensor_has_one_address_on_all_chips_and_a_sub_range_frees_nothing) {
    // Programs on part of a mesh leave the other chips' bytes, and their memory, alone.
    MeshDevice device(0, row_of(8), {});
    Bytes bytes(8);
    device.attach(bytes);
    const DeviceBuffer a = allocate(device, "a");
    const DeviceBuffer y = allocate(device, "y");
    device.enqueue_write(a.operand, filled(a.operand.spec, 3, 8), {});
    device.enqueue_write(y.operand, filled(y.operand.spec, 1, 8), {});
    const auto program = add_program(1);
    only_command(*program).chips = {0, 1, 2, 3};
    device.enqueue(placed(program, a, a, y), plain_bindings(device), {});
    const HostData data = device.enqueue_read(y.operand, {});
    ASSERT_EQ(data.size(), 8u);
    for (std::size_t chip = 0; chip < 8; ++chip) {
        EXPECT_EQ(first_value(data, chip), chip < 4 ? 6 : 1) << chip;
    }
    EXPECT_TRUE(device.allocator(mesh::BufferType::Dram).blocks().contains(y.operand.address));
    EXPECT_EQ(y.operand.address, a.operand.address + 2048);
}

TEST(MeshDevice, out_of_memory_is_decided_once_for_all_chips) {
    // Adding chips does not help a replicated tensor: 6200 tiles need 517 pages of each bank.
    const std::string expected =
        "Out of Memory: Not enough space to allocate 12697600 B DRAM buffer across 12 banks, where "
        "each bank needs to store 1058816 B, but bank size is 1048544 B (allocated: 0 B, free: "
        "1048544 B, largest free block: 1048544 B)";
    for (const std::int32_t chips : {1, 2, 8}) {
        MeshDevice device(0, row_of(chips), {});
        const auto result =
            device.allocate("x", Owner::Activations, row_of_tiles(6200), MemoryConfig{});
        ASSERT_TRUE(std::holds_alternative<mesh::Failure>(result));
        EXPECT_EQ(std::get<mesh::Failure>(result).text, expected);
        EXPECT_TRUE(device.live_buffers().empty());
    }
}

TEST(MeshDevice, older_releases_print_the_older_out_of_memory_text) {
    // Logs of 2025 end after "is only ... B".
    MeshDevice device(0, row_of(1), {.release = Release::R2025});
    const auto result = device.allocate("x", Owner::Activations, row_of_tiles(6200), {});
    EXPECT_TRUE(std::get<mesh::Failure>(result).text.ends_with("but bank size is only 1048544 B"));
}

TEST(MeshDevice, buffers_come_and_go_with_their_allocator_blocks) {
    // First fit: what is freed is used again; a second free of the same buffer does nothing.
    MeshDevice device(0, row_of(1), {});
    const DeviceBuffer a = allocate(device, "a", 24);
    const DeviceBuffer b = allocate(device, "b", 12);
    device.free(a);
    device.free(a);
    const DeviceBuffer c = allocate(device, "c", 12);
    EXPECT_EQ(c.operand.address, a.operand.address);
    ASSERT_EQ(device.live_buffers().size(), 2u);
    EXPECT_EQ(device.live_buffers().at(0).name, "b");
    EXPECT_EQ(device.live_buffers().at(1).name, "c");
    EXPECT_EQ(device.allocator(mesh::BufferType::Dram).statistics().allocated, 4096_B);
}

TEST(MeshDevice, more_shards_than_cores_is_the_real_text) {
    // 65 shards on an 8x8 grid: a wrong memory config, not a lack of memory.
    MeshDevice device(0, row_of(1), {});
    const MemoryConfig memory{mesh::BufferType::L1, MemoryLayout::WidthSharded, 65};
    EXPECT_EQ(error_of([&] { allocate(device, "x", 65, memory); }),
              "Expected number of shards 65 to be less than or equal to total number of L1 banks "
              "64 in compute cores");
}

TEST(MeshDevice, a_step_brings_bindings_for_every_chip) {
    // Two entries for eight chips would silently run the wrong positions.
    MeshDevice device(0, row_of(8), {});
    EXPECT_EQ(error_of([&] { device.enqueue(loose(add_program(1)), ChipBindings(2), {}); }),
              "add 1: bindings: expected 8, one per chip, got 2");
}

}  // namespace
}  // namespace dispatch::testing

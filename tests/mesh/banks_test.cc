// The memories of real chips as allocators: the bank sizes that real messages print.
// Sources of the numbers stand in topologies/chips/*.yaml; here the layout is checked.
#include "mesh/banks.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/error.h"
#include "mesh/trace_region.h"

namespace {

using core::Bytes;
using mesh::BankAllocator;
using mesh::MessageEra;

mesh::ChipSpec chip(const std::string& name) {
    return mesh::load_chip(std::filesystem::path(TESSERA_SOURCE_DIR) / "topologies" / "chips" /
                           (name + ".yaml"));
}

TEST(Banks, dram_banks_have_the_sizes_real_messages_print) {
    // 2^30 - 32 on Wormhole; 34,178,731,008 B a chip on Blackhole.
    const auto wormhole = mesh::dram_banks(chip("n150"), Bytes{0}, MessageEra::Y2026);
    EXPECT_EQ(wormhole.size.value, 1'073'741'792);
    EXPECT_EQ(wormhole.base, 32);
    EXPECT_EQ(wormhole.banks, 12);
    const auto blackhole = mesh::dram_banks(chip("p150"), Bytes{0}, MessageEra::Y2026);
    EXPECT_EQ(blackhole.size.value, 4'272'341'376);
    EXPECT_EQ((blackhole.size * blackhole.banks).value, 34'178'731'008);
    EXPECT_EQ(mesh::dram_banks(chip("p100"), Bytes{0}, MessageEra::Y2026).banks, 7);
}

TEST(Banks, the_trace_region_lies_above_dram_and_is_taken_from_it) {
    // Published: 27,560,000 B of trace region leave 1,046,181,792 B of a bank, 1,920,000 B
    // leave 1,071,821,792 B.
    const mesh::ChipSpec n300 = chip("n300");
    for (const auto& [size, left] :
         {std::pair{27'560'000, 1'046'181'792}, std::pair{1'920'000, 1'071'821'792}}) {
        const Bytes region = mesh::trace_region_per_bank(mesh::TraceEra::A, Bytes{size},
                                                         n300.dram.banks, n300.dram.alignment);
        const auto dram = mesh::dram_banks(n300, region, MessageEra::Y2026);
        const auto trace = mesh::trace_banks(n300, region, MessageEra::Y2026);
        EXPECT_EQ(dram.size.value, left);
        EXPECT_EQ(trace.size.value, size);
        EXPECT_EQ(trace.base, dram.base + dram.size.value);
        EXPECT_EQ(trace.base + trace.size.value, 1'073'741'824);
        EXPECT_EQ(trace.type, mesh::BufferType::Trace);
    }
}

TEST(Banks, a_published_trace_fills_a_region_of_its_own_size_to_the_page) {
    // Era C: region, page choice and allocation agree; 663,552 B on each bank.
    const mesh::ChipSpec galaxy = chip("wormhole_galaxy");
    const Bytes size{7'929'856};
    const Bytes region = mesh::trace_region_per_bank(mesh::TraceEra::C, size, galaxy.dram.banks,
                                                     galaxy.dram.alignment);
    BankAllocator trace(mesh::trace_banks(galaxy, region, MessageEra::Y2026));
    const mesh::TraceLayout layout = mesh::trace_layout(size, galaxy.dram.banks);
    const auto got = trace.allocate(layout.padded, layout.pages, layout.page);
    EXPECT_EQ(std::get<mesh::Allocation>(got).per_bank.value, 663'552);
    EXPECT_EQ(trace.statistics().free.value, 0);
}

TEST(Banks, l1_has_one_bank_per_core_and_the_published_size) {
    // 1,330,944 B is what a real 64-core Wormhole printed.
    const mesh::ChipSpec n150 = chip("n150");
    const auto l1 = mesh::l1_banks(n150, n150.worker_grid, {}, MessageEra::Y2026);
    EXPECT_EQ(l1.banks, 64);
    EXPECT_EQ(l1.size.value, 1'330'944);
    EXPECT_EQ(l1.base, 168'192);
    EXPECT_EQ(l1.page_alignment.value, 16);
    EXPECT_EQ(l1.block_alignment.value, 32);
}

TEST(Banks, the_first_l1_buffer_ends_below_l1_small) {
    // L1_SMALL is the top of L1; buffers come down from there.
    const mesh::ChipSpec n300 = chip("n300");
    const mesh::L1Layout layout{.small = Bytes{24'576}, .worker = {}};
    BankAllocator l1(mesh::l1_banks(n300, n300.worker_grid, layout, MessageEra::Y2026));
    const auto first = std::get<mesh::Allocation>(l1.allocate(Bytes{2048}, 1, Bytes{2048}));
    EXPECT_EQ(first.address + first.per_bank.value, 1'499'136 - 24'576);

    const auto small = mesh::l1_small_banks(n300, n300.worker_grid, layout, MessageEra::Y2026);
    EXPECT_EQ(small.base, 1'499'136 - 24'576);
    EXPECT_EQ(small.size.value, 24'576);
}

TEST(Banks, without_l1_small_the_message_says_so) {
    // Convolutions need L1_SMALL; its default size is 0.
    const mesh::ChipSpec n150 = chip("n150");
    BankAllocator small(mesh::l1_small_banks(n150, n150.worker_grid, {}, MessageEra::Y2026));
    const auto failure = std::get<mesh::Failure>(small.allocate(Bytes{64}, 1, Bytes{64}));
    EXPECT_NE(failure.text.find("L1_SMALL buffer across 64 banks"), std::string::npos);
    EXPECT_NE(failure.text.find("bank size is 0 B"), std::string::npos);
}

TEST(Banks, worker_l1_size_moves_the_unreserved_base) {
    // Galaxy demos set 1,344,544 to get a larger kernel ring: base 154,592.
    const mesh::ChipSpec galaxy = chip("wormhole_galaxy");
    const mesh::L1Layout layout{.small = {}, .worker = Bytes{1'344'544}};
    EXPECT_EQ(mesh::l1_unreserved_base(galaxy, layout).value, 154'592);
    const auto l1 = mesh::l1_banks(galaxy, galaxy.worker_grid_column, layout, MessageEra::Y2026);
    EXPECT_EQ(l1.banks, 70);
    EXPECT_EQ(l1.base, 154'592);
    EXPECT_EQ(l1.size.value, 1'344'544);
}

TEST(Banks, regions_larger_than_the_memory_are_bad_input) {
    // They come from flags; the message must name the flag and the room there is.
    const mesh::ChipSpec n150 = chip("n150");
    EXPECT_THROW(mesh::dram_banks(n150, Bytes{1'073'741'824}, MessageEra::Y2026), core::Error);
    EXPECT_THROW(mesh::dram_banks(n150, Bytes{-32}, MessageEra::Y2026), core::Error);
    try {
        mesh::l1_banks(n150, n150.worker_grid, {.small = Bytes{1'330'945}, .worker = {}},
                       MessageEra::Y2026);
        FAIL() << "an L1_SMALL larger than L1 was accepted";
    } catch (const core::Error& error) {
        EXPECT_STREQ(error.what(),
                     "chip \"n150\": l1_small_size: expected 0 to 1330944 bytes, got 1330945");
    }
    EXPECT_THROW(mesh::l1_unreserved_base(n150, {.small = {}, .worker = Bytes{1'499'137}}),
                 core::Error);
}

TEST(Banks, a_grid_without_an_address_generator_is_bad_input) {
    // 5x10 = 50 cores cannot be interleaved over.
    const mesh::ChipSpec n150 = chip("n150");
    EXPECT_THROW(mesh::l1_banks(n150, {5, 10}, {}, MessageEra::Y2026), core::Error);
}

}  // namespace

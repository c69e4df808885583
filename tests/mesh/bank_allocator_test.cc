// The device allocator against published failures, and against a naive model of first fit.
// Field numbers: tenstorrent/tt-xla #4130, tt-forge #855, tt-mlir #8044, tt-metal #35431.
#include "mesh/bank_allocator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <stdexcept>
#include <vector>

#include "core/error.h"

namespace {

using core::Bytes;
using mesh::Allocation;
using mesh::BankAllocator;
using mesh::BankConfig;
using mesh::BufferType;
using mesh::Direction;
using mesh::Failure;
using mesh::MessageEra;

constexpr std::int64_t kWormholeBank = 1'073'741'792;

BankConfig wormhole_dram() {
    return {.type = BufferType::Dram,
            .banks = 12,
            .base = 32,
            .size = Bytes{kWormholeBank},
            .page_alignment = Bytes{32},
            .block_alignment = Bytes{32},
            .direction = Direction::BottomUp,
            .era = MessageEra::Y2026};
}

BankConfig wormhole_l1() {
    return {.type = BufferType::L1,
            .banks = 64,
            .base = 168'192,
            .size = Bytes{1'330'944},
            .page_alignment = Bytes{16},
            .block_alignment = Bytes{32},
            .direction = Direction::TopDown,
            .era = MessageEra::Y2026};
}

/// A bank that is easy to count in: 64 units of 32 B from address 0.
BankConfig small_bank(Direction direction, std::int64_t units = 64) {
    return {.type = BufferType::Dram,
            .banks = 1,
            .base = 0,
            .size = Bytes{units * 32},
            .page_alignment = Bytes{32},
            .block_alignment = Bytes{32},
            .direction = direction,
            .era = MessageEra::Y2026};
}

/// Allocates `per_bank` bytes of every bank as one page each.
std::int64_t take(BankAllocator& allocator, std::int64_t per_bank) {
    const std::int32_t banks = allocator.config().banks;
    return std::get<Allocation>(allocator.allocate(Bytes{per_bank * banks}, banks, Bytes{per_bank}))
        .address;
}

TEST(BytesPerBank, equals_the_numbers_of_five_field_failures) {
    // The real stack printed these; a model that is one page off is of no use.
    const auto tiles = [](std::int64_t size, std::int32_t banks) {
        return mesh::bytes_per_bank(size / 2048, Bytes{2048}, banks, Bytes{32}).value;
    };
    EXPECT_EQ(tiles(58'720'256, 12), 4'894'720);
    EXPECT_EQ(tiles(117'440'512, 12), 9'787'392);
    EXPECT_EQ(tiles(1'050'673'152, 12), 87'556'096);
    EXPECT_EQ(tiles(26'542'080, 48), 552'960);
    EXPECT_EQ(mesh::bytes_per_bank(968, Bytes{8192}, 12, Bytes{32}).value, 663'552);
}

TEST(BytesPerBank, counts_whole_pages_not_an_equal_share) {
    // 28,672 tiles on 12 banks: an equal share would be 4,893,355 B.
    EXPECT_EQ(mesh::bytes_per_bank(28'672, Bytes{2048}, 12, Bytes{32}).value, 4'894'720);
}

TEST(BytesPerBank, rounds_each_page_to_the_alignment) {
    // bfp8 tiles need no padding; a bf16 row of 19 elements takes 64 B on both chips.
    for (const std::int64_t alignment : {32, 64}) {
        EXPECT_EQ(mesh::bytes_per_bank(1, Bytes{1088}, 12, Bytes{alignment}).value, 1088);
        EXPECT_EQ(mesh::bytes_per_bank(1, Bytes{38}, 12, Bytes{alignment}).value, 64);
    }
    EXPECT_EQ(mesh::bytes_per_bank(3, Bytes{38}, 2, Bytes{16}).value, 96);
}

TEST(BankCount, only_counts_with_an_address_generator_are_accepted) {
    // Interleaving needs a modulo for the number of banks; harvested grids depend on this list.
    for (const std::int32_t banks : {1,  2,  8,  64,  512, 7,   12,  20,  48,  56,  63, 70,
                                     72, 80, 94, 108, 110, 117, 120, 124, 126, 130, 140}) {
        EXPECT_NO_THROW(mesh::check_bank_count(banks, BufferType::L1)) << banks;
    }
    for (const std::int32_t banks : {0, -4, 3, 6, 50, 62, 71, 100, 139}) {
        EXPECT_THROW(mesh::check_bank_count(banks, BufferType::L1), core::Error) << banks;
    }
    try {
        mesh::check_bank_count(50, BufferType::L1);
        FAIL() << "50 banks were accepted";
    } catch (const core::Error& error) {
        EXPECT_STREQ(error.what(),
                     "Invalid number of memory banks 50 for L1. Num banks must be power of 2 or "
                     "have a dedicated modulo implementation");
    }
}

TEST(BankAllocator, one_tile_is_charged_to_every_bank) {
    // Lockstep: a 2 KiB tensor costs 24 KiB of a Wormhole chip.
    BankAllocator dram(wormhole_dram());
    const auto tile = std::get<Allocation>(dram.allocate(Bytes{2048}, 1, Bytes{2048}));
    EXPECT_EQ(tile.address, 32);
    EXPECT_EQ(tile.per_bank.value, 2048);
    EXPECT_EQ(dram.statistics().allocated.value * dram.config().banks, 24'576);
}

TEST(BankAllocator, dram_grows_up_and_l1_grows_down) {
    // Circular buffers come from below in L1, so buffers come from above.
    BankAllocator dram(wormhole_dram());
    EXPECT_EQ(take(dram, 4096), 32);
    EXPECT_EQ(take(dram, 64), 32 + 4096);

    BankAllocator l1(wormhole_l1());
    EXPECT_EQ(take(l1, 2048), 1'499'136 - 2048);
    EXPECT_EQ(take(l1, 32), 1'499'136 - 2048 - 32);
    EXPECT_EQ(l1.lowest_allocated(), 1'499'136 - 2048 - 32);
}

TEST(BankAllocator, the_other_end_of_the_bank_can_be_asked_for) {
    // Program binaries and dynamic trace buffers come down from the top of DRAM.
    BankAllocator dram(wormhole_dram());
    const auto binary =
        std::get<Allocation>(dram.allocate_from(Direction::TopDown, Bytes{8192}, 1, Bytes{8192}));
    EXPECT_EQ(binary.address, 32 + kWormholeBank - 8192);
    EXPECT_EQ(take(dram, 64), 32);
    EXPECT_EQ(dram.lowest_allocated(), 32);
}

TEST(BankAllocator, l1_pages_round_to_16_and_blocks_to_the_dram_alignment) {
    // The text prints the bytes of the pages, the statistics count blocks.
    BankAllocator l1(wormhole_l1());
    const auto row = std::get<Allocation>(l1.allocate(Bytes{40}, 1, Bytes{40}));
    EXPECT_EQ(row.per_bank.value, 64);  // 40 -> 48 by page, -> 64 by block
    EXPECT_EQ(l1.statistics().allocated.value, 64);

    const auto failure = std::get<Failure>(l1.allocate(Bytes{1'330'928}, 1, Bytes{1'330'928}));
    EXPECT_EQ(failure.per_bank.value, 1'330'928);  // block: 1,330,944
}

TEST(BankAllocator, no_pages_take_one_unit) {
    // The real free list never hands out less than its smallest block.
    BankAllocator dram(wormhole_dram());
    EXPECT_EQ(std::get<Allocation>(dram.allocate(Bytes{0}, 0, Bytes{2048})).per_bank.value, 32);
}

TEST(BankAllocator, the_freed_hole_is_used_first) {
    // A, B, free A, C <= A: C sits where A was.
    BankAllocator dram(wormhole_dram());
    const std::int64_t a = take(dram, 4096);
    const std::int64_t b = take(dram, 4096);
    dram.free(a);
    EXPECT_EQ(take(dram, 2048), a);
    EXPECT_EQ(take(dram, 4096), b + 4096);  // the rest of the hole is too small
    EXPECT_EQ(take(dram, 2048), a + 2048);
}

TEST(BankAllocator, top_down_takes_the_end_of_the_highest_block_that_fits) {
    // First fit from above: not the best fit, not the lowest.
    BankAllocator bank(small_bank(Direction::TopDown));
    const std::int64_t high = take(bank, 8 * 32);
    const std::int64_t wall = take(bank, 32);
    bank.free(high);
    EXPECT_EQ(take(bank, 3 * 32), high + 5 * 32);
    EXPECT_EQ(take(bank, 6 * 32), wall - 6 * 32);  // 5 units are left above the wall
}

TEST(BankAllocator, neighbours_coalesce_on_both_sides) {
    // Without it memory would fall apart after one layer.
    BankAllocator bank(small_bank(Direction::BottomUp, 3));
    const std::int64_t a = take(bank, 32);
    const std::int64_t b = take(bank, 32);
    const std::int64_t c = take(bank, 32);
    bank.free(a);
    bank.free(c);
    EXPECT_EQ(bank.statistics().largest_free_block.value, 32);
    bank.free(b);
    EXPECT_EQ(bank.statistics().largest_free_block.value, 96);
    EXPECT_EQ(take(bank, 96), 0);
}

TEST(BankAllocator, an_unknown_address_is_ignored) {
    // The real allocator returns silently; freeing twice must not corrupt the list.
    BankAllocator bank(small_bank(Direction::BottomUp));
    const std::int64_t a = take(bank, 64);
    bank.free(a + 32);
    bank.free(99'999);
    EXPECT_EQ(bank.statistics().allocated.value, 64);
    bank.free(a);
    bank.free(a);
    EXPECT_EQ(bank.statistics().free.value, 64 * 32);
    EXPECT_EQ(bank.statistics().largest_free_block.value, 64 * 32);
    EXPECT_FALSE(bank.lowest_allocated().has_value());
}

TEST(BankAllocator, peak_is_the_largest_sum_and_can_be_reset) {
    // The planner reports the peak of a step, not of the process.
    BankAllocator bank(small_bank(Direction::BottomUp));
    const std::int64_t a = take(bank, 320);
    take(bank, 64);
    bank.free(a);
    EXPECT_EQ(bank.peak_allocated().value, 384);
    bank.reset_peak();
    EXPECT_EQ(bank.peak_allocated().value, 64);
    take(bank, 32);
    EXPECT_EQ(bank.peak_allocated().value, 96);
}

TEST(BankAllocator, a_fragmented_bank_fails_with_the_published_text) {
    // 183,397,344 B were free and 4,894,720 B needed; the largest block decides.
    BankConfig config = wormhole_dram();
    config.size = Bytes{1'071'821'792};  // 1,920,000 B of each bank went to the trace region
    BankAllocator dram(config);
    std::vector<std::int64_t> holes;
    for (int i = 0; i < 54; ++i) {
        holes.push_back(take(dram, 3'382'944));
        take(dram, 32);
    }
    holes.push_back(take(dram, 718'368));
    take(dram, 888'424'448 - 54 * 32);
    for (const std::int64_t hole : holes) dram.free(hole);

    const auto failure = std::get<Failure>(dram.allocate(Bytes{58'720'256}, 28'672, Bytes{2048}));
    EXPECT_EQ(failure.text,
              "Out of Memory: Not enough space to allocate 58720256 B DRAM buffer across 12 "
              "banks, where each bank needs to store 4894720 B, but bank size is 1071821792 B "
              "(allocated: 888424448 B, free: 183397344 B, largest free block: 3382944 B)");
    EXPECT_EQ(failure.statistics.allocated + failure.statistics.free, failure.statistics.bank);
    EXPECT_EQ(failure.banks, 12);
    EXPECT_EQ(failure.size.value, 58'720'256);
    EXPECT_EQ(failure.per_bank.value, 4'894'720);
}

TEST(BankAllocator, a_failure_changes_nothing) {
    // The planner goes on asking after a "no" (what would fit?).
    BankAllocator bank(small_bank(Direction::BottomUp, 4));
    take(bank, 64);
    const auto before = bank.blocks();
    EXPECT_TRUE(std::holds_alternative<Failure>(bank.allocate(Bytes{96}, 1, Bytes{96})));
    EXPECT_EQ(bank.blocks(), before);
    EXPECT_EQ(bank.peak_allocated().value, 64);
    EXPECT_EQ(take(bank, 64), 64);
}

TEST(BankAllocator, the_text_follows_the_date_of_the_software) {
    // Tools match these texts; each era has its own.
    const auto text = [](MessageEra era) {
        BankConfig config = wormhole_l1();
        config.banks = 48;
        config.size = Bytes{1'329'888};
        config.era = era;
        BankAllocator l1(config);
        take(l1, 1'000'000);
        return std::get<Failure>(l1.allocate(Bytes{26'542'080}, 12'960, Bytes{2048})).text;
    };
    const std::string common =
        "Out of Memory: Not enough space to allocate 26542080 B L1 buffer across 48 banks, where "
        "each bank needs to store 552960 B";
    EXPECT_EQ(text(MessageEra::Y2024), common);
    EXPECT_EQ(text(MessageEra::Y2025), common + ", but bank size is only 1329888 B");
    EXPECT_EQ(text(MessageEra::Y2026),
              common +
                  ", but bank size is 1329888 B (allocated: 1000000 B, free: 329888 B, largest "
                  "free block: 329888 B)");
}

TEST(BankAllocator, l1_small_without_a_region_says_bank_size_is_0) {
    // The usual symptom of a forgotten l1_small_size.
    BankConfig config = wormhole_l1();
    config.type = BufferType::L1Small;
    config.base = 1'499'136;
    config.size = Bytes{0};
    BankAllocator small(config);
    EXPECT_EQ(std::get<Failure>(small.allocate(Bytes{1024}, 64, Bytes{16})).text,
              "Out of Memory: Not enough space to allocate 1024 B L1_SMALL buffer across 64 banks, "
              "where each bank needs to store 16 B, but bank size is 0 B (allocated: 0 B, free: 0 "
              "B, largest free block: 0 B)");
}

TEST(BankAllocator, a_trace_of_one_page_does_not_fit_a_bank_of_864_bytes) {
    // Era B divided the region but not the page: 10,000 B over 12 banks could not hold a trace.
    BankConfig config = wormhole_dram();
    config.type = BufferType::Trace;
    config.size = Bytes{864};
    BankAllocator era_b(config);
    const auto failure = std::get<Failure>(era_b.allocate(Bytes{9216}, 9, Bytes{1024}));
    EXPECT_NE(failure.text.find("9216 B TRACE buffer across 12 banks, where each bank needs to "
                                "store 1024 B, but bank size is 864 B"),
              std::string::npos);

    config.size = Bytes{8192};
    BankAllocator era_c(config);
    EXPECT_TRUE(std::holds_alternative<Allocation>(era_c.allocate(Bytes{9216}, 9, Bytes{1024})));
}

TEST(BankAllocator, a_trace_of_216_pages_fits_era_c_exactly) {
    // 18 pages of 8192 B per bank: 147,456 B; era B gave 146,112 B.
    BankConfig config = wormhole_dram();
    config.size = Bytes{146'112};
    const Bytes trace{216 * 8192};
    BankAllocator era_b(config);
    EXPECT_TRUE(std::holds_alternative<Failure>(era_b.allocate(trace, 216, Bytes{8192})));
    config.size = Bytes{147'456};
    BankAllocator era_c(config);
    EXPECT_TRUE(std::holds_alternative<Allocation>(era_c.allocate(trace, 216, Bytes{8192})));
    EXPECT_EQ(era_c.statistics().free.value, 0);
}

TEST(BankAllocator, shards_are_dealt_over_their_own_number_of_banks) {
    // A sharded buffer is charged per shard, and the text names the shards as banks.
    BankAllocator l1(wormhole_l1());
    const auto shards = std::get<Allocation>(l1.allocate(Bytes{8 * 4096}, 16, Bytes{2048}, 8));
    EXPECT_EQ(shards.per_bank.value, 4096);
    const auto failure = std::get<Failure>(l1.allocate(Bytes{16'777'216}, 8192, Bytes{2048}, 8));
    EXPECT_NE(failure.text.find("across 8 banks, where each bank needs to store 2097152 B"),
              std::string::npos);
    EXPECT_THROW(l1.allocate(Bytes{2048}, 1, Bytes{2048}, 65), std::logic_error);
}

TEST(BankAllocator, random_use_agrees_with_a_naive_first_fit) {
    // The reference marks single units; both directions, both ends, frees in any order.
    for (const Direction direction : {Direction::BottomUp, Direction::TopDown}) {
        constexpr std::int64_t kUnits = 97;
        BankAllocator bank(small_bank(direction, kUnits));
        std::vector<bool> used(kUnits, false);
        std::map<std::int64_t, std::int64_t> live;  // first unit, units
        std::mt19937 random(7);
        std::int64_t peak = 0;
        std::int64_t sum = 0;
        int failures = 0;

        const auto naive = [&](Direction from, std::int64_t need) -> std::int64_t {
            for (std::int64_t step = 0; step + need <= kUnits; ++step) {
                const std::int64_t at = from == Direction::BottomUp ? step : kUnits - need - step;
                bool clear = true;
                for (std::int64_t u = at; u < at + need; ++u) {
                    clear = clear && !used[static_cast<std::size_t>(u)];
                }
                if (clear) return at;
            }
            return -1;
        };
        const auto mark = [&](std::int64_t at, std::int64_t units, bool value) {
            for (std::int64_t u = at; u < at + units; ++u)
                used[static_cast<std::size_t>(u)] = value;
        };

        for (int step = 0; step < 4000; ++step) {
            if (random() % 2 == 0 || live.empty()) {
                const std::int64_t need = 1 + static_cast<std::int64_t>(random() % 17);
                const Direction from = random() % 4 == 0 ? Direction::TopDown : Direction::BottomUp;
                const Bytes size{need * 32 - static_cast<std::int64_t>(random() % 32)};
                const std::int64_t expected = naive(from, need);
                const auto got = bank.allocate_from(from, size, 1, size);
                ASSERT_EQ(std::holds_alternative<Allocation>(got), expected >= 0);
                if (expected >= 0) {
                    ASSERT_EQ(std::get<Allocation>(got).address, expected * 32);
                    mark(expected, need, true);
                    live.emplace(expected, need);
                    sum += need;
                    peak = std::max(peak, sum);
                } else {
                    ++failures;
                }
            } else {
                const auto victim =
                    std::next(live.begin(), static_cast<std::ptrdiff_t>(random() % live.size()));
                bank.free(victim->first * 32);
                mark(victim->first, victim->second, false);
                sum -= victim->second;
                live.erase(victim);
            }
            std::int64_t longest = 0;
            std::int64_t run = 0;
            for (const bool unit : used) longest = std::max(longest, run = unit ? 0 : run + 1);
            const mesh::BankStatistics now = bank.statistics();
            ASSERT_EQ(now.allocated.value, sum * 32);
            ASSERT_EQ(now.allocated + now.free, now.bank);
            ASSERT_EQ(now.largest_free_block.value, longest * 32);
            ASSERT_EQ(bank.peak_allocated().value, peak * 32);
            ASSERT_EQ(bank.blocks().size(), live.size());
        }
        EXPECT_GT(failures, 20);  // the bank was full often enough to test failing
    }
}

TEST(BankAllocator, freeing_everything_gives_one_block_again) {
    // Coalescing leaves no seam, whatever the order of frees.
    BankAllocator bank(small_bank(Direction::TopDown));
    std::vector<std::int64_t> live;
    for (int i = 1; i <= 9; ++i) live.push_back(take(bank, i * 32));
    std::shuffle(live.begin(), live.end(), std::mt19937(3));
    for (const std::int64_t address : live) bank.free(address);
    EXPECT_EQ(bank.statistics().largest_free_block, bank.config().size);
    EXPECT_TRUE(bank.blocks().empty());
}

TEST(CircularBuffers, a_region_past_the_end_of_l1_is_reported) {
    // Reported before any clash: nothing below can make it fit.
    const mesh::CircularBufferRegion region{
        .program = 4, .core_range = "[(x=0,y=0) - (x=7,y=7)]", .end = 1'741'152};
    EXPECT_EQ(mesh::circular_buffer_failure(region, 974'336, Bytes{1'499'136}),
              "Statically allocated circular buffers on core range [(x=0,y=0) - (x=7,y=7)] grow to "
              "1741152 B which is beyond max L1 size of 1499136 B");
    const mesh::CircularBufferRegion blackhole{
        .program = 0, .core_range = "[(x=0,y=0) - (x=0,y=0)]", .end = 1'574'080};
    EXPECT_EQ(mesh::circular_buffer_failure(blackhole, std::nullopt, Bytes{1'572'864}),
              "Statically allocated circular buffers on core range [(x=0,y=0) - (x=0,y=0)] grow to "
              "1574080 B which is beyond max L1 size of 1572864 B");
}

TEST(CircularBuffers, a_region_that_reaches_into_a_buffer_clashes) {
    // Short by 115,200 B; the comparison is strict, so touching is allowed.
    const mesh::CircularBufferRegion region{
        .program = 17, .core_range = "[(x=0,y=0) - (x=7,y=6)]", .end = 1'089'536};
    EXPECT_EQ(mesh::circular_buffer_failure(region, 974'336, Bytes{1'499'136}),
              "Statically allocated circular buffers in program 17 clash with L1 buffers on core "
              "range [(x=0,y=0) - (x=7,y=6)]. L1 buffer allocated at 974336 and static circular "
              "buffer region ends at 1089536");
    EXPECT_EQ(mesh::circular_buffer_failure(region, 1'089'536, Bytes{1'499'136}), std::nullopt);
    EXPECT_NE(mesh::circular_buffer_failure(region, 1'089'535, Bytes{1'499'136}), std::nullopt);
    EXPECT_EQ(mesh::circular_buffer_failure(region, std::nullopt, Bytes{1'499'136}), std::nullopt);
    EXPECT_EQ(mesh::circular_buffer_failure(region, std::nullopt, Bytes{1'089'536}), std::nullopt);
}

TEST(ShardCount, more_shards_than_cores_are_reported) {
    // One shard per core: 65 shards do not go on an 8x8 grid.
    EXPECT_EQ(mesh::shard_count_failure(65, 64),
              "Expected number of shards 65 to be less than or equal to total number of L1 banks "
              "64 in compute cores");
    EXPECT_EQ(mesh::shard_count_failure(64, 64), std::nullopt);
}

}  // namespace

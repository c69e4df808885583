#include "core/units.h"

#include <gtest/gtest.h>

#include <concepts>
#include <type_traits>

#include "core/ids.h"

namespace {

using namespace core::literals;
using core::Bytes;
using core::BytesPerSecond;
using core::Cycles;
using core::Hertz;
using core::Picoseconds;

template <class A, class B>
concept Addable = requires(A a, B b) {
    a + b;
};
template <class A, class B>
concept Divisible = requires(A a, B b) {
    a / b;
};

TEST(Bytes, binary_and_decimal_prefixes_differ_by_seven_percent_at_giga) {
    // Several simulators take 1 GB for 2^30 bytes; ours must not.
    EXPECT_EQ((1_KiB).value, 1024);
    EXPECT_EQ((1_MiB).value, 1'048'576);
    EXPECT_EQ((1_GiB).value, 1'073'741'824);
    EXPECT_EQ((1_GBps).value, 1'000'000'000);
    EXPECT_EQ(1_GiB - 1'000'000'000_B, 73'741'824_B);
}

TEST(Bytes, an_embedding_larger_than_an_int_is_counted) {
    // 128256 x 8192 in fp32 is 4.2 GB and overflows 32 bits.
    const Bytes table = 4_B * 128256 * 8192;
    EXPECT_EQ(table.value, 4'202'692'608);
    EXPECT_EQ(table / 4_KiB, 1'026'048);
}

TEST(Bytes, division_rounds_down_and_the_rest_adds_up) {
    // Page counts come from these two operators; together they lose no byte.
    const Bytes size = 10'007_B;
    EXPECT_EQ(size / 32_B, 312);
    EXPECT_EQ(size % 32_B, 23_B);
    EXPECT_EQ(32_B * (size / 32_B) + size % 32_B, size);
    EXPECT_EQ(size / 3, 3335_B);
}

TEST(Bytes, a_size_may_go_below_zero_and_is_then_seen) {
    // Signed sizes make a shortfall a negative number, not eighteen exabytes.
    Bytes free = 1_KiB;
    free -= 2_KiB;
    EXPECT_EQ(free.value, -1024);
    EXPECT_LT(free, 0_B);
    free += 3_KiB;
    EXPECT_EQ(free, 2_KiB);
}

TEST(Units, mixing_quantities_does_not_compile) {
    // Aliases of one integer type would mix silently.
    EXPECT_FALSE((Addable<Bytes, Cycles>));
    EXPECT_FALSE((Addable<Bytes, Picoseconds>));
    EXPECT_FALSE((Addable<Bytes, int>));
    EXPECT_FALSE((Addable<BytesPerSecond, Hertz>));
    EXPECT_FALSE((Divisible<Bytes, Hertz>));
    EXPECT_FALSE((Divisible<Cycles, BytesPerSecond>));
    EXPECT_FALSE((std::convertible_to<int, Bytes>));
    EXPECT_FALSE((std::convertible_to<Bytes, std::int64_t>));
    EXPECT_TRUE((Addable<Bytes, Bytes>));
    EXPECT_TRUE((Divisible<Bytes, BytesPerSecond>));
}

TEST(Units, a_transfer_takes_its_size_over_its_rate_rounded_up) {
    // Rounding down would let a transfer end before its last byte is there.
    EXPECT_EQ(12'500_B / 12'500_MBps, 1_us);
    EXPECT_EQ(1_B / 1_GBps, 1_ns);
    EXPECT_EQ(1_B / 3_GBps, 334_ps);
    EXPECT_EQ(2_B / 3_GBps, 667_ps);
    EXPECT_EQ(3_B / 3_GBps, 1_ns);
    EXPECT_EQ(0_B / 3_GBps, 0_ps);
}

TEST(Units, a_large_transfer_does_not_overflow_on_the_way) {
    // 4.2 GB times 10^12 picoseconds needs 72 bits before the division.
    EXPECT_EQ(4'202'692'608_B / 12'500_MBps, Picoseconds{336'215'408'640});
    EXPECT_EQ(1024_GiB / 1_GBps, Picoseconds{1'099'511'627'776'000});
}

TEST(Units, ethernet_rates_are_bits_and_become_bytes) {
    // A 100 Gb/s link carries 12.5 GB/s.
    EXPECT_EQ(100_Gbps, 12'500_MBps);
    EXPECT_EQ(400_Gbps, 50_GBps);
    EXPECT_EQ(12'500_MBps * 4, 50_GBps);
}

TEST(Units, clock_ticks_become_time_rounded_up) {
    // One tick of 1.35 GHz is 740.74 ps; a thousand must not gain a thousand roundings.
    EXPECT_EQ(core::duration(Cycles{1}, 1000_MHz), 1_ns);
    EXPECT_EQ(core::duration(Cycles{1}, 1350_MHz), 741_ps);
    EXPECT_EQ(core::duration(Cycles{1000}, 1350_MHz), 740'741_ps);
    EXPECT_EQ(core::duration(Cycles{1350} * 3, 1350_MHz), 3_us);
    EXPECT_EQ(core::duration(Cycles{1} + Cycles{1349}, 1350_MHz), 1_us);
}

TEST(Units, rounding_up_reaches_the_next_multiple_and_stays_on_one) {
    // Alignment of buffers and tiles: 33 rows are two tiles, 32 rows are one.
    EXPECT_EQ(core::ceil_div(33, 32), 2);
    EXPECT_EQ(core::ceil_div(32, 32), 1);
    EXPECT_EQ(core::ceil_div(0, 32), 0);
    EXPECT_EQ(core::round_up(33, 32), 64);
    EXPECT_EQ(core::round_up(64, 32), 64);
    EXPECT_EQ(core::round_up(1'025_B, 1_KiB), 2_KiB);
}

TEST(Units, printing_factors_are_powers_of_ten) {
    // A slip here moves every printed figure by a thousand and no simulated one.
    EXPECT_DOUBLE_EQ(core::to_us(1'500_ns), 1.5);
    EXPECT_DOUBLE_EQ(core::to_ms(1'500_us), 1.5);
    EXPECT_DOUBLE_EQ(core::to_seconds(1'500'000_us), 1.5);
}

TEST(SimTime, a_point_and_a_duration_add_and_two_points_subtract) {
    // Adding two points in time has no meaning and must not compile.
    const core::SimTime start{5_us};
    EXPECT_EQ((start + 2_us) - start, 2_us);
    EXPECT_LT(start, start + 1_ps);
    EXPECT_EQ(core::SimTime{}.time_since_epoch().count(), 0);
    EXPECT_FALSE((Addable<core::SimTime, core::SimTime>));
}

TEST(Id, ids_compare_but_do_not_count_or_convert) {
    // A chip id is a name; arithmetic on it, or taking a link for a chip, is a bug.
    using ChipId = core::Id<struct ChipTag>;
    using LinkId = core::Id<struct LinkTag>;
    EXPECT_LT(ChipId{2}, ChipId{3});
    EXPECT_EQ(ChipId{3}, ChipId{3});
    EXPECT_FALSE((std::convertible_to<int, ChipId>));
    EXPECT_FALSE((std::convertible_to<ChipId, LinkId>));
    EXPECT_FALSE((std::equality_comparable_with<ChipId, LinkId>));
    EXPECT_FALSE((Addable<ChipId, int>));
}

}  // namespace

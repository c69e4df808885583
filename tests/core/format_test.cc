#include "core/format.h"

#include <gtest/gtest.h>

namespace {

using namespace core::literals;

TEST(Format, thousands_are_grouped_from_the_right) {
    // Byte counts run to twelve digits; ungrouped ones are misread.
    EXPECT_EQ(core::grouped(0), "0");
    EXPECT_EQ(core::grouped(999), "999");
    EXPECT_EQ(core::grouped(1000), "1,000");
    EXPECT_EQ(core::grouped(33'619'968), "33,619,968");
    EXPECT_EQ(core::grouped(-1234), "-1,234");
    EXPECT_EQ(core::grouped(-123), "-123");
    EXPECT_EQ(core::grouped(9'223'372'036'854'775'807), "9,223,372,036,854,775,807");
}

TEST(Format, a_size_has_a_binary_unit_and_the_exact_count_beside_it) {
    // GiB against GB is 7.4 %; the exact count settles any doubt.
    EXPECT_EQ(core::to_text(33'619'968_B), "32.06 MiB (33,619,968 B)");
    EXPECT_EQ(core::to_text(1_KiB), "1.00 KiB (1,024 B)");
    EXPECT_EQ(core::to_text(12_GiB), "12.00 GiB (12,884,901,888 B)");
    EXPECT_EQ(core::to_text(2048_GiB), "2.00 TiB (2,199,023,255,552 B)");
    EXPECT_EQ(core::to_text(5000000_GiB), "4882.81 TiB (5,368,709,120,000,000 B)");
}

TEST(Format, a_size_below_a_kibibyte_is_only_its_count) {
    // "0.98 KiB (1,000 B)" says the same thing twice.
    EXPECT_EQ(core::to_text(0_B), "0 B");
    EXPECT_EQ(core::to_text(1023_B), "1,023 B");
}

TEST(Format, a_negative_size_keeps_its_sign_in_both_numbers) {
    // A shortfall is printed as a negative free size.
    EXPECT_EQ(core::to_text(core::Bytes{-1} * 1536), "-1.50 KiB (-1,536 B)");
}

TEST(Format, a_time_takes_the_unit_that_keeps_its_digits) {
    // Steps are microseconds, tokens milliseconds, prefill of a long prompt seconds.
    EXPECT_EQ(core::to_text(12'340_ns), "12.34 us");
    EXPECT_EQ(core::to_text(999_us), "999.00 us");
    EXPECT_EQ(core::to_text(1000_us), "1.00 ms");
    EXPECT_EQ(core::to_text(3'210_us), "3.21 ms");
    EXPECT_EQ(core::to_text(1'000'000_us), "1.000 s");
    EXPECT_EQ(core::to_text(61'234'000_us), "61.234 s");
}

}  // namespace

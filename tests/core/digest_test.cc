// Reference values: FNV-1a 64-bit, draft-eastlake-fnv appendix C (test vectors "a", "foobar").
#include "core/digest.h"

#include <gtest/gtest.h>

#include <array>

namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

TEST(Digest, raw_bytes_give_the_published_fnv_values) {
    // Anyone must be able to recompute a digest with a standard FNV-1a.
    EXPECT_EQ(core::Digest{}.value(), 0xcbf29ce484222325ULL);
    EXPECT_EQ(core::Digest{}.add(bytes_of("a")).value(), 0xaf63dc4c8601ec8cULL);
    EXPECT_EQ(core::Digest{}.add(bytes_of("foobar")).value(), 0x85944171f73967e8ULL);
}

TEST(Digest, hex_is_sixteen_lower_case_digits_with_leading_zeros_kept) {
    // The text is compared byte by byte in golden files, so its form is fixed.
    EXPECT_EQ(core::Digest{}.hex(), "cbf29ce484222325");
    EXPECT_EQ(core::Digest{}.add(bytes_of("a")).hex(), "af63dc4c8601ec8c");
    core::Digest small;
    std::int64_t tries = 0;
    while ((small.value() >> 60) != 0) small.add(tries++);
    EXPECT_EQ(small.hex().size(), 16u);
    EXPECT_EQ(small.hex()[0], '0');
}

TEST(Digest, a_text_is_told_from_the_same_letters_cut_elsewhere) {
    // Labels are added one after the other; "ab","c" must not collide with "a","bc".
    const auto two = [](std::string_view a, std::string_view b) {
        return core::Digest{}.add(a).add(b).value();
    };
    EXPECT_NE(two("ab", "c"), two("a", "bc"));
    EXPECT_NE(two("abc", ""), two("", "abc"));
    EXPECT_EQ(two("ab", "c"), two("ab", "c"));
}

TEST(Digest, an_integer_is_its_eight_bytes_little_endian) {
    // The digest must not depend on the byte order of the host.
    const std::array<std::byte, 8> minus_two{std::byte{0xfe}, std::byte{0xff}, std::byte{0xff},
                                             std::byte{0xff}, std::byte{0xff}, std::byte{0xff},
                                             std::byte{0xff}, std::byte{0xff}};
    EXPECT_EQ(core::Digest{}.add(std::int64_t{-2}).value(), core::Digest{}.add(minus_two).value());
}

TEST(Digest, order_matters) {
    // Two runs with the same events in another order are different runs.
    EXPECT_NE(core::Digest{}.add(std::int64_t{1}).add(std::int64_t{2}).value(),
              core::Digest{}.add(std::int64_t{2}).add(std::int64_t{1}).value());
}

}  // namespace

#include "core/checksum.h"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

namespace {

std::uint64_t sum_of(std::string_view text) {
    return core::checksum(std::as_bytes(std::span(text)));
}

TEST(Checksum, is_xxh64) {
    // Published values of XXH64 with seed 0: files written by one build are read by another.
    EXPECT_EQ(sum_of(""), 0xef46db3751d8e999ULL);
    EXPECT_EQ(sum_of("a"), 0xd24ec4f1a98c6e5bULL);
    EXPECT_EQ(sum_of("abc"), 0x44bc2cf5ad770999ULL);
    EXPECT_EQ(sum_of("Nobody inspects the spammish repetition"), 0xfbcea83c8a378bf1ULL);
}

TEST(Checksum, tells_every_single_changed_bit) {
    // Lengths around a stripe of 32 bytes take every path: stripes, words, halves, bytes.
    for (std::size_t size = 1; size <= 80; ++size) {
        std::vector<std::byte> bytes(size, std::byte{0x5a});
        const std::uint64_t before = core::checksum(bytes);
        for (std::size_t i = 0; i < size; ++i) {
            bytes[i] ^= std::byte{1};
            EXPECT_NE(core::checksum(bytes), before) << size << " bytes, byte " << i;
            bytes[i] ^= std::byte{1};
        }
    }
}

}  // namespace

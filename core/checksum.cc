#include "core/checksum.h"

#include <array>
#include <bit>
#include <cstring>

namespace core {

static_assert(std::endian::native == std::endian::little, "words are read in place");

namespace {

// Constants and steps as the specification names them.
constexpr std::uint64_t kPrime1 = 0x9E3779B185EBCA87ULL;
constexpr std::uint64_t kPrime2 = 0xC2B2AE3D27D4EB4FULL;
constexpr std::uint64_t kPrime3 = 0x165667B19E3779F9ULL;
constexpr std::uint64_t kPrime4 = 0x85EBCA77C2B2AE63ULL;
constexpr std::uint64_t kPrime5 = 0x27D4EB2F165667C5ULL;
constexpr std::size_t kStripe = 32;

template <class Word>
std::uint64_t word(const std::byte* at) {
    Word value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

std::uint64_t round(std::uint64_t accumulator, std::uint64_t lane) {
    return std::rotl(accumulator + lane * kPrime2, 31) * kPrime1;
}

std::uint64_t merge(std::uint64_t accumulator, std::uint64_t lane) {
    return (accumulator ^ round(0, lane)) * kPrime1 + kPrime4;
}

/// The accumulator of all whole stripes; `at` moves behind them.
std::uint64_t stripes(const std::byte*& at, std::size_t count) {
    std::array<std::uint64_t, 4> lanes{kPrime1 + kPrime2, kPrime2, 0, 0 - kPrime1};
    for (std::size_t i = 0; i < count; ++i, at += kStripe) {
        for (std::size_t lane = 0; lane < 4; ++lane) {
            lanes[lane] = round(lanes[lane], word<std::uint64_t>(at + 8 * lane));
        }
    }
    std::uint64_t sum = std::rotl(lanes[0], 1) + std::rotl(lanes[1], 7) + std::rotl(lanes[2], 12) +
                        std::rotl(lanes[3], 18);
    for (const std::uint64_t lane : lanes) sum = merge(sum, lane);
    return sum;
}

std::uint64_t avalanche(std::uint64_t sum) {
    sum = (sum ^ (sum >> 33)) * kPrime2;
    sum = (sum ^ (sum >> 29)) * kPrime3;
    return sum ^ (sum >> 32);
}

}  // namespace

std::uint64_t checksum(std::span<const std::byte> bytes) {
    const std::byte* at = bytes.data();
    std::size_t left = bytes.size();
    std::uint64_t sum = left < kStripe ? kPrime5 : stripes(at, left / kStripe);
    sum += left;
    left %= kStripe;
    for (; left >= 8; left -= 8, at += 8) {
        sum = std::rotl(sum ^ round(0, word<std::uint64_t>(at)), 27) * kPrime1 + kPrime4;
    }
    for (; left >= 4; left -= 4, at += 4) {
        sum = std::rotl(sum ^ (word<std::uint32_t>(at) * kPrime1), 23) * kPrime2 + kPrime3;
    }
    for (; left > 0; --left, ++at) {
        sum = std::rotl(sum ^ (word<std::uint8_t>(at) * kPrime5), 11) * kPrime1;
    }
    return avalanche(sum);
}

}  // namespace core

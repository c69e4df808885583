// Quantities with types: bytes, rates, clock ticks, simulated time.
// Sizes are 64-bit and signed, so a negative one is caught; times are integer picoseconds.
// KiB/MiB/GiB are powers of two, MBps/GBps powers of ten. Dividing bytes by a rate rounds up
// and is the only way to turn a size into a time.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

namespace core {

struct Bytes {
    std::int64_t value = 0;

    constexpr auto operator<=>(const Bytes&) const = default;
    constexpr Bytes& operator+=(Bytes other) { return value += other.value, *this; }
    constexpr Bytes& operator-=(Bytes other) { return value -= other.value, *this; }
    friend constexpr Bytes operator+(Bytes a, Bytes b) { return {a.value + b.value}; }
    friend constexpr Bytes operator-(Bytes a, Bytes b) { return {a.value - b.value}; }
    friend constexpr Bytes operator*(Bytes a, std::int64_t n) { return {a.value * n}; }
    friend constexpr Bytes operator*(std::int64_t n, Bytes a) { return {a.value * n}; }
    /// How many times `b` goes into `a`, rounded down.
    friend constexpr std::int64_t operator/(Bytes a, Bytes b) { return a.value / b.value; }
    friend constexpr Bytes operator/(Bytes a, std::int64_t n) { return {a.value / n}; }
    friend constexpr Bytes operator%(Bytes a, Bytes b) { return {a.value % b.value}; }
};

/// Payload bytes per second.
struct BytesPerSecond {
    std::int64_t value = 0;
    constexpr auto operator<=>(const BytesPerSecond&) const = default;
    friend constexpr BytesPerSecond operator*(BytesPerSecond a, std::int64_t n) {
        return {a.value * n};
    }
};

struct Hertz {
    std::int64_t value = 0;
    constexpr auto operator<=>(const Hertz&) const = default;
};

struct Cycles {
    std::int64_t value = 0;
    constexpr auto operator<=>(const Cycles&) const = default;
    friend constexpr Cycles operator+(Cycles a, Cycles b) { return {a.value + b.value}; }
    friend constexpr Cycles operator*(Cycles a, std::int64_t n) { return {a.value * n}; }
};

using Picoseconds = std::chrono::duration<std::int64_t, std::pico>;

/// The simulated clock; starts at zero, never reads the wall.
struct SimClock {
    using rep = std::int64_t;
    using period = std::pico;
    using duration = Picoseconds;
    using time_point = std::chrono::time_point<SimClock>;
    static constexpr bool is_steady = true;
};
using SimTime = SimClock::time_point;

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
constexpr std::int64_t round_up(std::int64_t a, std::int64_t b) { return ceil_div(a, b) * b; }
constexpr Bytes round_up(Bytes a, Bytes b) { return {round_up(a.value, b.value)}; }

namespace detail {
constexpr std::int64_t kPicosPerSecond = 1'000'000'000'000;
__extension__ using Wide = __int128;
constexpr std::int64_t scaled_ceil(std::int64_t amount, std::int64_t per_second) {
    const Wide picos = Wide{amount} * kPicosPerSecond;
    return static_cast<std::int64_t>((picos + per_second - 1) / per_second);
}
}  // namespace detail

/// Time to move `size` at `rate`, rounded up to a picosecond. Requires: rate > 0.
constexpr Picoseconds operator/(Bytes size, BytesPerSecond rate) {
    return Picoseconds{detail::scaled_ceil(size.value, rate.value)};
}

/// Clock ticks become time once per op, rounded up. Requires: clock > 0.
constexpr Picoseconds duration(Cycles ticks, Hertz clock) {
    return Picoseconds{detail::scaled_ceil(ticks.value, clock.value)};
}

// For printing and for factors only; event times stay integers.
constexpr double to_us(Picoseconds t) { return static_cast<double>(t.count()) * 1e-6; }
constexpr double to_ms(Picoseconds t) { return static_cast<double>(t.count()) * 1e-9; }
constexpr double to_seconds(Picoseconds t) { return static_cast<double>(t.count()) * 1e-12; }

namespace literals {
constexpr Bytes operator""_B(unsigned long long n) { return {static_cast<std::int64_t>(n)}; }
constexpr Bytes operator""_KiB(unsigned long long n) {
    return {static_cast<std::int64_t>(n) * 1024};
}
constexpr Bytes operator""_MiB(unsigned long long n) {
    return {static_cast<std::int64_t>(n) * 1024 * 1024};
}
constexpr Bytes operator""_GiB(unsigned long long n) {
    return {static_cast<std::int64_t>(n) * 1024 * 1024 * 1024};
}
constexpr BytesPerSecond operator""_MBps(unsigned long long n) {
    return {static_cast<std::int64_t>(n) * 1'000'000};
}
constexpr BytesPerSecond operator""_GBps(unsigned long long n) {
    return {static_cast<std::int64_t>(n) * 1'000'000'000};
}
/// Bits per second, as Ethernet links are named.
constexpr BytesPerSecond operator""_Gbps(unsigned long long n) {
    return {static_cast<std::int64_t>(n) * 125'000'000};
}
constexpr Hertz operator""_MHz(unsigned long long n) {
    return {static_cast<std::int64_t>(n) * 1'000'000};
}
constexpr Picoseconds operator""_ps(unsigned long long n) {
    return Picoseconds{static_cast<std::int64_t>(n)};
}
constexpr Picoseconds operator""_ns(unsigned long long n) {
    return Picoseconds{static_cast<std::int64_t>(n) * 1000};
}
constexpr Picoseconds operator""_us(unsigned long long n) {
    return Picoseconds{static_cast<std::int64_t>(n) * 1'000'000};
}
}  // namespace literals

}  // namespace core

#include "core/format.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace core {

std::string grouped(std::int64_t value) {
    std::string digits = std::to_string(value < 0 ? -value : value);
    for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
    return value < 0 ? "-" + digits : digits;
}

std::string to_text(Bytes size) {
    static constexpr std::array<const char*, 5> kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
    double scaled = static_cast<double>(size.value);
    std::size_t unit = 0;
    while (std::abs(scaled) >= 1024.0 && unit + 1 < kUnits.size()) {
        scaled /= 1024.0;
        ++unit;
    }
    if (unit == 0) return grouped(size.value) + " B";
    return fmt::format("{:.2f} {} ({} B)", scaled, kUnits.at(unit), grouped(size.value));
}

std::string to_text(Picoseconds time) {
    const double us = to_us(time);
    if (us < 1000.0) return fmt::format("{:.2f} us", us);
    if (us < 1e6) return fmt::format("{:.2f} ms", us * 1e-3);
    return fmt::format("{:.3f} s", us * 1e-6);
}

}  // namespace core

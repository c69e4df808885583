// Strong ids: no arithmetic, no implicit conversion; ordered so they can key a map.
#pragma once

#include <compare>
#include <cstdint>

namespace core {

template <class Tag>
struct Id {
    std::int32_t value = 0;
    constexpr auto operator<=>(const Id&) const = default;
};

}  // namespace core

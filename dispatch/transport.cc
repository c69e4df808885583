#include "dispatch/transport.h"

#include <cstring>

namespace dispatch {

InProcessTransport::InProcessTransport(std::int32_t chips)
    : chips_(chips), moved_(static_cast<std::size_t>(chips) * static_cast<std::size_t>(chips)) {}

void InProcessTransport::move(fabric::Hop hop, std::span<const std::byte> from, std::byte* to) {
    if (from.empty()) return;
    std::memcpy(to, from.data(), from.size());
    moved_[static_cast<std::size_t>(hop.from * chips_ + hop.to)] +=
        static_cast<std::int64_t>(from.size());
}

std::map<fabric::Hop, core::Bytes> InProcessTransport::bytes_moved() const {
    std::map<fabric::Hop, core::Bytes> result;
    for (std::int32_t from = 0; from < chips_; ++from) {
        for (std::int32_t to = 0; to < chips_; ++to) {
            const std::int64_t bytes = moved_[static_cast<std::size_t>(from * chips_ + to)];
            if (bytes > 0) result[{from, to}] = core::Bytes{bytes};
        }
    }
    return result;
}

}  // namespace dispatch

// The keys of topologies/links/*.yaml that fill the collectives' part of a LinkSpec: one table for
// the reader and for the list of keys a system file may override. Times in ns, sizes in bytes,
// rates in MB/s. Not for use outside this room.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "fabric/wiring.h"

namespace fabric {

struct LinkTime {
    const char* key;
    core::Picoseconds& (*of)(LinkSpec&);
};
struct LinkSize {
    const char* key;
    core::Bytes& (*of)(LinkSpec&);
};
struct LinkRate {
    const char* key;
    core::BytesPerSecond& (*of)(LinkSpec&);
};

std::span<const LinkTime> link_times();
std::span<const LinkSize> link_sizes();
std::span<const LinkRate> link_rates();
/// Every key a link file may have.
std::vector<std::string_view> link_keys();

}  // namespace fabric

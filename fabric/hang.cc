#include "fabric/hang.h"

#include <fmt/format.h>

#include <utility>

namespace fabric {

Hang::Hang(std::vector<std::string> waits, const std::string& hint)
    : core::Error(fmt::format("{}: {}", kHangText, fmt::join(waits, "; "))),
      reasons_(std::move(waits)) {
    reasons_.insert(reasons_.begin(), kHangText);
    core::Error::hint(hint);
}

}  // namespace fabric

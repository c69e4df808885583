// Sizes and times as people read them: binary units with the exact count beside them.
#pragma once

#include <string>

#include "core/units.h"

namespace core {

/// "32.06 MiB (33,619,968 B)".
std::string to_text(Bytes size);
/// "33,619,968".
std::string grouped(std::int64_t value);
/// "12.34 us", "3.21 ms": three significant digits or more.
std::string to_text(Picoseconds time);

}  // namespace core

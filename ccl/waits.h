// Who waits for whom in a collective that never ends, told to people. For the .cc files of this
// room only. Chips of a Wait are mesh indices; people read the numbers of the wiring.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "fabric/hang.h"
#include "fabric/mesh.h"

namespace ccl {

/// `chip` waits for what `sender` sends it: a semaphore before it may begin, data, or the credit of
/// a free slot in its router.
struct Wait {
    enum class For { Barrier, Data, Slot };
    std::int32_t chip = 0;
    std::int32_t sender = 0;
    For what = For::Data;
    constexpr auto operator<=>(const Wait&) const = default;
};

/// A chain of chips each of which waits for the next, and the last for the first; empty when there
/// is none. The one that begins with the lowest chip.
std::vector<std::int32_t> cycle_of(std::span<const Wait> waits);

/// The stopped routers, one sentence per chip that waits, and the cycle if they wait in one.
fabric::Hang hang_of(std::span<const Wait> waits, const fabric::Mesh& mesh);

}  // namespace ccl

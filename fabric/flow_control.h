// Does traffic around a ring fill every buffer on its way, so that no packet can move any more?
// Packets are moved slot by slot, without times: a router holds a channel of its own workers, one
// of packets that pass through, and the receiver of the link into it. A ring has a cycle of them;
// bubble flow control keeps one slot of it free.
// Source: tenstorrent/tt-metal: tech_reports/TT-Fabric/TT-Fabric-Architecture.md @02cdcd489b08.
#pragma once

#include <cstdint>
#include <vector>

#include "core/units.h"
#include "mesh/chip_spec.h"

namespace fabric {

/// tt::tt_fabric::FabricConfig of one-dimensional fabrics. Only the ring's avoids deadlocks.
enum class FabricConfig { Line, Ring };

/// Packets a channel holds.
struct Slots {
    std::int32_t sender = 8;
    std::int32_t receiver = 16;
};
Slots slots_of(mesh::Arch arch);

/// Packets one rank sends one after the other in one direction to the rank `hops` further.
struct Flow {
    std::int32_t hops = 1;
    std::int64_t packets = 0;
};

/// `flows[r]`: of rank r, in the order of sending; all ranks begin at once. The ranks of a ring
/// whose routers wait for each other's slots for ever, each for the next; empty when all arrives.
std::vector<std::int32_t> deadlock_of(const std::vector<std::vector<Flow>>& flows, Slots slots,
                                      FabricConfig config);

}  // namespace fabric

// How long bytes take between the host and a chip, over PCIe and, to a chip without, over ethernet.
// Stages overlap page by page: the host prepares each page of a write or copies what a read brought
// (not for pinned memory), the device issues each page of a read, the wires carry it; the slowest
// decides. A tensor whose pages lie apart in host memory costs the host a step per run of pages.
// Model and constants: `pcie` of topologies/chips, `host` of topologies/kernels, calibrated on
// tenstorrent/tt-metal tests/tt_metal/tt_metal/perf_microbenchmark/dispatch/benchmark_rw_buffer*.
// docs/dispatch.md. Units: picoseconds, bytes.
#pragma once

#include <cstdint>

#include "dispatch/launch_time.h"

namespace dispatch {

enum class Direction { Write, Read };      // to the chip, from it
enum class HostMemory { Staged, Pinned };  // Staged: copied by the host on the way
enum class Reach { Local, Remote };        // Remote: behind another chip's ethernet

struct HostTransfer {
    core::Bytes size;
    core::Bytes page;
    Direction direction = Direction::Write;
    HostMemory memory = HostMemory::Staged;
    Reach reach = Reach::Local;
    std::int64_t contiguous_pages = 0;  // of a sharded tensor; 0: all in order
};

/// Without the fixed cost of the call. Requires: a page above 0.
core::Picoseconds transfer_time(const HostTransfer& transfer, const mesh::ChipSpec& chip,
                                Release release);
/// The host's time of the call, whatever it moves.
core::Picoseconds call_time(Direction direction, const mesh::ChipSpec& chip);

/// One Tensix core's transactions to or from host memory, without the host's software.
core::Picoseconds kernel_transfer_time(core::Bytes size, core::Bytes page,
                                       const mesh::ChipSpec& chip);

}  // namespace dispatch

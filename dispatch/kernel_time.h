// How long a kernel takes that streams pages through cores: a reader brings the pages of a step,
// the compute engines work on them, a writer takes them away, and the three overlap from step to
// step. Readers and writers wait for each batch of pages they send for: a batch of one, as most
// kernels have, costs the latency of memory per page. All cores together share the banks of DRAM.
// Units: cycles per core and step, bytes of the whole chip. Constants: `stream` of
// topologies/kernels. docs/kernels.md.
#pragma once

#include <cstdint>

#include "dispatch/op_time.h"

namespace dispatch {

/// Where pages are, seen from the core that wants them. Local: in its own L1, used in place.
enum class Place { Local, L1, Dram };

/// The pages a core moves in one step; it waits after every `batch` of them.
struct PageStream {
    Place place = Place::Local;
    double pages = 0;  // an average: rows of padding are not moved
    double page_bytes = 0;
    double batch = 1;
};

/// What the busiest core of a kernel does, and what all of them move.
struct KernelWork {
    std::int32_t cores = 1;
    std::int64_t steps = 1;
    double read_cycles = 0;  // per step
    double compute_cycles = 0;
    double write_cycles = 0;
    double once_cycles = 0;     // before the first step or after the last
    double prepare_cycles = 0;  // of these, what the parts of one program share
    core::Bytes dram_read;      // of the chip
    core::Bytes dram_written;
};

/// Cycles of moving these pages once.
double stream_cycles(const PageStream& stream, const mesh::ChipSpec& chip);

/// Leaves OpTime::launch at zero.
OpTime kernel_time(const KernelWork& work, const mesh::ChipSpec& chip);

}  // namespace dispatch

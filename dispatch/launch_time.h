// What launching a program costs beside its kernels: the dispatcher's work, which overlaps with the
// program before, and what the workers wait for.
// The dispatcher writes arguments core by core, multicasts configuration and binaries to each
// rectangle of cores, then the launch messages and the go signal. The workers' config ring holds
// programs ahead of the running one; when two do not fit, dispatch and kernel take turns.
// Model: tenstorrent/tt-metal tt_metal/impl/program/dispatch.cpp, calibrated on its
// perf_microbenchmark/dispatch/test_pgm_dispatch.cpp. docs/dispatch.md. Constants: `launch` of
// topologies/kernels. Units: picoseconds, bytes.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/units.h"
#include "dispatch/mesh_device.h"
#include "dispatch/program.h"
#include "mesh/kernel_spec.h"

namespace dispatch {

/// What of a program the dispatcher sees. Argument counts are 4-byte words per core, of all its
/// kernels together.
struct LaunchShape {
    std::int64_t cores = 1;
    std::int64_t groups = 1;  // rectangles of cores with kernels or circular buffers of their own
    std::int64_t unique_args = 0;
    std::int64_t common_args = 0;
    std::int64_t circular_buffers = 0;
    std::int64_t semaphores = 0;
    std::int64_t configured_cores = 0;  // that get circular buffers; 0: all
    std::int64_t processors = 5;        // binaries of a group
    core::Bytes kernel{};               // binary of one processor
    core::Bytes iram_kernel{};          // of it, copied to a processor's own memory (Wormhole)

    core::Bytes argument_bytes() const;       // unique ones, of one core
    core::Bytes configuration_bytes() const;  // common arguments, circular buffers, semaphores
    core::Bytes core_bytes() const;           // what one core's config ring holds of the program
};

/// Requires: an op or a collective.
LaunchShape launch_shape(const Command& command);

/// Where the binaries are: still in the workers (the trace ran the program just before), in the
/// trace's cache, or in DRAM, from where commands of the host fetch them each time.
enum class Binaries { Resident, Cached, Fetched };

struct LaunchOptions {
    Release release = Release::R2026_09;
    mesh::DispatchCore core = mesh::DispatchCore::Worker;
};

struct LaunchCost {
    core::Picoseconds dispatch{};  // the dispatcher's, beside earlier kernels where they fit
    core::Picoseconds load{};      // before the kernels run, on the workers
    core::Bytes ring;              // of the workers' config ring while the program is there
};

LaunchCost launch_cost(const LaunchShape& shape, Binaries binaries, const mesh::ChipSpec& chip,
                       const LaunchOptions& options);
/// Of one program after the other, all like this one, with kernels of the given time.
core::Picoseconds launch_period(const LaunchCost& cost, core::Picoseconds kernel,
                                const mesh::ChipSpec& chip);

/// The constants of a date; zero ones for a chip without.
const mesh::LaunchRelease& launch_release(const mesh::ChipSpec& chip, Release release);

}  // namespace dispatch

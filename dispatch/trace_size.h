// How many bytes the command stream of a program takes in a trace, and its binaries in DRAM.
// The stream is laid out as tt-metal writes it for the prefetcher: write offsets, a wait for
// workers, runtime arguments per core, circular-buffer configurations, relays of the kernel
// binaries, launch messages, the go signal. Bytes are those of one chip; every chip has its own
// stream at the same address, and the trace is as long as the longest.
// Layout: tenstorrent/tt-metal tt_metal/impl/program/dispatch.cpp (assemble_device_commands,
// write_program_command_sequence), tt_metal/impl/dispatch/device_command_calculator.hpp and
// kernels/cq_commands.hpp. What a KernelPlan does not count is one calibrated constant.
#pragma once

#include <cstdint>

#include "core/units.h"
#include "dispatch/mesh_device.h"
#include "dispatch/program.h"
#include "mesh/trace_region.h"

namespace dispatch {

/// Commands start at multiples of the PCIe alignment (HalMemType::HOST): 32 B on Wormhole, 64 B on
/// Blackhole; the same numbers as the DRAM alignment of each (tt_metal/llrt/hal).
struct StreamFormat {
    core::Bytes host_alignment{32};
};
StreamFormat stream_format(const DeviceMemory& memory);
/// How the pages of a trace buffer are chosen in `release`.
mesh::TracePages trace_pages(Release release);

/// The stream of one program, in the order it is written.
struct CommandStream {
    core::Bytes preamble;       // set write offsets
    core::Bytes stall;          // wait until the kernel-config ring has room
    core::Bytes arguments;      // unique runtime arguments, unicast to every core
    core::Bytes configuration;  // circular buffers and common arguments, multicast
    core::Bytes binaries;       // relays from the prefetcher's ring; the code itself is in DRAM
    core::Bytes launch;         // one launch message per kernel group
    core::Bytes go;             // notify dispatch_s, multicast go signal
    core::Bytes total() const;
};

struct TraceCosts {
    /// Argument words per core that no KernelPlan counts: what the kernels of an op take beyond
    /// the plan's guess. Any value from 17 to 20 gives nearly the same bytes, because 16 B (4
    /// words) are the unit. Calibrated on one total: 36,410,368 B, Llama-3.1-8B on N300, decode and
    /// five prefill lengths (tenstorrent/tt-inference-server #1839). docs/trace-region.md has the
    /// other totals.
    std::int64_t uncounted_args = 20;
    std::int32_t processors = 5;  // binaries of a kernel group: two data movement, three compute
    core::Bytes launch_message{112};     // launch_msg_t, tt_metal/hw/inc/hostdev/dev_msgs.h
    core::Bytes kernel_binaries{20480};  // GUESS: five processors of 4 KiB, per kernel group
    core::Bytes binary_page{2048};       // page of the DRAM buffer of binaries
};
inline constexpr TraceCosts kTraceCosts;

/// What `command` adds to a trace. Requires: an op or a collective.
CommandStream command_stream(const Command& command, const StreamFormat& format);
core::Bytes trace_bytes(const Command& command, const StreamFormat& format);
/// A whole trace of `program`: its ops and collectives, repeats unrolled, and the end. Host reads
/// and writes are never part of a trace.
core::Bytes trace_bytes(const Program& program, const StreamFormat& format);
/// The command that ends a trace (add_prefetch_exec_buf_end).
core::Bytes trace_end_bytes(const StreamFormat& format);
/// Bytes of the DRAM buffer its kernels are loaded from, in whole pages.
core::Bytes binary_bytes(const Command& command);

}  // namespace dispatch

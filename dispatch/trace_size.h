// How many bytes the command stream of a program takes in a trace, and its binaries in DRAM.
// A trace holds, per program: waits and go signals, launch messages and kernel relays per kernel
// group, circular-buffer configurations, runtime arguments with one sub-command per core.
// Bytes are those of one chip's stream; every chip has its own at the same address.
// No formula is published. GUESS, derived from totals of tenstorrent/tt-metal
// models/model_trace_region_sizes.yaml: Llama-3.1-8B T3K 53,764,096 B and Llama-3.3-70B T3K
// 124,559,360 B; with 7 captures each (decode and six prefill batches) of 24 programs a layer
// that is 9.3 and 9.2 KB per program on 64 cores.
#pragma once

#include "core/units.h"
#include "dispatch/program.h"

namespace dispatch {

/// All guesses; together they give 9.2 KB for one group of 64 cores with 4 circular buffers and
/// 20 arguments per core: 512 + 768 + 64 + 64 x (44 + 80) = 9280.
struct TraceCosts {
    core::Bytes program{512};            // stalls, completion counts, go signal
    core::Bytes kernel_group{768};       // launch messages, kernel relays, semaphores
    core::Bytes circular_buffer{16};     // one configuration word group, per kernel group
    core::Bytes argument{4};             // a runtime argument is one word
    core::Bytes core{44};                // sub-commands of reader, writer and compute kernel
    core::Bytes collective{9280};        // no KernelPlan: as an average program
    core::Bytes kernel_binaries{20480};  // five processors of 4 KiB, per kernel group
    core::Bytes binary_page{2048};       // page of the DRAM buffer of binaries
};
inline constexpr TraceCosts kTraceCosts;

/// Bytes `command` adds to a trace. Requires: an op or a collective.
core::Bytes trace_bytes(const Command& command);
/// Bytes of the DRAM buffer its kernels are loaded from, in whole pages.
core::Bytes binary_bytes(const Command& command);

}  // namespace dispatch

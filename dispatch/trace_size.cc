#include "dispatch/trace_size.h"

#include <algorithm>

#include "core/error.h"
#include "dispatch/launch_time.h"

namespace dispatch {
namespace {

using core::Bytes;

// tenstorrent/tt-metal tt_metal/impl/dispatch/kernels/cq_commands.hpp.
constexpr Bytes kPrefetchCommand{16};  // CQPrefetchCmd
constexpr Bytes kDispatchCommand{16};  // CQDispatchCmd
constexpr Bytes kWriteOffset{4};       // one of CQ_DISPATCH_MAX_WRITE_OFFSETS
constexpr std::int64_t kWriteOffsets = 4;
constexpr Bytes kUnicast{4};               // CQDispatchWritePackedUnicastSubCmd
constexpr Bytes kMulticast{8};             // CQDispatchWritePackedMulticastSubCmd
constexpr Bytes kLargeWrite{12};           // CQDispatchWritePackedLargeSubCmd
constexpr Bytes kRingRelay{8};             // CQPrefetchRelayRingbufferSubCmd
constexpr std::int64_t kLargeWrites = 35;  // CQ_DISPATCH_CMD_PACKED_WRITE_LARGE_MAX_SUB_CMDS
constexpr Bytes kL1Alignment{16};          // HalMemType::L1, both architectures

bool is_program(const Command& command) {
    return std::holds_alternative<OpCommand>(command.body) ||
           std::holds_alternative<CollectiveCommand>(command.body);
}

// A dispatch command behind the prefetch command that relays it (add_prefetch_relay_inline).
Bytes relayed(Bytes behind_command, const StreamFormat& format) {
    return core::round_up(kPrefetchCommand + kDispatchCommand + behind_command,
                          format.host_alignment);
}

// add_dispatch_write_packed: sub-commands, then one padded copy of the data for each.
Bytes write_packed(std::int64_t count, Bytes sub_command, Bytes data, const StreamFormat& format) {
    return relayed(core::round_up(sub_command * count, kL1Alignment) +
                       core::round_up(data, kL1Alignment) * count,
                   format);
}

// One packed write per kernel group. The real code splits it where it passes the prefetcher's
// largest command (128 KiB), which a program of a language model does not.
Bytes argument_bytes(const LaunchShape& kernels, const StreamFormat& format) {
    Bytes total;
    for (std::int64_t group = 0; group < kernels.groups; ++group) {
        const std::int64_t cores =
            kernels.cores / kernels.groups + (group < kernels.cores % kernels.groups ? 1 : 0);
        if (cores > 0 && kernels.unique_args > 0) {
            total += write_packed(cores, kUnicast, kernels.argument_bytes(), format);
        }
    }
    return total;
}

// Calls `add(count)` for every packed large write that `sub_commands` are split into.
template <class Add>
void for_each_large_write(std::int64_t sub_commands, Add add) {
    for (std::int64_t left = sub_commands; left > 0; left -= kLargeWrites) {
        add(std::min(left, kLargeWrites));
    }
}

Bytes large_write(std::int64_t count) {
    return core::round_up(kDispatchCommand + kLargeWrite * count, kL1Alignment) - kDispatchCommand;
}

// BatchedTransferGenerator: common arguments and circular buffers of a group lie side by side in
// its kernel-config ring and travel as one sub-command.
Bytes configuration_bytes(const LaunchShape& kernels, const StreamFormat& format) {
    const Bytes data = kernels.configuration_bytes();
    Bytes total;
    if (data.value == 0) return total;
    for_each_large_write(kernels.groups, [&](std::int64_t count) {
        total += relayed(large_write(count) + data * count, format);
    });
    return total;
}

// ProgramBinaryCommandGenerator with the prefetcher's cache in use, as for all kernels below its
// ring's size: point the ring at the program, then relay every binary from there.
Bytes binary_relay_bytes(const LaunchShape& kernels, const StreamFormat& format) {
    Bytes total = core::round_up(kPrefetchCommand, format.host_alignment);
    for_each_large_write(kernels.groups * kTraceCosts.processors, [&](std::int64_t count) {
        total += relayed(large_write(count), format) +
                 core::round_up(kPrefetchCommand + kRingRelay * count, format.host_alignment);
    });
    return total;
}

}  // namespace

StreamFormat stream_format(const DeviceMemory& memory) {
    return {.host_alignment = memory.dram.page_alignment};
}

mesh::TracePages trace_pages(Release release) {
    return release == Release::R2025 ? mesh::TracePages::Before2026 : mesh::TracePages::Since2026;
}

Bytes CommandStream::total() const {
    return preamble + stall + arguments + configuration + binaries + launch + go;
}

CommandStream command_stream(const Command& command, const StreamFormat& format) {
    const LaunchShape kernels = launch_shape(command);
    const Bytes bare = relayed(Bytes{0}, format);
    return {.preamble = relayed(kWriteOffset * kWriteOffsets, format),
            .stall = bare,
            .arguments = argument_bytes(kernels, format),
            .configuration = configuration_bytes(kernels, format),
            .binaries = binary_relay_bytes(kernels, format),
            .launch = write_packed(kernels.groups, kMulticast, kTraceCosts.launch_message, format),
            .go = bare * 2};
}

Bytes trace_bytes(const Command& command, const StreamFormat& format) {
    return command_stream(command, format).total();
}

Bytes trace_bytes(const Program& program, const StreamFormat& format) {
    Bytes total = trace_end_bytes(format);
    for (const Segment& segment : program.segments) {
        for (const Command& command : segment.commands) {
            if (is_program(command)) total += trace_bytes(command, format) * segment.repeat;
        }
    }
    return total;
}

Bytes trace_end_bytes(const StreamFormat& format) { return relayed(Bytes{0}, format); }

Bytes binary_bytes(const Command& command) {
    core::require(is_program(command), "only ops and collectives are programs");
    const auto* op = std::get_if<OpCommand>(&command.body);
    const std::int32_t groups = op == nullptr ? 1 : op->plan.kernel_groups;
    return core::round_up(kTraceCosts.kernel_binaries * groups, kTraceCosts.binary_page);
}

}  // namespace dispatch

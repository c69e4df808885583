// How much of every DRAM bank `trace_region_size` takes, by the date of the software, and how a
// trace is laid out in it. Source: tenstorrent/tt-metal tt_metal/distributed/mesh_trace.cpp
// @79925a3f (era A, 2026-05-23), PR #47122 (era B, 2026-06), PR #47766 (era C, 2026-06-24).
#pragma once

#include <cstdint>
#include <string>

#include "core/units.h"

namespace mesh {

/// A: the size is taken from every bank. B: divided over the banks, rounded to the DRAM
/// alignment. C: divided, rounded to 8192 B. A size of 0 means no region: dynamic trace buffers.
enum class TraceEra { A, B, C };

/// Bytes of each bank that the region takes.
core::Bytes trace_region_per_bank(TraceEra era, core::Bytes trace_region_size, std::int32_t banks,
                                  core::Bytes dram_alignment);

struct TraceLayout {
    core::Bytes page;
    core::Bytes padded;  // whole pages: what counts against trace_region_size
    std::int64_t pages = 0;
};
/// How the page of a trace buffer is chosen. Before 2026: 1024 to 4096, the largest that wastes no
/// more than a smaller one. Since: to 8192, and always taken from two rows of banks on. The older
/// rule is derived from one published size (751,616 B on 12 banks stays as it is).
enum class TracePages { Before2026, Since2026 };

/// Page size and padded size of a trace of `size` bytes over `banks` banks.
TraceLayout trace_layout(core::Bytes size, std::int32_t banks,
                         TracePages rule = TracePages::Since2026);

/// "Creating trace buffers of size {}B on MeshDevice {}, but only {}B is allocated for trace
/// region."
std::string trace_overflow_text(core::Bytes total, std::int32_t mesh_device, core::Bytes region);

}  // namespace mesh

// The rules of tenstorrent/tt-metal tt_metal/impl/trace/dispatch.cpp and
// tt_metal/distributed/mesh_trace.cpp @79925a3f (era A, page choice, text), #47122 (B), #47766 (C).
#include "mesh/trace_region.h"

#include <fmt/format.h>

#include "core/error.h"

namespace mesh {

namespace {
constexpr std::int64_t kSmallestPage = 1024;
constexpr std::int64_t kLargestPage = 8192;
constexpr std::int64_t kLargestPageBefore2026 = 4096;
}  // namespace

core::Bytes trace_region_per_bank(TraceEra era, core::Bytes trace_region_size, std::int32_t banks,
                                  core::Bytes dram_alignment) {
    core::require(banks > 0 && dram_alignment.value > 0, "banks and alignment are positive");
    if (trace_region_size.value < 0) {
        throw core::Error::mismatch("trace region", "trace_region_size", "0 bytes or more",
                                    fmt::to_string(trace_region_size.value));
    }
    if (era == TraceEra::A) return core::round_up(trace_region_size, dram_alignment);
    const core::Bytes share{core::ceil_div(trace_region_size.value, banks)};
    return core::round_up(share, era == TraceEra::B ? dram_alignment : core::Bytes{kLargestPage});
}

TraceLayout trace_layout(core::Bytes size, std::int32_t banks, TracePages rule) {
    core::require(banks > 0 && size.value >= 0, "a trace has a size and is dealt over banks");
    const bool since_2026 = rule == TracePages::Since2026;
    const std::int64_t largest = since_2026 ? kLargestPage : kLargestPageBefore2026;
    std::int64_t page = kSmallestPage;
    std::int64_t taken_waste = core::round_up(size.value, banks * page) - size.value;
    for (std::int64_t next = 2 * kSmallestPage; next <= largest; next *= 2) {
        const std::int64_t row = banks * next;
        const std::int64_t waste = core::round_up(size.value, row) - size.value;
        if (waste <= taken_waste || (since_2026 && size.value / row >= 2)) {
            page = next;
            taken_waste = waste;
        }
    }
    const std::int64_t pages = core::ceil_div(size.value, page);
    return {.page = {page}, .padded = {pages * page}, .pages = pages};
}

std::string trace_overflow_text(core::Bytes total, std::int32_t mesh_device, core::Bytes region) {
    return fmt::format(
        "Creating trace buffers of size {}B on MeshDevice {}, but only {}B is allocated for trace "
        "region.",
        total.value, mesh_device, region.value);
}

}  // namespace mesh

// Cores that begin together ask for pages in the same order: with n pages each, core i starts at
// page i n, so they start on banks / gcd(n, banks) of the banks and spread over the others while
// they go. A run of n rounds then takes n + gcd - 1.
#include "dispatch/kernel_time.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "mesh/kernel_spec.h"

namespace dispatch {
namespace {

core::Picoseconds duration_of(double cycles, const mesh::ChipSpec& chip) {
    return core::Picoseconds{std::llround(cycles / static_cast<double>(chip.clock.value) * 1e12)};
}

// Bytes over the rate of interleaved pages; writes alone are slower (write_share).
core::Picoseconds dram_time(const KernelWork& work, const mesh::ChipSpec& chip) {
    const core::Bytes all = work.dram_read + work.dram_written;
    if (all.value == 0) return {};
    const core::Picoseconds shared = all / chip.dram.interleaved;
    const core::Picoseconds written = work.dram_written / chip.dram.interleaved;
    const double longest =
        std::max(static_cast<double>(shared.count()),
                 static_cast<double>(written.count()) / chip.kernels->stream.write_share);
    const std::int64_t rounds = std::max<std::int64_t>(work.steps, 1);
    const std::int64_t apart = std::gcd(rounds, std::int64_t{chip.dram.banks});
    const bool crowded = work.cores > chip.dram.banks;
    const double spread =
        crowded ? static_cast<double>(rounds + apart - 1) / static_cast<double>(rounds) : 1.0;
    return core::Picoseconds{std::llround(longest * spread)};
}

}  // namespace

double stream_cycles(const PageStream& stream, const mesh::ChipSpec& chip) {
    if (stream.place == Place::Local || stream.pages <= 0) return 0;
    core::require(stream.batch > 0, "a batch has pages");
    const mesh::StreamSpec& spec = chip.kernels->stream;
    const bool dram = stream.place == Place::Dram;
    const double rate =
        dram ? spec.page_bytes_per_cycle
             : static_cast<double>(chip.core_l1.value) / static_cast<double>(chip.clock.value);
    const double latency = static_cast<double>((dram ? spec.dram_latency : spec.l1_latency).value);
    const double page =
        std::max(static_cast<double>(spec.page_issue.value), stream.page_bytes / rate);
    return std::ceil(stream.pages / stream.batch) * latency + stream.pages * page;
}

OpTime kernel_time(const KernelWork& work, const mesh::ChipSpec& chip) {
    core::require(work.cores > 0, "a kernel runs on cores");
    core::require(chip.kernels != nullptr, "a chip has kernels");
    const double moving = std::max(work.read_cycles, work.write_cycles);
    const double step = std::max(moving, work.compute_cycles);
    // The first page is read and the last written with nothing else going on.
    const double ends = work.read_cycles + work.compute_cycles + work.write_cycles - step;
    const core::Picoseconds alone =
        chip.kernels->stream.start + duration_of(work.once_cycles + ends, chip);
    const auto steps = static_cast<double>(work.steps);
    return {.compute = alone + duration_of(work.compute_cycles * steps, chip),
            .dram = alone + dram_time(work, chip),
            .l1 = alone + duration_of(moving * steps, chip),
            .begins = chip.kernels->stream.start + duration_of(work.prepare_cycles, chip),
            .alone = alone};
}

}  // namespace dispatch

#include "dispatch/launch_time.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "dispatch/trace_size.h"

namespace dispatch {
namespace {

using core::Bytes;
using core::Picoseconds;

constexpr Bytes kL1Alignment{16};     // HalMemType::L1, both architectures
constexpr Bytes kWord{4};             // a runtime argument
constexpr Bytes kCircularBuffer{16};  // UINT32_WORDS_PER_LOCAL_CIRCULAR_BUFFER_CONFIG words
constexpr Bytes kSemaphore{16};       // SEMAPHORE_SIZE rounded up to the L1 alignment

// GUESS after ttnn's all_gather_async and reduce_scatter_minimal_async program factories: per link
// and direction a worker core and a mux core, each with the addresses, semaphores and fabric
// connection of its link; two kernel groups.
LaunchShape shape_of(const CollectiveCommand& command) {
    constexpr std::int64_t kDirections = 2;
    constexpr std::int64_t kCoresPerDirection = 2;
    constexpr std::int64_t kArguments = 48;
    return {.cores = command.collective.links * kDirections * kCoresPerDirection,
            .groups = 2,
            .unique_args = kArguments,
            .circular_buffers = 3};
}

// Kernels and arguments go to every core of the grid: ttnn's eltwise kernels run on all worker
// cores (idle ones get zeros), DRAM-sharded matmuls on the bounding box of their cores.
LaunchShape shape_of(const OpCommand& command) {
    const KernelPlan& plan = command.plan;
    return {.cores = std::max(plan.grid.cores(), plan.cores),
            .groups = plan.kernel_groups,
            .unique_args = plan.unique_args + kTraceCosts.uncounted_args,
            .common_args = plan.common_args,
            .circular_buffers = static_cast<std::int64_t>(plan.circular_buffers.size())};
}

double cycles_of(double bytes, double per_cycle) { return per_cycle > 0 ? bytes / per_cycle : 0; }

double number(Bytes size) { return static_cast<double>(size.value); }
double number(core::Cycles cycles) { return static_cast<double>(cycles.value); }

Picoseconds time_of(double cycles, const mesh::ChipSpec& chip) {
    return core::duration(core::Cycles{std::llround(cycles)}, chip.clock);
}

// Core by core, each when its bytes have come through the prefetcher.
double argument_cycles(const LaunchShape& shape, const mesh::LaunchKernelSpec& spec) {
    const double size = number(shape.argument_bytes());
    if (size == 0) return 0;
    const double each =
        std::max(spec.args_core_cycles + cycles_of(size, spec.write_bytes_per_cycle),
                 cycles_of(size, spec.stream_bytes_per_cycle));
    return number(spec.command) * static_cast<double>(shape.groups) +
           each * static_cast<double>(shape.cores);
}

double configuration_cycles(const LaunchShape& shape, const mesh::LaunchKernelSpec& spec) {
    const double size = number(shape.configuration_bytes());
    if (size == 0) return 0;
    const std::int64_t cores = shape.configured_cores > 0 ? shape.configured_cores : shape.cores;
    return number(spec.config) + spec.config_core_cycles * static_cast<double>(cores) +
           cycles_of(size, spec.write_bytes_per_cycle);
}

}  // namespace

Bytes LaunchShape::argument_bytes() const {
    return core::round_up(kWord * unique_args, kL1Alignment);
}

Bytes LaunchShape::configuration_bytes() const {
    return core::round_up(kWord * common_args, kL1Alignment) + kCircularBuffer * circular_buffers +
           kSemaphore * semaphores;
}

Bytes LaunchShape::core_bytes() const {
    return kernel * processors + argument_bytes() + configuration_bytes();
}

LaunchShape launch_shape(const Command& command) {
    const auto* op = std::get_if<OpCommand>(&command.body);
    core::require(op != nullptr || std::holds_alternative<CollectiveCommand>(command.body),
                  "only ops and collectives are programs");
    LaunchShape shape =
        op != nullptr ? shape_of(*op) : shape_of(std::get<CollectiveCommand>(command.body));
    shape.processors = kTraceCosts.processors;
    shape.kernel = Bytes{kTraceCosts.kernel_binaries.value / kTraceCosts.processors};
    return shape;
}

const mesh::LaunchRelease& launch_release(const mesh::ChipSpec& chip, Release release) {
    static const mesh::LaunchRelease kNone{};
    if (!chip.kernels) return kNone;
    const char* const name = release == Release::R2025      ? "2025"
                             : release == Release::R2026_05 ? "2026-05"
                                                            : "2026-09";
    const auto found = chip.kernels->launch.releases.find(name);
    return found == chip.kernels->launch.releases.end() ? kNone : found->second;
}

LaunchCost launch_cost(const LaunchShape& shape, Binaries binaries, const mesh::ChipSpec& chip,
                       const LaunchOptions& options) {
    core::require(shape.cores > 0 && shape.groups > 0, "a program runs on cores");
    if (!chip.kernels) return {};
    const mesh::LaunchKernelSpec& spec = chip.kernels->launch;
    const mesh::LaunchRelease& release = launch_release(chip, options.release);
    const bool writes = (shape.argument_bytes() + shape.configuration_bytes()).value > 0;
    const double count = static_cast<double>(shape.processors * shape.groups);
    const double binary_bytes = number(shape.kernel) * count;
    const double sent = cycles_of(binary_bytes, spec.stream_bytes_per_cycle);
    double cycles = number(spec.base) + number(spec.group) * static_cast<double>(shape.groups - 1) +
                    argument_cycles(shape, spec) + configuration_cycles(shape, spec);
    if (binaries == Binaries::Cached) cycles = std::max(cycles, sent);
    if (binaries == Binaries::Fetched) {
        cycles +=
            number(spec.command) * count + cycles_of(binary_bytes, spec.fetch_bytes_per_cycle);
    }
    const double factor = options.core == mesh::DispatchCore::Ethernet ? spec.ethernet_factor : 1.0;
    Picoseconds least = release.floor + (writes ? release.floor_writes : Picoseconds{});
    least = Picoseconds{std::llround(static_cast<double>(least.count()) * factor)};
    if (binaries == Binaries::Fetched) least = std::max(least, spec.untraced_floor);
    LaunchCost cost;
    cost.dispatch = std::max(time_of(cycles * factor, chip), least);
    if (!release.binaries_stay && binaries != Binaries::Fetched) {
        cost.dispatch += time_of(sent * factor, chip);
    }
    cost.load = time_of(cycles_of(number(shape.iram_kernel), spec.iram_bytes_per_cycle), chip);
    // Binaries that stay are not written again, so the ring has room for what follows.
    cost.ring = binaries == Binaries::Resident ? Bytes{} : shape.core_bytes();
    return cost;
}

Picoseconds launch_period(const LaunchCost& cost, Picoseconds kernel, const mesh::ChipSpec& chip) {
    const Picoseconds busy = kernel + cost.load + chip.launch.traced_gap;
    const Bytes ring = chip.kernels ? chip.kernels->launch.config_ring : Bytes{};
    if (ring.value > 0 && cost.ring + cost.ring > ring) return busy + cost.dispatch;
    return std::max(busy, cost.dispatch);
}

}  // namespace dispatch

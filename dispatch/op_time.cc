// How long an op takes on one chip: matmuls (matmul_time.h), kernels that stream pages
// (kernel_op.h), and a roofline of KernelPlan and work for what is neither: matrix and vector work
// are shared evenly by the cores, whole tiles each, one after the other; DRAM and L1 traffic
// overlap with them. `launch` is what the launch floor leaves beside the gap
// that the device keeps between programs: period = max(kernel + gap, floor), as measured by
// tenstorrent/tt-metal perf_microbenchmark/dispatch (pgm_dispatch.json).
// Units: picoseconds; bytes as counted by tensor::work, on one chip.
#include "dispatch/op_time.h"

#include <algorithm>

#include "core/error.h"
#include "dispatch/attention_time.h"
#include "dispatch/experts_time.h"
#include "dispatch/kernel_op.h"
#include "dispatch/matmul_time.h"
#include "dispatch/ring_matmul_time.h"

namespace dispatch {
namespace {

/// Bytes of one chip's operands by where they are.
struct Traffic {
    core::Bytes interleaved;
    core::Bytes sharded;
    core::Bytes l1;
};

void add(Traffic& traffic, std::span<const core::Bytes> sizes,
         std::span<const MemoryConfig> places) {
    for (std::size_t i = 0; i < sizes.size(); ++i) {
        const MemoryConfig place = i < places.size() ? places[i] : MemoryConfig{};
        if (place.type != mesh::BufferType::Dram) {
            traffic.l1 += sizes[i];
        } else if (place.layout == MemoryLayout::DramWidthSharded) {
            traffic.sharded += sizes[i];
        } else {
            traffic.interleaved += sizes[i];
        }
    }
}

core::Picoseconds time(core::Bytes size, core::BytesPerSecond rate) {
    if (size.value == 0) return {};
    core::require(rate.value > 0, "a chip has rates");
    return size / rate;
}

}  // namespace

core::Picoseconds OpTime::total() const { return std::max({compute, dram, l1, launch}); }

std::string OpTime::bound() const {
    const core::Picoseconds longest = total();
    if (compute == longest) return "compute";
    if (dram == longest) return "dram";
    return l1 == longest ? "l1" : "launch";
}

OpTime op_time(const KernelPlan& plan, const tensor::Work& work, const mesh::ChipSpec& chip) {
    core::require(plan.cores > 0, "a kernel runs on cores");
    const std::int64_t cores = plan.cores;
    const std::int64_t cycles = chip.tile_cycles[static_cast<std::size_t>(plan.fidelity)];
    const core::Cycles ticks =
        core::Cycles{cycles} * core::ceil_div(work.tile_products, cores) +
        core::Cycles{chip.eltwise_tile_cycles} * core::ceil_div(work.eltwise_tiles, cores);

    Traffic traffic;
    add(traffic, work.reads, plan.inputs);
    add(traffic, work.writes, plan.outputs);
    const core::Bytes per_core{core::ceil_div(traffic.l1.value, cores)};
    const core::Picoseconds floor = chip.launch.launch_floor - chip.launch.traced_gap;
    return {.compute = core::duration(ticks, chip.clock),
            .dram = time(traffic.interleaved, chip.dram.interleaved) +
                    time(traffic.sharded, chip.dram.sharded),
            .l1 = time(per_core, chip.core_l1),
            .launch = std::max(floor, core::Picoseconds{})};
}

OpTime op_time(const tensor::Op& op, std::span<const tensor::Spec> in,
               const tensor::Bindings& bindings, const KernelPlan& plan, const mesh::ChipSpec& chip,
               MatmulTuning tuning) {
    const tensor::Work work = tensor::work(op, in, bindings);
    OpTime time = op_time(plan, work, chip);
    if (auto attention = attention_time(op, in, bindings, plan, chip)) {
        attention->launch = time.launch;
        return *attention;
    }
    if (const auto question = kernel_question(op, in, work, plan)) {
        const core::Picoseconds floor = time.launch;
        time = kernel_time(*question, chip);
        time.launch = floor;
        return time;
    }
    if (auto experts = experts_time(op, in, bindings, plan, chip, tuning)) {
        experts->launch = time.launch;
        return *experts;
    }
    if (!std::holds_alternative<tensor::Linear>(op)) return time;
    const MatmulSpecs specs{in[0], in[1], tensor::infer(op, in)[0]};
    if (is_ring(specs, plan) || reads_on_ring(specs, plan, chip)) {
        OpTime ring = ring_matmul_time(specs, plan, chip);
        ring.launch = time.launch;
        return ring;
    }
    const core::Cycles eltwise = core::Cycles{chip.eltwise_tile_cycles} *
                                 core::ceil_div(work.eltwise_tiles, std::int64_t{plan.cores});
    const core::Picoseconds launch = time.launch;
    time = matmul_time(specs, plan, eltwise, chip, tuning);
    time.launch = launch;
    return time;
}

}  // namespace dispatch

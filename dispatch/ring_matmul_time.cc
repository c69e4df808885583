#include "dispatch/ring_matmul_time.h"

#include <cmath>

#include "core/error.h"
#include "mesh/kernel_spec.h"

namespace dispatch {
namespace {

using core::ceil_div;

// Each core's part of depth and columns: whole tiles, padded.
struct Share {
    std::int64_t depth;
    std::int64_t cols;
};

Share share_of(const MatmulSpecs& specs, std::int32_t cores) {
    return {ceil_div(specs.depth_tiles(), std::int64_t{cores}),
            ceil_div(specs.col_tiles(), std::int64_t{cores})};
}

}  // namespace

void place_on_ring(KernelPlan& plan, const MatmulSpecs& specs, std::int32_t cores) {
    core::require(specs.row_tiles() == 1 && cores > 0, "a ring multiplies one row of tiles");
    const Share share = share_of(specs, cores);
    plan.cores = cores;
    plan.inputs.at(1) = {mesh::BufferType::L1, MemoryLayout::WidthSharded, cores};
    // in0 has room for the shares of all cores; the weight's buffer is the global one.
    plan.circular_buffers = {
        {"in0", tensor::tile_bytes(specs.x.dtype) * (share.depth * cores)},
        {"out", tensor::tile_bytes(specs.out.dtype) * share.cols},
        {"intermediate", tensor::tile_bytes(tensor::DType::BFloat16) * share.cols}};
}

void read_on_ring(KernelPlan& plan, const MatmulSpecs& specs, std::int32_t cores) {
    const MemoryConfig weight = plan.inputs.at(1);
    place_on_ring(plan, specs, cores);
    plan.inputs[1] = weight;
    const Share share = share_of(specs, cores);
    plan.circular_buffers.push_back(
        {"in1", tensor::tile_bytes(specs.weight.dtype) * (2 * share.depth * share.cols)});
}

bool is_ring(const MatmulSpecs& specs, const KernelPlan& plan) {
    return plan.inputs.size() > 1 && plan.inputs[1].type == mesh::BufferType::L1 &&
           plan.inputs[1].layout == MemoryLayout::WidthSharded && specs.row_tiles() == 1;
}

bool reads_on_ring(const MatmulSpecs& specs, const KernelPlan& plan, const mesh::ChipSpec& chip) {
    return plan.inputs.size() > 1 && plan.inputs[1].layout == MemoryLayout::DramWidthSharded &&
           specs.row_tiles() == 1 && plan.cores > chip.dram.banks;
}

OpTime ring_matmul_time(const MatmulSpecs& specs, const KernelPlan& plan,
                        const mesh::ChipSpec& chip) {
    const bool in_l1 = is_ring(specs, plan);
    core::require((in_l1 || reads_on_ring(specs, plan, chip)) && chip.kernels,
                  "a ring on a chip whose kernels are known");
    const Share share = share_of(specs, plan.cores);
    const std::int64_t cycles = chip.tile_cycles[static_cast<std::size_t>(plan.fidelity)];
    // A step of the ring ends when its last tile has gone through unpacker, math and packer.
    const std::int64_t step = cycles * share.depth * share.cols + chip.eltwise_tile_cycles;
    const std::int64_t multiplied = step * plan.cores;
    const mesh::NocSpec& noc = chip.kernels->noc;
    const core::Bytes passed = tensor::tile_bytes(specs.x.dtype) * (share.depth * plan.cores);
    const double flits = static_cast<double>(ceil_div(passed.value, noc.flit.value));
    const core::Cycles passing{std::llround(std::ceil(flits * noc.flit_cycles))};
    const core::Picoseconds start = chip.kernels->stream.start;
    return {.compute = start + core::duration(core::Cycles{multiplied}, chip.clock),
            .dram = in_l1 ? core::Picoseconds{} : start + specs.weight.bytes() / chip.dram.sharded,
            .l1 = start + core::duration(passing, chip.clock),
            .begins = start};
}

}  // namespace dispatch

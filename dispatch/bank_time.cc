#include "dispatch/bank_time.h"

#include <algorithm>
#include <cmath>

#include "dispatch/bank_blocks.h"
#include "mesh/kernel_spec.h"

namespace dispatch {
namespace {

using core::ceil_div;

/// Cycles from one block of the activations to the next: a core asks its owner for it, who
/// multicasts it when all have asked. Request and data go once around the rings together, as data
/// and acknowledgement do in the time of a multicast; the request has its own endpoint.
double hand_over_cycles(const MatmulSpecs& specs, const KernelPlan& plan,
                        const mesh::ChipSpec& chip, const BankBlocks& blocks) {
    const mesh::NocSpec& noc = chip.kernels->noc;
    const core::Bytes block = tensor::tile_bytes(specs.x.dtype) * blocks.depth;
    mesh::NocTraffic send;
    send.op = mesh::NocOp::MulticastLinked;
    send.transactions = ceil_div(block.value, noc.packet.value);
    send.size = core::Bytes{ceil_div(block.value, send.transactions)};
    send.sender = mesh::NocSender::AmongTargets;
    send.targets = plan.grid;
    return noc.endpoint_cycles + static_cast<double>(mesh::noc_time(noc, send).total().value);
}

/// Cycles that a core computes a block: fidelity phases for every product; the packer adds one
/// sub-block to the sums in L1 while the next is multiplied, a tile in the time of an eltwise op.
double compute_cycles(const KernelPlan& plan, const mesh::ChipSpec& chip,
                      const BankBlocks& blocks) {
    const std::int64_t phases = chip.tile_cycles[static_cast<std::size_t>(plan.fidelity)];
    const auto products = static_cast<double>(blocks.depth * phases);
    return static_cast<double>(blocks.computed()) *
           std::max(products, static_cast<double>(chip.eltwise_tile_cycles));
}

}  // namespace

// All but the first block of what comes before the slowest of the three, and the last of what comes
// after it, hides behind it.
OpTime bank_time(const MatmulSpecs& specs, const KernelPlan& plan, const mesh::ChipSpec& chip) {
    const BankBlocks blocks = bank_blocks(
        {specs.x, specs.weight, specs.out, plan.inputs[0], plan.cores, plan.fidelity}, chip);
    const auto of = [&](double cycles, std::int64_t count) {
        return core::duration(core::Cycles{std::llround(cycles * static_cast<double>(count))},
                              chip.clock);
    };
    // A bank gives 1/banks of the rate; written so that the rate stays whole.
    const auto read = [&](std::int64_t depth) {
        return tensor::tile_bytes(specs.weight.dtype) * (blocks.cols * depth * chip.dram.banks) /
               chip.dram.sharded;
    };
    const double compute = compute_cycles(plan, chip, blocks);
    const double hand_over = hand_over_cycles(specs, plan, chip, blocks);
    const core::Picoseconds first = std::max(read(blocks.depth), of(hand_over, 1));
    const core::Picoseconds last = of(compute, 1);
    core::Picoseconds alone = chip.kernels->stream.start + std::min(first, last);
    if (plan.inputs[0].type == mesh::BufferType::Dram) {
        alone += specs.x.bytes() / chip.dram.interleaved;
    }
    alone += plan.outputs[0].type == mesh::BufferType::Dram
                 ? specs.out.bytes() / chip.dram.interleaved
                 : tensor::tile_bytes(specs.out.dtype) * blocks.cols / chip.core_l1;
    return {.compute = alone + of(compute, blocks.count),
            .dram = alone + read(specs.depth_tiles()),
            .l1 = alone + of(hand_over, blocks.count),
            .begins = chip.kernels->stream.start,
            .alone = alone};
}

}  // namespace dispatch

// A matmul asked on its own: its specs, its plan as a prefill's Linear has it, its time.
#include "dispatch/matmul_question.h"

#include <algorithm>
#include <vector>

#include "core/error.h"
#include "dispatch/lower.h"
#include "mesh/kernel_spec.h"

namespace dispatch {
namespace {

MemoryConfig placed_in(mesh::BufferType type, mesh::Grid grid) {
    if (type != mesh::BufferType::L1) return {};
    return {mesh::BufferType::L1, MemoryLayout::BlockSharded, grid.cores()};
}

// Every core tilizes its rows, as wide as the weight is deep.
OpTime with_windows(OpTime time, const MatmulQuestion& question, const mesh::ChipSpec& chip) {
    if (question.rows == ActivationRows::Tiles) return time;
    const std::int64_t tiles = core::ceil_div(question.m, tensor::kTileSide) *
                               core::ceil_div(question.k, tensor::kTileSide);
    time.compute += core::duration(core::Cycles{chip.eltwise_tile_cycles} *
                                       core::ceil_div(tiles, std::int64_t{question.grid.cores()}),
                                   chip.clock);
    return time;
}

// What every further head adds is all but the start.
OpTime all_heads(OpTime time, std::int64_t heads, const mesh::ChipSpec& chip) {
    const core::Picoseconds start = chip.kernels->stream.start;
    for (core::Picoseconds* part : {&time.compute, &time.dram, &time.l1}) {
        *part += (*part - std::min(start, *part)) * (heads - 1);
    }
    return time;
}

}  // namespace

double MatmulQuestion::flops() const {
    return 2.0 * static_cast<double>(heads) * static_cast<double>(m) * static_cast<double>(k) *
           static_cast<double>(n);
}

OpTime matmul_time(const MatmulQuestion& question, const mesh::ChipSpec& chip) {
    core::require(question.m > 0 && question.k > 0 && question.n > 0, "a matmul has sizes");
    core::require(question.grid.x > 0 && question.grid.y > 0, "a matmul has a grid");
    const tensor::Op op = tensor::Linear{.out = question.result.value_or(question.dtype)};
    std::vector<tensor::Spec> in{
        {{question.m, question.k}, question.dtype, tensor::Layout::Tile},
        {{question.k, question.n}, question.weight.value_or(question.dtype), tensor::Layout::Tile}};
    if (question.bias) in.push_back({{question.n}, *question.bias, tensor::Layout::Tile});
    MemoryConfig weight;
    weight.layout = question.weight_layout;
    std::vector<MemoryConfig> placed{placed_in(question.activations, question.grid), weight};
    placed.resize(in.size());
    KernelPlan plan = lower(op, in, tensor::infer(op, in), placed,
                            {&chip, question.grid, tensor::Phase::Prefill, question.fidelity});
    plan.partial_sums = question.partial_sums;
    plan.projection = question.projection;
    plan.outputs = {placed_in(question.output, question.grid)};
    const OpTime one = op_time(op, in, {}, plan, chip, question.tuning);
    return all_heads(with_windows(one, question, chip), question.heads, chip);
}

}  // namespace dispatch

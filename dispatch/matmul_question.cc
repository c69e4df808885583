// A matmul asked on its own: its specs, its plan as a prefill's Linear has it, its time.
#include "dispatch/matmul_question.h"

#include <vector>

#include "core/error.h"
#include "dispatch/lower.h"

namespace dispatch {
namespace {

MemoryConfig placed_in(mesh::BufferType type, mesh::Grid grid) {
    if (type != mesh::BufferType::L1) return {};
    return {mesh::BufferType::L1, MemoryLayout::BlockSharded, grid.cores()};
}

}  // namespace

double MatmulQuestion::flops() const {
    return 2.0 * static_cast<double>(m) * static_cast<double>(k) * static_cast<double>(n);
}

OpTime matmul_time(const MatmulQuestion& question, const mesh::ChipSpec& chip) {
    core::require(question.m > 0 && question.k > 0 && question.n > 0, "a matmul has sizes");
    core::require(question.grid.x > 0 && question.grid.y > 0, "a matmul has a grid");
    const tensor::Op op = tensor::Linear{.out = question.result.value_or(question.dtype)};
    const std::vector<tensor::Spec> in{
        {{question.m, question.k}, question.dtype, tensor::Layout::Tile},
        {{question.k, question.n}, question.weight.value_or(question.dtype), tensor::Layout::Tile}};
    MemoryConfig weight;
    weight.layout = question.weight_layout;
    const std::vector<MemoryConfig> placed{placed_in(question.activations, question.grid), weight};
    KernelPlan plan = lower(op, in, tensor::infer(op, in), placed,
                            {&chip, question.grid, tensor::Phase::Prefill, question.fidelity});
    plan.outputs = {placed_in(question.output, question.grid)};
    return op_time(op, in, {}, plan, chip, question.tuning);
}

}  // namespace dispatch

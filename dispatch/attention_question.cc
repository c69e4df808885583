// An attention asked on its own: its shape, its plan as lower makes it, its time.
#include "dispatch/attention_question.h"

#include "core/error.h"

namespace dispatch {
namespace {

using core::ceil_div;

KernelPlan plan_of(const AttentionQuestion& question, const mesh::ChipSpec& chip) {
    KernelPlan plan;
    plan.grid = chip.worker_grid;
    plan.fidelity = question.fidelity;
    plan.cores =
        static_cast<std::int32_t>(question.cores > 0 ? question.cores : chip.worker_grid.cores());
    plan.attention = question.config;
    return plan;
}

AttentionAnswer prefill(const AttentionQuestion& question, const mesh::ChipSpec& chip) {
    KernelPlan plan = plan_of(question, chip);
    const PrefillAttention shape{.of = question.of,
                                 .batch = question.batch,
                                 .rows = question.rows,
                                 .prior = question.keys - question.rows,
                                 .keys = question.keys,
                                 .window = question.window,
                                 .mask = question.mask};
    if (question.chunks == AttentionChunks::AsModels) {
        const bool causal = question.mask == AttentionMask::Causal;
        const AttentionConfig rule = prefill_config(shape.rows, causal ? shape.prior : 0);
        plan.attention.q_chunk = rule.q_chunk;
        plan.attention.k_chunk = rule.k_chunk;
    } else if (question.chunks == AttentionChunks::Tuned) {
        plan.attention = tuned_config(shape, plan, chip);
    }
    plan.cores = static_cast<std::int32_t>(prefill_cores(shape, plan.attention, plan.cores));
    return {attention_time(shape, plan, chip), plan.cores, plan.attention};
}

AttentionAnswer decode(const AttentionQuestion& question, const mesh::ChipSpec& chip) {
    KernelPlan plan = plan_of(question, chip);
    DecodeAttention shape{question.of, {}, question.window};
    shape.contexts.assign(static_cast<std::size_t>(question.batch), question.keys);
    plan.cores =
        static_cast<std::int32_t>(decode_cores(shape, plan.cores, question.most_cores_per_head));
    return {attention_time(shape, plan, chip), plan.cores, plan.attention};
}

/// Every product reads two tiles; scores are written, read and written by softmax.
AttentionAnswer unfused(const AttentionQuestion& question, const mesh::ChipSpec& chip) {
    const KernelPlan plan = plan_of(question, chip);
    const AttentionHeads& of = question.of;
    const std::int64_t scores = question.batch * of.heads *
                                ceil_div(question.rows, tensor::kTileSide) *
                                ceil_div(question.keys, tensor::kTileSide);
    const std::int64_t products =
        scores * (ceil_div(of.q_dim, tensor::kTileSide) + ceil_div(of.v_dim, tensor::kTileSide));
    const core::Bytes moved = (tensor::tile_bytes(of.q) + tensor::tile_bytes(of.kv)) * products +
                              tensor::tile_bytes(of.q) * (3 * scores);
    const std::int64_t cycles = chip.tile_cycles[static_cast<std::size_t>(plan.fidelity)];
    const core::Cycles ticks =
        core::Cycles{cycles} * ceil_div(products, std::int64_t{plan.cores}) +
        core::Cycles{chip.eltwise_tile_cycles} * ceil_div(scores, std::int64_t{plan.cores});
    return {{.compute = core::duration(ticks, chip.clock), .dram = moved / chip.dram.interleaved},
            plan.cores,
            plan.attention};
}

}  // namespace

double AttentionQuestion::full_flops() const {
    return 2.0 * static_cast<double>(batch * of.heads) * static_cast<double>(rows) *
           static_cast<double>(keys) * static_cast<double>(of.q_dim + of.v_dim);
}

AttentionAnswer attention_answer(const AttentionQuestion& question, const mesh::ChipSpec& chip) {
    core::require(question.batch > 0 && question.rows > 0 && question.keys >= 1,
                  "attention has users, rows and keys");
    core::require(question.mask == AttentionMask::Full || question.keys >= question.rows,
                  "the rows' own positions are among the keys");
    AttentionAnswer answer;
    switch (question.kind) {
        case AttentionKind::Prefill:
            answer = prefill(question, chip);
            break;
        case AttentionKind::Decode:
            answer = decode(question, chip);
            break;
        case AttentionKind::Unfused:
            answer = unfused(question, chip);
            break;
    }
    return answer;
}

}  // namespace dispatch

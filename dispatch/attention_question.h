// One attention on one chip as people and published tables put it: users, heads, positions,
// formats, a mask, chunks. The one way to its time for `tessera op` and for `tessera validate`:
// dispatch/attention_time.h, with the plan that lower makes unless the question says otherwise.
// Invariant: K and V have one format; q and the output another.
#pragma once

#include "dispatch/attention_time.h"

namespace dispatch {

/// Unfused: matmul, softmax and matmul through DRAM, every tile product reading both its tiles (the
/// multi-core matmul without reuse), as the baseline of FlashAttention.md is.
enum class AttentionKind { Prefill, Decode, Unfused };
/// Whose chunks: those of tt_transformers, the best that fit, or those of `config`.
enum class AttentionChunks { AsModels, Tuned, Given };

struct AttentionQuestion {
    AttentionKind kind = AttentionKind::Prefill;
    AttentionHeads of{};
    std::int64_t batch = 1;
    std::int64_t rows = 1;  // of queries; 1 in decode
    std::int64_t keys = 1;  // positions in the cache, those of the rows among them
    std::int64_t window = 0;
    AttentionMask mask = AttentionMask::Causal;
    mesh::Fidelity fidelity = mesh::Fidelity::HiFi2;
    std::int64_t cores = 0;  // that it may take; 0: the worker grid
    std::int64_t most_cores_per_head = kMostCoresPerHead;
    AttentionChunks chunks = AttentionChunks::AsModels;
    AttentionConfig config{};

    /// Multiply-adds times two of all scores, masked ones among them.
    double full_flops() const;
};

struct AttentionAnswer {
    OpTime time{};
    std::int64_t cores = 0;    // that get work
    AttentionConfig config{};  // as run
};

/// Without the gap that the device keeps between programs. Requires: sizes above 0.
AttentionAnswer attention_answer(const AttentionQuestion& question, const mesh::ChipSpec& chip);

}  // namespace dispatch

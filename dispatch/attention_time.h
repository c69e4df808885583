// How long fused attention takes on one chip. A core holds a chunk of queries and walks chunks of
// keys and values: two products per score tile and depth tile, softmax of the score tile, while
// the next chunk is read from DRAM. Decode splits the keys of a user's KV head over cores, which
// then merge their partial results. Prefill deals query chunks to cores: rounds.
// Mechanism and programs: tenstorrent/tt-metal: tech_reports/FlashAttention/FlashAttention.md,
// FlashDecode.md, KV_Chain_Forwarding.md. Constants: `attention` and `matmul` of
// topologies/kernels. docs/attention.md.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "dispatch/op_time.h"

namespace dispatch {

/// Of one chip. `q_dim` is the depth of q and k, `v_dim` the width of v and of the output.
struct AttentionHeads {
    std::int64_t heads = 1;
    std::int64_t kv_heads = 1;
    std::int64_t q_dim = 1;
    std::int64_t v_dim = 1;
    tensor::DType q = tensor::DType::BFloat16;
    tensor::DType kv = tensor::DType::BFloat16;
};

/// Causal: a row sees no key behind itself, and chunks of them are left out. Full: all rows walk
/// all keys in step, so K and V are read once per head and handed from core to core.
enum class AttentionMask { Causal, Full };

/// `rows` queries per head and user from position `prior` on, against `keys` positions.
struct PrefillAttention {
    AttentionHeads of{};
    std::int64_t batch = 1;
    std::int64_t rows = 1;
    std::int64_t prior = 0;
    std::int64_t keys = 1;    // prior + rows where causal
    std::int64_t window = 0;  // positions a query sees back from itself; 0: all
    AttentionMask mask = AttentionMask::Causal;
};

/// One query position per user against the first `contexts[user]` positions of its cache.
struct DecodeAttention {
    AttentionHeads of{};
    std::vector<std::int64_t> contexts{};
    std::int64_t window = 0;
};

/// Chunks as tt_transformers has them: 256 rows from 2048 on, else 64; with tokens before them at
/// most the largest power of two that divides their count.
AttentionConfig prefill_config(std::int64_t rows, std::int64_t prior);
/// Keys per step of decode: as configured, or the power of two at or above the context, at most
/// 256.
std::int64_t decode_chunk(const AttentionConfig& config, std::int64_t context);
/// The chunks of least time of those that fit L1, as a sweep would find them. Keeps the rest of
/// plan.attention.
AttentionConfig tuned_config(const PrefillAttention& shape, const KernelPlan& plan,
                             const mesh::ChipSpec& chip);

/// Of `available` cores, those that get queries (prefill) or keys (decode).
std::int64_t prefill_cores(const PrefillAttention& shape, const AttentionConfig& config,
                           std::int64_t available);
std::int64_t decode_cores(const DecodeAttention& shape, std::int64_t available,
                          std::int64_t most_per_head);

/// Leave OpTime::launch at zero. Require: chunks of whole tiles, heads a multiple of kv_heads.
OpTime attention_time(const PrefillAttention& shape, const KernelPlan& plan,
                      const mesh::ChipSpec& chip);
OpTime attention_time(const DecodeAttention& shape, const KernelPlan& plan,
                      const mesh::ChipSpec& chip);

/// Of an op whose operands are known; nullopt for other ops and for a chunk of a user who lives on
/// another chip.
std::optional<OpTime> attention_time(const tensor::Op& op, std::span<const tensor::Spec> in,
                                     const tensor::Bindings& bindings, const KernelPlan& plan,
                                     const mesh::ChipSpec& chip);

/// FlashDecode.md, max_cores_per_head_batch: more only wait for each other.
inline constexpr std::int64_t kMostCoresPerHead = 16;

}  // namespace dispatch

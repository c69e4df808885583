// The closed set of ops and the five questions each answers. An op is one file in tensor/ops/.
// Attributes never depend on how the op is sharded: counts that sharding changes are read off
// the specs, so the same struct stands in the one-device graph and in every chip's program.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tensor/bindings.h"
#include "tensor/ops/activate.h"
#include "tensor/ops/add.h"
#include "tensor/ops/add_bias.h"
#include "tensor/ops/chunked_sdpa.h"
#include "tensor/ops/concat.h"
#include "tensor/ops/concat_heads.h"
#include "tensor/ops/create_qkv_heads.h"
#include "tensor/ops/embedding.h"
#include "tensor/ops/experts.h"
#include "tensor/ops/fill_cache.h"
#include "tensor/ops/first_rows.h"
#include "tensor/ops/gated_mul.h"
#include "tensor/ops/last_rows.h"
#include "tensor/ops/linear.h"
#include "tensor/ops/merge_rows.h"
#include "tensor/ops/mesh_partition.h"
#include "tensor/ops/opaque.h"
#include "tensor/ops/prefetch.h"
#include "tensor/ops/rms_norm.h"
#include "tensor/ops/rms_norm_apply.h"
#include "tensor/ops/rms_norm_stats.h"
#include "tensor/ops/rotary_embedding.h"
#include "tensor/ops/route.h"
#include "tensor/ops/sdpa.h"
#include "tensor/ops/sdpa_decode.h"
#include "tensor/ops/spread_rows.h"
#include "tensor/ops/sum_parts.h"
#include "tensor/ops/to_memory.h"
#include "tensor/ops/typecast.h"
#include "tensor/ops/untilize.h"
#include "tensor/ops/update_cache.h"

namespace tensor {

using Op = std::variant<Embedding, RmsNorm, RmsNormStats, RmsNormApply, Linear, CreateQkvHeads,
                        RotaryEmbedding, UpdateCache, FillCache, SdpaDecode, Sdpa, ChunkedSdpa,
                        ConcatHeads, Add, GatedMul, LastRows, MeshPartition, SumParts, MergeRows,
                        Concat, AddBias, Typecast, Activate, Route, Experts, Opaque, ToMemory,
                        Untilize, SpreadRows, FirstRows, Prefetch>;

// The five questions, asked of any op.
Specs infer(const Op& op, std::span<const Spec> in);
Split split(const Op& op, std::span<const Spec> in, std::span<const Placement> placed);
core::Bytes scratch(const Op& op, std::span<const Spec> in, const Bindings& bindings);
Work work(const Op& op, std::span<const Spec> in, const Bindings& bindings);
void run(const Op& op, std::span<const View> in, std::span<const View> out,
         const Bindings& bindings, Counters& counters);

/// The op's name as profiler reports spell it: "LayerNorm", "Matmul", ...
std::string_view name(const Op& op);

}  // namespace tensor

// Hands each question to the op that is asked, and names the ops.
// Names are those of tenstorrent/tt-metal's device operations in its operation reports, without the
// suffix "DeviceOperation".
#include "tensor/op.h"

namespace tensor {
namespace {

struct Names {
    std::string_view operator()(const Embedding&) const { return "Embeddings"; }
    std::string_view operator()(const RmsNorm&) const { return "LayerNorm"; }
    std::string_view operator()(const RmsNormStats&) const { return "LayerNormPreAllGather"; }
    std::string_view operator()(const RmsNormApply&) const { return "LayerNormPostAllGather"; }
    std::string_view operator()(const Linear&) const { return "Matmul"; }
    std::string_view operator()(const CreateQkvHeads& op) const {
        return op.phase == Phase::Decode ? "NLPCreateQKVHeadsDecode" : "NlpCreateHeads";
    }
    std::string_view operator()(const RotaryEmbedding&) const { return "RotaryEmbeddingLlama"; }
    std::string_view operator()(const UpdateCache&) const { return "PagedUpdateCache"; }
    std::string_view operator()(const FillCache&) const { return "PagedFillCache"; }
    std::string_view operator()(const SdpaDecode&) const { return "SdpaDecode"; }
    std::string_view operator()(const Sdpa&) const { return "ScaledDotProductAttention"; }
    std::string_view operator()(const ChunkedSdpa&) const { return "ScaledDotProductAttention"; }
    std::string_view operator()(const ConcatHeads& op) const {
        return op.phase == Phase::Decode ? "NLPConcatHeadsDecode" : "NLPConcatHeads";
    }
    std::string_view operator()(const Add&) const { return "BinaryNg"; }
    std::string_view operator()(const AddBias&) const { return "BinaryNg"; }
    std::string_view operator()(const GatedMul&) const { return "BinaryNg"; }
    std::string_view operator()(const LastRows&) const { return "Slice"; }
    std::string_view operator()(const MeshPartition& op) const {
        return op.how == MeshPartition::How::Selection ? "Matmul" : "MeshPartition";
    }
    std::string_view operator()(const SumParts&) const { return "FastReduceNC"; }
    // Rows are picked by a product with a selection matrix.
    std::string_view operator()(const MergeRows&) const { return "Matmul"; }
    std::string_view operator()(const Concat&) const { return "Concat"; }
    std::string_view operator()(const Typecast&) const { return "Typecast"; }
    std::string_view operator()(const Activate&) const { return "Unary"; }
    std::string_view operator()(const Route&) const { return "TopK"; }
    std::string_view operator()(const Experts&) const { return "SparseMatmul"; }
    std::string_view operator()(const Opaque&) const { return "Opaque"; }
    std::string_view operator()(const ToMemory& op) const {
        switch (op.route) {
            case ToMemory::Route::InterleavedToSharded:
                return "InterleavedToSharded";
            case ToMemory::Route::ShardedToInterleaved:
                return "ShardedToInterleaved";
            case ToMemory::Route::Reshard:
                return "Reshard";
            case ToMemory::Route::Copy:
                break;
        }
        return "Copy";
    }
    std::string_view operator()(const Untilize&) const { return "Untilize"; }
    std::string_view operator()(const SpreadRows&) const { return "Transpose"; }
    std::string_view operator()(const FirstRows&) const { return "Slice"; }
    std::string_view operator()(const Prefetch&) const { return "DramPrefetcher"; }
};

}  // namespace

Specs infer(const Op& op, std::span<const Spec> in) {
    return std::visit([&](const auto& one) { return infer(one, in); }, op);
}

Split split(const Op& op, std::span<const Spec> in, std::span<const Placement> placed) {
    return std::visit([&](const auto& one) { return split(one, in, placed); }, op);
}

core::Bytes scratch(const Op& op, std::span<const Spec> in, const Bindings& bindings) {
    return std::visit([&](const auto& one) { return scratch(one, in, bindings); }, op);
}

Work work(const Op& op, std::span<const Spec> in, const Bindings& bindings) {
    return std::visit([&](const auto& one) { return work(one, in, bindings); }, op);
}

void run(const Op& op, std::span<const View> in, std::span<const View> out,
         const Bindings& bindings, Counters& counters) {
    std::visit([&](const auto& one) { run(one, in, out, bindings, counters); }, op);
}

std::string_view name(const Op& op) { return std::visit(Names{}, op); }

}  // namespace tensor

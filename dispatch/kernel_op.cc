#include "dispatch/kernel_op.h"

#include <algorithm>

#include "core/error.h"

namespace dispatch {
namespace {

using core::ceil_div;
using tensor::Phase;
using tensor::Shape;
using tensor::Spec;

/// An op with its operands; one overload of `ask` per kind of op fills in the question.
struct Asked {
    std::span<const Spec> in;
    const KernelPlan& plan;
    KernelQuestion question;
};

// In decode the heads of a user are on the core of that user (nlp_create_qkv_heads_decode,
// rotary_embedding_llama, paged_update_cache take height-sharded inputs).
void keep_by_user(Asked& asked, std::int64_t users) {
    asked.question.cores =
        static_cast<std::int32_t>(std::clamp<std::int64_t>(users, 1, asked.plan.cores));
    const auto keep = [&](KernelOperand& operand) {
        if (operand.memory.type != mesh::BufferType::L1) return;
        operand.memory.layout = MemoryLayout::HeightSharded;
        operand.memory.shards = asked.question.cores;
    };
    for (KernelOperand& operand : asked.question.in) keep(operand);
    keep(asked.question.out);
}

std::int64_t face_rows(std::int64_t heads, std::int64_t head_dim) {
    return heads * ceil_div(head_dim, tensor::kTileSide) * 2;
}

void copy(Asked& asked) {
    const bool shards =
        asked.question.in[0].place() == Place::Local && asked.question.out.place() == Place::Local;
    asked.question.kind = shards ? KernelKind::Reshard : KernelKind::Copy;
}

void ask(Asked& asked, const tensor::Embedding&) {
    asked.question.kind = KernelKind::EmbeddingTiles;
}
void ask(Asked& asked, const tensor::RmsNorm&) { asked.question.kind = KernelKind::RmsNorm; }
void ask(Asked& asked, const tensor::RmsNormStats&) { asked.question.kind = KernelKind::NormStats; }
void ask(Asked& asked, const tensor::RmsNormApply&) { asked.question.kind = KernelKind::NormApply; }
void ask(Asked& asked, const tensor::LastRows&) { copy(asked); }
void ask(Asked& asked, const tensor::FirstRows&) { copy(asked); }
void ask(Asked& asked, const tensor::SpreadRows&) { asked.question.kind = KernelKind::SwapRows; }
void ask(Asked& asked, const tensor::Untilize&) { asked.question.kind = KernelKind::Untilize; }
void ask(Asked& asked, const tensor::MeshPartition&) { copy(asked); }
void ask(Asked& asked, const tensor::MergeRows&) { copy(asked); }
void ask(Asked& asked, const tensor::Concat&) { copy(asked); }
void ask(Asked& asked, const tensor::Add&) { asked.question.kind = KernelKind::Binary; }
void ask(Asked& asked, const tensor::AddBias&) { asked.question.kind = KernelKind::Binary; }
void ask(Asked& asked, const tensor::SumParts&) { asked.question.kind = KernelKind::Reduce; }
void ask(Asked& asked, const tensor::Route&) { asked.question.kind = KernelKind::Choose; }

void ask(Asked& asked, const tensor::ToMemory& op) {
    using Route = tensor::ToMemory::Route;
    switch (op.route) {
        case Route::InterleavedToSharded:
            asked.question.kind = KernelKind::InterleavedToSharded;
            break;
        case Route::ShardedToInterleaved:
            asked.question.kind = KernelKind::ShardedToInterleaved;
            break;
        case Route::Reshard:
            asked.question.kind = KernelKind::Reshard;
            break;
        case Route::Copy:
            asked.question.kind = KernelKind::Copy;
            break;
    }
}

void ask(Asked& asked, const tensor::GatedMul& op) {
    const bool cheap = op.activation == tensor::Activation::Relu;
    asked.question.kind = cheap ? KernelKind::Binary : KernelKind::GatedBinary;
}

void ask(Asked& asked, const tensor::Activate& op) {
    const bool cheap = op.activation == tensor::Activation::Relu;
    asked.question.kind = cheap ? KernelKind::Unary : KernelKind::SlowUnary;
}

void ask(Asked& asked, const tensor::Typecast& op) {
    const bool integers = op.out == tensor::DType::UInt32 || op.out == tensor::DType::Int32;
    asked.question.kind = integers ? KernelKind::SlowUnary : KernelKind::Unary;
}

void ask(Asked& asked, const tensor::CreateQkvHeads& op) {
    const Spec& qkv = asked.in[0];
    if (op.phase == Phase::Prefill) {
        asked.question.kind = KernelKind::RowsOfTiles;
        asked.question.out.spec = qkv;
        return;
    }
    const std::int64_t users = qkv.shape[0];
    keep_by_user(asked, users);
    asked.question.kind = KernelKind::GatherPieces;
    asked.question.pieces = ceil_div(users, std::int64_t{asked.question.cores}) *
                            face_rows(qkv.shape.cols() / op.head_dim, op.head_dim);
}

void ask(Asked& asked, const tensor::ConcatHeads& op) {
    if (op.phase == Phase::Prefill) {
        asked.question.kind = KernelKind::RowsOfTiles;
        return;
    }
    // A core per head gathers the rows of its head from all users.
    const Spec& x = asked.in[0];
    const std::int64_t cores = std::clamp<std::int64_t>(x.shape[1], 1, asked.plan.cores);
    asked.question.kind = KernelKind::GatherPieces;
    asked.question.cores = static_cast<std::int32_t>(cores);
    asked.question.pieces = ceil_div(x.shape[1], cores) * face_rows(x.shape[0], x.shape.cols());
}

void ask(Asked& asked, const tensor::RotaryEmbedding& op) {
    asked.question.kind = KernelKind::Rotary;
    if (op.phase != Phase::Decode) {
        const std::int64_t rows = asked.in[0].tile_rows();
        asked.question.cores =
            static_cast<std::int32_t>(std::clamp<std::int64_t>(rows, 1, asked.plan.cores));
        return;
    }
    keep_by_user(asked, asked.in[0].shape[0]);
    if (asked.plan.head_rows == HeadRows::Padded) return;
    const Shape& heads = asked.in[0].shape;
    const std::int64_t tiles = ceil_div(heads[1] * heads[2], tensor::kTileElements);
    asked.question.in[0].spec.shape = {heads[0], tensor::kTileSide, tiles * tensor::kTileSide};
}

void ask(Asked& asked, const tensor::UpdateCache&) {
    const Spec& cache = asked.in[0];
    const std::int64_t users = asked.in[1].shape[0];
    asked.question.kind = KernelKind::UpdateCache;
    asked.question.cores =
        static_cast<std::int32_t>(std::clamp<std::int64_t>(users, 1, asked.plan.cores));
    asked.question.out.spec.shape =
        Shape{users, cache.shape[1] * tensor::kTileSide, cache.shape.cols()};
}

void ask(Asked& asked, const tensor::FillCache&) {
    asked.question.kind = KernelKind::Copy;
    asked.question.in.erase(asked.question.in.begin());  // it is not read
}

template <class Op>
constexpr bool kIsKernel =
    !std::is_same_v<Op, tensor::Linear> && !std::is_same_v<Op, tensor::Experts> &&
    !std::is_same_v<Op, tensor::Opaque> && !std::is_same_v<Op, tensor::Prefetch> &&
    !std::is_same_v<Op, tensor::Sdpa> && !std::is_same_v<Op, tensor::SdpaDecode> &&
    !std::is_same_v<Op, tensor::ChunkedSdpa>;

KernelQuestion plain(const tensor::Op& op, std::span<const Spec> in, const tensor::Work& work,
                     const KernelPlan& plan) {
    const auto place = [](const std::vector<MemoryConfig>& places, std::size_t i) {
        return i < places.size() ? places[i] : MemoryConfig{};
    };
    KernelQuestion question;
    for (std::size_t i = 0; i < in.size(); ++i) {
        const core::Bytes moved = i < work.reads.size() ? work.reads[i] : core::Bytes{};
        question.in.push_back({in[i], place(plan.inputs, i), moved});
    }
    question.out = {tensor::infer(op, in)[0], place(plan.outputs, 0), {}};
    for (const core::Bytes written : work.writes) question.out.moved += written;
    const std::int32_t shards = question.out.memory.shards;
    question.cores = question.out.place() == Place::Local && shards > 0 ? shards : plan.cores;
    return question;
}

}  // namespace

std::optional<KernelQuestion> kernel_question(const tensor::Op& op, std::span<const Spec> in,
                                              const tensor::Work& work, const KernelPlan& plan) {
    core::require(plan.cores > 0, "a kernel runs on cores");
    return std::visit(
        [&]<class Kind>(const Kind& kind) -> std::optional<KernelQuestion> {
            if constexpr (kIsKernel<Kind>) {
                Asked asked{in, plan, plain(op, in, work, plan)};
                ask(asked, kind);
                return asked.question;
            } else {
                return {};
            }
        },
        op);
}

}  // namespace dispatch

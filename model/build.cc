#include "model/build.h"

#include "model/builder.h"

namespace model {
namespace {

using tensor::DType;
using tensor::Layout;
using tensor::Role;
using tensor::ValueId;
using tensor::ValueKind;
using PerLayer = Builder::PerLayer;

ValueId embedding(Builder& b) {
    const std::int64_t rows = b.decodes() ? b.shape().users : b.shape().rows;
    const std::int64_t dim = b.config().hidden_size;
    const ValueId ids = b.graph().add_value({"token_ids",
                                             {{rows}, DType::UInt32, Layout::RowMajor},
                                             ValueKind::Input,
                                             Role::TokenIds,
                                             false,
                                             {}});
    const ValueId table = b.graph().add_value(
        {"tok_embeddings",
         {{b.config().vocab_size, dim}, b.precision().embedding, Layout::RowMajor},
         ValueKind::Weight,
         Role::EmbeddingTable,
         false,
         {{"model.embed_tokens.weight", dim, 0}}});
    return b.node("embedding", tensor::Embedding{b.precision().activation}, {ids, table},
                  Role::Residual);
}

// Equal layers: one block, x carried through it.
ValueId layer(Builder& b, ValueId x, ValueId cos, ValueId sin) {
    b.graph().blocks.back().carry_in = x;
    const ValueId h = b.add("attention.residual_add", x, build_attention(b, x, cos, sin));
    const ValueId y = b.add("feed_forward.residual_add", h, build_feed_forward(b, h));
    b.graph().blocks.back().carry_out = y;
    return y;
}

ValueId lm_head(Builder& b, ValueId x) {
    const Config& config = b.config();
    const std::int64_t columns =
        b.shape().padded_vocab > 0 ? b.shape().padded_vocab : config.vocab_size;
    const ValueId table =
        b.weight("output.lm_head", {config.hidden_size, columns}, b.precision().lm_head,
                 Role::WeightLmHead, PerLayer::No,
                 {{config.tie_word_embeddings ? "model.embed_tokens.weight" : "lm_head.weight",
                   config.vocab_size, 0}});
    return b.node("lm_head", tensor::Linear{b.precision().logits}, {x, table}, Role::Logits);
}

tensor::Graph network(Builder b) {
    b.begin_block("prologue", 0, 1);
    const ValueId cos = b.rope_table("rope.cos");
    const ValueId sin = b.rope_table("rope.sin");
    ValueId x = embedding(b);
    const std::int32_t layers = b.graph().layers;
    for (std::int32_t first = 0; first < layers;) {
        const std::int32_t count = b.alike_from(first);
        b.begin_block("layers " + std::to_string(first) + "-" + std::to_string(first + count - 1),
                      first, count);
        x = layer(b, x, cos, sin);
        first += count;
    }
    b.begin_block("epilogue", layers, 1);
    if (!b.decodes()) x = b.node("last_rows", tensor::LastRows{}, {x}, Role::Residual);
    x = b.rms_norm(x, "norm", "model.norm.weight", PerLayer::No);
    const ValueId logits = lm_head(b, x);
    b.graph().outputs = {logits};
    return std::move(b.graph());
}

}  // namespace

tensor::Graph build_decode(const Config& config, const Precision& precision,
                           const StepShape& shape) {
    return network(Builder(config, precision, shape, tensor::Phase::Decode));
}

tensor::Graph build_prefill(const Config& config, const Precision& precision,
                            const StepShape& shape) {
    return network(Builder(config, precision, shape, tensor::Phase::Prefill));
}

}  // namespace model

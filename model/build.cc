#include "model/build.h"

#include "core/error.h"
#include "model/builder.h"
#include "model/not_computed.h"

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
    // modeling_mllama.py: embed_tokens has 8 rows more, the image token among them.
    const bool images = b.config().architecture == Architecture::Mllama;
    const std::int64_t vocab = b.config().vocab_size + (images ? 8 : 0);
    const ValueId ids = b.graph().add_value({"token_ids",
                                             {{rows}, DType::UInt32, Layout::RowMajor},
                                             ValueKind::Input,
                                             Role::TokenIds,
                                             false,
                                             {}});
    const ValueId table =
        b.graph().add_value({"tok_embeddings",
                             {{vocab, dim}, b.precision().embedding, Layout::RowMajor},
                             ValueKind::Weight,
                             Role::EmbeddingTable,
                             false,
                             {{"model.embed_tokens.weight", dim, 0}}});
    return b.node("embedding", tensor::Embedding{b.precision().activation}, {ids, table},
                  Role::Residual);
}

bool has(LayerConfig::Attention kind) { return kind != LayerConfig::Attention::None; }
bool has(LayerConfig::FeedForward kind) { return kind != LayerConfig::FeedForward::None; }

// What the attention of the current layer adds to the stream x.
ValueId attention(Builder& b, ValueId x) {
    return b.output_norm(Builder::Part::Attention, build_attention(b, x));
}

// modeling_gemma4.py: a scale per layer; with experts, norms of what each of the two feed-forwards
// reads and makes, and scales of the router.
ValueId gemma4_scales(Builder& b, ValueId y) {
    const std::int64_t dim = b.config().hidden_size;
    std::vector<ValueId> inputs{b.whole(y)};
    const auto add = [&](const std::string& module, std::int64_t n) {
        inputs.push_back(
            b.vector("layers." + module, n, Role::HeadNormWeight, {{Builder::hf(module), n}}));
    };
    add("layer_scalar", 1);
    if (b.layer().experts > 0) {
        add("pre_feedforward_layernorm_2.weight", dim);
        add("post_feedforward_layernorm_1.weight", dim);
        add("post_feedforward_layernorm_2.weight", dim);
        add("router.scale", dim);
        add("router.per_expert_scale", b.layer().experts);
    }
    return b.node("feed_forward.scales", tensor::Opaque{kLayerScales}, std::move(inputs),
                  Role::Contribution);
}

// modeling_mllama.py: layers that look at the image pass a learned gate.
ValueId feed_forward(Builder& b, ValueId x) {
    const ValueId y = b.output_norm(Builder::Part::FeedForward, build_feed_forward(b, x));
    if (b.config().architecture == Architecture::Gemma4Conditional) return gemma4_scales(b, y);
    if (b.layer().attention != LayerConfig::Attention::Cross) return y;
    const ValueId gate = b.vector("layers.feed_forward.gate", 1, Role::HeadNormWeight,
                                  {{Builder::hf("cross_attn_mlp_gate"), 1}});
    return b.node("feed_forward.gate", tensor::Opaque{kCrossAttention}, {b.whole(y), gate},
                  Role::Contribution);
}

// Equal layers: one block, x carried through it. A search may have left one part of a layer.
ValueId layer(Builder& b, ValueId x) {
    b.graph().blocks.back().carry_in = x;
    ValueId y = x;
    if (has(b.layer().attention)) y = b.add("attention.residual_add", y, attention(b, x));
    if (has(b.layer().feed_forward)) {
        const ValueId from = b.config().residual == Residual::Parallel ? x : y;
        y = b.add("feed_forward.residual_add", y, feed_forward(b, from));
    }
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
    const ValueId logits =
        b.node("lm_head", tensor::Linear{b.precision().logits}, {x, table}, Role::Logits);
    // The host reads rows: ttnn_decode_forward and the end of prefill (model.py).
    if (!config.lm_head_bias) return b.node("logits", tensor::Untilize{}, {logits}, Role::Logits);
    const ValueId bias = b.graph().add_value({"output.lm_head_bias",
                                              {{columns}, b.precision().norms, Layout::RowMajor},
                                              ValueKind::Weight,
                                              Role::BiasLmHead,
                                              false,
                                              {{"lm_head.bias", config.vocab_size}}});
    const ValueId biased = b.node("lm_head.bias", tensor::AddBias{}, {logits, bias}, Role::Logits);
    return b.node("logits", tensor::Untilize{}, {biased}, Role::Logits);
}

// The layers [first, first + count), which are alike. One of which a search left nothing is none.
ValueId layers(Builder& b, ValueId x, std::int32_t first, std::int32_t count) {
    b.begin_block("layers " + std::to_string(first) + "-" + std::to_string(first + count - 1),
                  first, count);
    if (has(b.layer().attention) || has(b.layer().feed_forward)) return layer(b, x);
    b.graph().blocks.pop_back();
    return x;
}

tensor::Graph network(Builder b) {
    b.begin_block("prologue", 0, 1);
    ValueId x = embedding(b);
    const std::int32_t all = b.graph().layers;
    for (std::int32_t first = 0; first < all;) {
        const std::int32_t count = b.alike_from(first);
        x = layers(b, x, first, count);
        first += count;
    }
    if (b.graph().blocks.size() == 1) {
        throw core::Error::mismatch("config.json", "block_configs",
                                    "a layer with attention or a feed-forward", "none");
    }
    b.begin_block("epilogue", all, 1);
    if (!b.decodes()) x = b.node("last_rows", tensor::LastRows{}, {x}, Role::Residual);
    x = b.norm(x, "norm", "model.norm", PerLayer::No);
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

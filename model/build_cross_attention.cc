// Attention to the tokens of an image (Mllama): its keys and values are computed once, when the
// prompt is read, and kept in a cache of their own. The attention itself is not computed.
// huggingface/transformers: src/transformers/models/mllama/modeling_mllama.py.
#include "core/units.h"
#include "model/builder.h"
#include "model/not_computed.h"

namespace model {
namespace {

using tensor::Role;
using tensor::ValueId;
using PerLayer = Builder::PerLayer;

// Tokens of one image that a cache holds: four chunks, each padded to tiles. tenstorrent/tt-metal:
// models/tt_transformers/tt/multimodal/llama_cross_attention_transformer_text.py, setup_cache, and
// tt/model_config.py, vision_max_num_chunks and vision_chunk_ntok; image_size 560 and patch_size 14
// of the vision_config of meta-llama/Llama-3.2-11B-Vision-Instruct and of 90B.
constexpr std::int64_t kChunks = 4;
constexpr std::int64_t kPatches = 560 / 14;
constexpr std::int64_t kImageTokens =
    kChunks * core::round_up(kPatches * kPatches + 1, tensor::kTileSide);

class CrossAttention {
public:
    explicit CrossAttention(Builder& builder) : b_(builder) {}

    ValueId build(ValueId x) {
        const ValueId q =
            b_.node("attention.wq", linear(), {x, projection("q", q_width())}, Role::Qkv, group());
        std::vector<ValueId> inputs{
            q,     cache("k_cache"), cache("v_cache"), head_norm("q_norm"), head_norm("k_norm"),
            gate()};
        const bool reads_image = !b_.decodes() && b_.shape().chunk == StepShape::Chunk::First;
        if (reads_image) {
            const ValueId image = image_tokens();
            for (const char* part : {"k", "v"}) {
                inputs.push_back(b_.node(std::string("attention.w") + part, linear(),
                                         {image, projection(part, kv_width())}, Role::Qkv,
                                         group()));
            }
        }
        const ValueId attended = b_.node("attention.cross", tensor::Opaque{kCrossAttention},
                                         std::move(inputs), Role::AttentionOut);
        return build_wo(b_, attended,
                        {Builder::hf("cross_attn.o_proj.weight"), b_.config().hidden_size});
    }

private:
    std::int64_t q_width() const { return b_.layer().heads * b_.layer().head_dim; }
    std::int64_t kv_width() const { return b_.layer().kv_heads * b_.layer().head_dim; }
    tensor::Linear linear() const { return {b_.formats().activation}; }
    OpGroup group() const { return b_.decodes() ? OpGroup::LiQkvDecode : OpGroup::LiQkvPrefill; }

    ValueId projection(const std::string& part, std::int64_t width) {
        return b_.weight("layers.attention.w" + part, {b_.config().hidden_size, width},
                         b_.formats().wqkv, Role::WeightQkv, PerLayer::Yes,
                         {{Builder::hf("cross_attn." + part + "_proj.weight"), width}});
    }

    ValueId head_norm(const std::string& name) {
        const std::int64_t dim = b_.layer().head_dim;
        return b_.vector("layers.attention." + name, dim, Role::HeadNormWeight,
                         {{Builder::hf("cross_attn." + name + ".weight"), dim}});
    }

    ValueId gate() {
        return b_.vector("layers.attention.gate", 1, Role::HeadNormWeight,
                         {{Builder::hf("cross_attn_attn_gate"), 1}});
    }

    // [users, kv_heads, image tokens, head_dim], in the format of activations as in setup_cache.
    ValueId cache(const std::string& name) {
        const LayerConfig& layer = b_.layer();
        return b_.state("layers.attention." + name,
                        {{b_.shape().users, layer.kv_heads, kImageTokens, layer.head_dim},
                         b_.formats().activation,
                         tensor::Layout::Tile},
                        Role::KvCache);
    }

    // What the vision tower made of the image, the same for all layers.
    ValueId image_tokens() {
        return b_.input("image_tokens", {{kImageTokens, b_.config().hidden_size},
                                         b_.precision().activation,
                                         tensor::Layout::Tile});
    }

    Builder& b_;
};

}  // namespace

ValueId build_cross_attention(Builder& builder, ValueId x) {
    return CrossAttention(builder).build(x);
}

}  // namespace model

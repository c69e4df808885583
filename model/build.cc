#include "model/build.h"

#include <cmath>

#include "core/error.h"

namespace model {
namespace {

using tensor::DType;
using tensor::Layout;
using tensor::Phase;
using tensor::Role;
using tensor::ValueId;
using tensor::ValueKind;

class Builder {
public:
    Builder(const Config& config, const Precision& precision, const StepShape& shape, Phase phase)
        : config_(config), precision_(precision), shape_(shape), phase_(phase) {
        graph_.layers = static_cast<std::int32_t>(config.num_hidden_layers);
        graph_.phase = phase;
    }

    tensor::Graph build() {
        begin_block("prologue", 0, 1);
        cos_ = rope_table("rope.cos");
        sin_ = rope_table("rope.sin");
        ValueId x = embedding();
        for (std::int32_t first = 0; first < graph_.layers;) {
            const std::int32_t count = alike_from(first);
            x = layers(first, count, x);
            first += count;
        }
        begin_block("epilogue", graph_.layers, 1);
        if (phase_ == Phase::Prefill) {
            x = node("last_rows", tensor::LastRows{}, {x}, Role::Residual);
        }
        x = rms_norm(x, "norm", "model.norm.weight", PerLayer::No);
        graph_.outputs = {lm_head(x)};
        return std::move(graph_);
    }

private:
    enum class PerLayer { No, Yes };

    // --- the transformer ---

    ValueId embedding() {
        const std::int64_t rows = phase_ == Phase::Decode ? shape_.users : shape_.rows;
        const ValueId ids = graph_.add_value({"token_ids",
                                              {{rows}, DType::UInt32, Layout::RowMajor},
                                              ValueKind::Input,
                                              Role::TokenIds,
                                              false,
                                              {}});
        const ValueId table = graph_.add_value(
            {"tok_embeddings",
             {{config_.vocab_size, config_.hidden_size}, precision_.embedding, Layout::RowMajor},
             ValueKind::Weight,
             Role::EmbeddingTable,
             false,
             {{"model.embed_tokens.weight", config_.hidden_size, 0}}});
        return node("embedding", tensor::Embedding{precision_.activation}, {ids, table},
                    Role::Residual);
    }

    // `count` equal layers from `first`: one block, x carried through it.
    ValueId layers(std::int32_t first, std::int32_t count, ValueId x) {
        begin_block("layers " + std::to_string(first) + "-" + std::to_string(first + count - 1),
                    first, count);
        const std::size_t block = graph_.blocks.size() - 1;
        graph_.blocks[block].carry_in = x;
        layer_ = &precision_.layers[static_cast<std::size_t>(first)];
        const ValueId h = add("attention.residual_add", x, attention(x));
        const ValueId y = add("feed_forward.residual_add", h, feed_forward(h));
        graph_.blocks[block].carry_out = y;
        return y;
    }

    ValueId attention(ValueId x) {
        const ValueId normed =
            rms_norm(x, "attention_norm", hf("input_layernorm.weight"), PerLayer::Yes);
        ValueId qkv =
            linear("attention.wqkv", normed, wqkv(), {layer_->activation}, qkv_group(), Role::Qkv);
        if (config_.qkv_bias) {
            qkv = node("attention.qkv_bias", tensor::AddBias{}, {qkv, qkv_bias()}, Role::Qkv);
        }
        const std::vector<ValueId> heads = graph_.add_node(
            "attention.create_qkv_heads",
            tensor::CreateQkvHeads{config_.num_attention_heads / config_.num_key_value_heads,
                                   config_.head_dim, phase_},
            {qkv}, {Role::Heads, Role::Heads, Role::Heads});
        const ValueId q = rotary("attention.rope_q", head_norm("q_norm", heads[0]));
        const ValueId k = rotary("attention.rope_k", head_norm("k_norm", heads[1]));
        const ValueId attended = phase_ == Phase::Decode ? attend_decode(q, k, heads[2])
                                                         : attend_prefill(q, k, heads[2]);
        const ValueId merged = node("attention.concat_heads", tensor::ConcatHeads{phase_},
                                    {attended}, Role::AttentionOut);
        return linear("attention.wo", merged,
                      weight("layers.attention.wo", {q_width(), config_.hidden_size}, layer_->wo,
                             Role::WeightO, PerLayer::Yes,
                             {{hf("self_attn.o_proj.weight"), config_.hidden_size, 0}}),
                      {layer_->activation}, o_group(), Role::Residual);
    }

    ValueId attend_decode(ValueId q, ValueId k, ValueId v) {
        const ValueId k_cache = node("attention.update_k", tensor::UpdateCache{},
                                     {cache("layers.attention.k_cache"), k}, Role::KvCache);
        const ValueId v_cache = node("attention.update_v", tensor::UpdateCache{},
                                     {cache("layers.attention.v_cache"), v}, Role::KvCache);
        return node("attention.sdpa", tensor::SdpaDecode{scale(), window()}, {q, k_cache, v_cache},
                    Role::Heads, OpGroup::SdpaDecode);
    }

    ValueId attend_prefill(ValueId q, ValueId k, ValueId v) {
        // Keys and values take the cache's format before they are stored and attended to.
        const ValueId k_cast =
            node("attention.typecast_k", tensor::Typecast{layer_->kv_cache}, {k}, Role::Heads);
        const ValueId v_cast =
            node("attention.typecast_v", tensor::Typecast{layer_->kv_cache}, {v}, Role::Heads);
        const ValueId k_cache = node("attention.fill_k", tensor::FillCache{},
                                     {cache("layers.attention.k_cache"), k_cast}, Role::KvCache);
        const ValueId v_cache = node("attention.fill_v", tensor::FillCache{},
                                     {cache("layers.attention.v_cache"), v_cast}, Role::KvCache);
        if (shape_.chunk == StepShape::Chunk::Later) {
            return node("attention.chunked_sdpa", tensor::ChunkedSdpa{scale(), window()},
                        {q, k_cache, v_cache}, Role::Heads, OpGroup::SdpaPrefill);
        }
        return node("attention.sdpa", tensor::Sdpa{scale(), window()}, {q, k_cast, v_cast},
                    Role::Heads, OpGroup::SdpaPrefill);
    }

    ValueId feed_forward(ValueId x) {
        const std::int64_t dim = config_.hidden_size;
        const std::int64_t ffn = config_.intermediate_size;
        const ValueId normed =
            rms_norm(x, "ffn_norm", hf("post_attention_layernorm.weight"), PerLayer::Yes);
        const bool fused = config_.architecture == Architecture::Phi3;
        const tensor::WeightSource gate_source =
            fused ? fused_part("mlp.gate_up_proj.weight", ffn, 0, 2 * ffn)
                  : tensor::WeightSource{hf("mlp.gate_proj.weight"), ffn};
        const tensor::WeightSource up_source =
            fused ? fused_part("mlp.gate_up_proj.weight", ffn, ffn, 2 * ffn)
                  : tensor::WeightSource{hf("mlp.up_proj.weight"), ffn};
        const ValueId w1 = weight("layers.feed_forward.w1", {dim, ffn}, layer_->ff1_3,
                                  Role::WeightGateUp, PerLayer::Yes, {gate_source});
        const ValueId w3 = weight("layers.feed_forward.w3", {dim, ffn}, layer_->ff1_3,
                                  Role::WeightGateUp, PerLayer::Yes, {up_source});
        const ValueId w2 =
            weight("layers.feed_forward.w2", {ffn, dim}, layer_->ff2, Role::WeightDown,
                   PerLayer::Yes, {{hf("mlp.down_proj.weight"), dim, 0}});
        const tensor::Linear op{layer_->activation};
        const ValueId gate =
            linear("feed_forward.w1", normed, w1, op, OpGroup::LiFf1Ff3, Role::FeedForward);
        const ValueId up =
            linear("feed_forward.w3", normed, w3, op, OpGroup::LiFf1Ff3, Role::FeedForward);
        const ValueId product =
            node("feed_forward.mul", tensor::GatedMul{tensor::Activation::Silu, layer_->gate},
                 {gate, up}, Role::FeedForward);
        return linear("feed_forward.w2", product, w2, op, OpGroup::LiFf2, Role::Residual);
    }

    ValueId lm_head(ValueId x) {
        const std::int64_t columns =
            shape_.padded_vocab > 0 ? shape_.padded_vocab : config_.vocab_size;
        const ValueId table =
            weight("output.lm_head", {config_.hidden_size, columns}, precision_.lm_head,
                   Role::WeightLmHead, PerLayer::No,
                   {{config_.tie_word_embeddings ? "model.embed_tokens.weight" : "lm_head.weight",
                     config_.vocab_size, 0}});
        return linear("lm_head", x, table, tensor::Linear{precision_.logits}, OpGroup::Other,
                      Role::Logits);
    }

    // --- pieces ---

    std::int64_t q_width() const { return config_.num_attention_heads * config_.head_dim; }
    std::int64_t kv_width() const { return config_.num_key_value_heads * config_.head_dim; }
    float scale() const {
        return static_cast<float>(1.0 / std::sqrt(static_cast<double>(config_.head_dim)));
    }
    OpGroup qkv_group() const {
        return phase_ == Phase::Decode ? OpGroup::LiQkvDecode : OpGroup::LiQkvPrefill;
    }
    OpGroup o_group() const {
        return phase_ == Phase::Decode ? OpGroup::LiODecode : OpGroup::LiOPrefill;
    }
    static std::string hf(const char* tail) { return std::string("model.layers.{layer}.") + tail; }

    // Rows [first, first + columns) of a fused projection of `rows` rows.
    static tensor::WeightSource fused_part(const char* tail, std::int64_t columns,
                                           std::int64_t first, std::int64_t rows) {
        tensor::WeightSource source{hf(tail), columns};
        source.first_row = first;
        source.rows = rows;
        return source;
    }

    std::int64_t rope_dims() const {
        return static_cast<std::int64_t>(static_cast<double>(config_.head_dim) *
                                         config_.partial_rotary_factor);
    }

    // q, k and v side by side; queries and keys turn with the position.
    std::vector<tensor::WeightSource> qkv_sources(const char* kind) const {
        const std::string tail = std::string(".") + kind;
        const std::int64_t all = q_width() + 2 * kv_width();
        std::vector<tensor::WeightSource> sources;
        if (config_.architecture == Architecture::Phi3) {
            const std::string fused = "self_attn.qkv_proj" + tail;
            sources = {fused_part(fused.c_str(), q_width(), 0, all),
                       fused_part(fused.c_str(), kv_width(), q_width(), all),
                       fused_part(fused.c_str(), kv_width(), q_width() + kv_width(), all)};
        } else {
            sources = {{hf(("self_attn.q_proj" + tail).c_str()), q_width()},
                       {hf(("self_attn.k_proj" + tail).c_str()), kv_width()},
                       {hf(("self_attn.v_proj" + tail).c_str()), kv_width()}};
        }
        for (const std::size_t turning : {0U, 1U}) {
            sources[turning].rope_head_dim = config_.head_dim;
            sources[turning].rope_dims = rope_dims();
        }
        return sources;
    }

    ValueId wqkv() {
        return weight("layers.attention.wqkv", {config_.hidden_size, q_width() + 2 * kv_width()},
                      layer_->wqkv, Role::WeightQkv, PerLayer::Yes, qkv_sources("weight"));
    }

    ValueId qkv_bias() {
        return graph_.add_value({"layers.attention.qkv_bias",
                                 {{q_width() + 2 * kv_width()}, precision_.norms, Layout::RowMajor},
                                 ValueKind::Weight,
                                 Role::BiasQkv,
                                 true,
                                 qkv_sources("bias")});
    }

    // Norm of every head over its own channels (Qwen3), in the channels' rotary order.
    ValueId head_norm(const std::string& name, ValueId x) {
        if (config_.qk_norm != QkNorm::PerHead) return x;
        tensor::WeightSource source{hf(("self_attn." + name + ".weight").c_str()),
                                    config_.head_dim};
        source.rope_head_dim = config_.head_dim;
        source.rope_dims = rope_dims();
        const ValueId gamma =
            graph_.add_value({"layers.attention." + name,
                              {{config_.head_dim}, precision_.norms, Layout::RowMajor},
                              ValueKind::Weight,
                              Role::HeadNormWeight,
                              true,
                              {source}});
        return node("attention." + name, tensor::RmsNorm{static_cast<float>(config_.rms_norm_eps)},
                    {x, gamma}, Role::Heads);
    }

    std::int64_t window() const {
        if (config_.layers.empty()) return 0;
        const auto& layer =
            config_.layers[static_cast<std::size_t>(graph_.blocks.back().first_layer)];
        return layer.attention == LayerConfig::Attention::Sliding ? config_.sliding_window : 0;
    }

    ValueId rms_norm(ValueId x, const std::string& name, const std::string& source,
                     PerLayer per_layer) {
        const std::string prefix = per_layer == PerLayer::Yes ? "layers." : "";
        const ValueId gamma =
            graph_.add_value({prefix + name,
                              {{config_.hidden_size}, precision_.norms, Layout::RowMajor},
                              ValueKind::Weight,
                              Role::NormWeight,
                              per_layer == PerLayer::Yes,
                              {{source, config_.hidden_size, 0}}});
        return node(name, tensor::RmsNorm{static_cast<float>(config_.rms_norm_eps)}, {x, gamma},
                    Role::Normed);
    }

    ValueId rotary(const std::string& name, ValueId x) {
        return node(name, tensor::RotaryEmbedding{phase_}, {x, cos_, sin_}, Role::Heads);
    }

    ValueId add(const std::string& name, ValueId a, ValueId b) {
        return node(name, tensor::Add{}, {a, b}, Role::Residual);
    }

    ValueId linear(const std::string& name, ValueId x, ValueId w, tensor::Linear op, OpGroup group,
                   Role role) {
        return node(name, op, {x, w}, role, group);
    }

    ValueId rope_table(const char* name) {
        return graph_.add_value(
            {name,
             {{shape_.max_context, config_.head_dim}, precision_.rope, Layout::Tile},
             ValueKind::Weight,
             Role::RopeTable,
             false,
             {}});
    }

    ValueId cache(const char* name) {
        return graph_.add_value(
            {name,
             {{shape_.blocks, config_.num_key_value_heads, shape_.block_size, config_.head_dim},
              layer_->kv_cache,
              Layout::Tile},
             ValueKind::State,
             Role::KvCache,
             true,
             {}});
    }

    ValueId weight(const char* name, tensor::Shape shape, DType dtype, Role role,
                   PerLayer per_layer, std::vector<tensor::WeightSource> sources) {
        return graph_.add_value({name,
                                 {shape, dtype, Layout::Tile},
                                 ValueKind::Weight,
                                 role,
                                 per_layer == PerLayer::Yes,
                                 std::move(sources)});
    }

    ValueId node(const std::string& name, const tensor::Op& op, std::vector<ValueId> inputs,
                 Role role, OpGroup group = OpGroup::Other) {
        const ValueId out = graph_.add_node(name, op, std::move(inputs), {role}).front();
        graph_.blocks.back().nodes.back().fidelity_group = static_cast<int>(group);
        return out;
    }

    void begin_block(std::string name, std::int32_t first, std::int32_t repeat) {
        graph_.blocks.push_back({std::move(name), first, repeat, {}, {-1}, {-1}});
    }

    std::int32_t alike_from(std::int32_t first) const {
        const auto& all = precision_.layers;
        std::int32_t count = 1;
        const auto same = [&](std::int32_t other) {
            const auto a = static_cast<std::size_t>(first);
            const auto b = static_cast<std::size_t>(other);
            const bool sizes = config_.layers.empty() || config_.layers[a] == config_.layers[b];
            return sizes && all[a] == all[b];
        };
        while (first + count < graph_.layers && same(first + count)) {
            ++count;
        }
        return count;
    }

    const Config& config_;
    const Precision& precision_;
    StepShape shape_;
    Phase phase_;
    tensor::Graph graph_;
    const LayerPrecision* layer_ = nullptr;
    ValueId cos_;
    ValueId sin_;
};

}  // namespace

tensor::Graph build_decode(const Config& config, const Precision& precision,
                           const StepShape& shape) {
    return Builder(config, precision, shape, Phase::Decode).build();
}

tensor::Graph build_prefill(const Config& config, const Precision& precision,
                            const StepShape& shape) {
    return Builder(config, precision, shape, Phase::Prefill).build();
}

}  // namespace model

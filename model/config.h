// What a config.json (Hugging Face layout) says about a network, checked and typed: the sizes of
// every layer, and the few facts about the architecture that sizes and values depend on.
// Invariant: every number is within sane bounds and fits the others (kv heads divide heads,
// token ids are inside the vocabulary), so later sizes cannot overflow 64 bits.
// Defaults are those of huggingface/transformers for the architecture. A null value counts as
// absent. Of a model with images or sound only the text part is read; see Config::left_out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/config_layers.h"
#include "model/safetensors.h"

namespace model {

enum class Architecture {
    Llama,
    Qwen2,
    Qwen3,
    Mistral,
    Phi3,
    Mixtral,
    Qwen3Moe,
    GptOss,
    Gemma3,
    Gemma3Conditional,
    Gemma4Conditional,
    Mllama,
    DeciLm,
    DeepseekV3,
    Olmo3,
    Exaone4,
    PhiMoe,
    MiMo,
    Qwen3Vl,
    Qwen35,
    Falcon,
};

/// "LlamaForCausalLM".
std::string_view name(Architecture architecture);

enum class Activation { Silu, Gelu, GeluTanh, Relu };

/// "silu", "gelu", "gelu_pytorch_tanh", "relu".
std::string_view name(Activation activation);

enum class RopeKind { None, Linear, Llama3, Yarn, LongRope, Proportional };

/// "none", "llama3", ... as config.json spells it (none is "default" there).
std::string_view name(RopeKind kind);

/// How rotary frequencies are stretched for long contexts. Only the numbers of `kind` are set.
struct RopeScaling {
    RopeKind kind = RopeKind::None;
    double factor = 1;                                  // linear, llama3, yarn, proportional
    double low_freq_factor = 1;                         // llama3
    double high_freq_factor = 4;                        // llama3
    std::int64_t original_max_position_embeddings = 0;  // llama3, yarn, longrope
    double beta_fast = 32;                              // yarn
    double beta_slow = 1;                               // yarn
    std::optional<double> attention_factor;             // yarn, longrope: absent = by formula
    double mscale = 0;                                  // yarn: of that formula, 0: not given
    double mscale_all_dim = 0;                          // yarn
    bool truncate = true;                               // yarn: to whole pairs
    std::vector<double> short_factor;                   // longrope: [rotary dims / 2]
    std::vector<double> long_factor;                    // longrope: [rotary dims / 2]
};

/// What is normalized before the dot product: each head, or all heads as one vector.
/// Cross attention (Mllama) normalizes per head whatever this says.
enum class QkNorm { None, PerHead, FullWidth };
/// Where a block is normalized: its input, its input and its output, or its output alone.
enum class Norms { Pre, PreAndPost, Post };
enum class NormKind { Rms, Layer };
/// Attention and feed-forward one after the other, or both on the same input (Falcon).
enum class Residual { Sequential, Parallel };

struct Config {
    Architecture architecture = Architecture::Llama;
    std::int64_t hidden_size = 0;
    // Where layers differ these four are the largest over `layers`; intermediate_size counts the
    // widths of dense, expert and shared feed-forwards.
    std::int64_t intermediate_size = 0;
    std::int64_t num_attention_heads = 0;
    std::int64_t num_key_value_heads = 0;
    std::int64_t head_dim = 0;
    std::int64_t num_hidden_layers = 0;
    std::int64_t vocab_size = 0;
    std::int64_t max_position_embeddings = 0;
    double rms_norm_eps = 0;  // of LayerNorm too, where norm_kind says so
    double rope_theta = 0;
    RopeScaling rope_scaling;
    bool tie_word_embeddings = false;
    Activation hidden_act = Activation::Silu;
    bool attention_bias = false;  // qkv_bias or o_bias
    bool mlp_bias = false;
    std::optional<std::int32_t> bos_token_id;
    std::vector<std::int32_t> eos_token_ids;
    StoredType torch_dtype = StoredType::F32;

    /// One per layer once read; empty in a Config made by hand.
    std::vector<LayerConfig> layers;
    /// Tokens a Sliding layer looks back; above 0 exactly when there is such a layer.
    std::int64_t sliding_window = 0;
    std::optional<LatentAttention> latent_attention;  // sizes of the Latent layers
    std::optional<LinearAttention> linear_attention;  // sizes of the Linear layers
    bool qkv_bias = false;
    bool o_bias = false;
    bool lm_head_bias = false;
    bool attention_sinks = false;        // one learned logit per head (gpt-oss)
    bool attention_output_gate = false;  // the query projection also makes a gate as wide (Qwen3.5)
    QkNorm qk_norm = QkNorm::None;
    Norms norms = Norms::Pre;
    NormKind norm_kind = NormKind::Rms;
    bool norm_unit_offset = false;  // the norm multiplies by 1 + weight (Gemma 3, Qwen3.5)
    Residual residual = Residual::Sequential;
    /// Part of a head that turns with the position; of Full layers where rope differs by layer.
    /// Latent layers turn their qk_rope_head_dim instead.
    double partial_rotary_factor = 1;
    std::optional<double> local_rope_theta;  // Sliding layers, unscaled and whole (Gemma)

    /// The weights of a token's experts are divided by their sum, then scaled.
    bool norm_topk_prob = true;
    double routed_scaling_factor = 1;

    /// What the sizes of the whole were before heads or feed-forwards were padded.
    std::optional<Unpadded> unpadded;

    /// What the checkpoint holds beyond these sizes: "vision tower", ...
    std::vector<std::string> left_out;
};

/// Runs: the runtime computes this network. SizesOnly: it plans it; see model/not_computed.h.
enum class Support { Runs, SizesOnly };
Support support(const Config& config);
/// Whether values of the architecture have been compared with a reference.
bool is_proven(Architecture architecture);

/// Throws core::Error naming the architecture unless support(config) is Runs.
void require_runs(const Config& config, std::string_view where);

/// The config in `text`; `where` names it in messages. Throws core::Error.
Config parse_config(std::string_view text, std::string_view where);

/// config.json of `path` (the folder, or the file itself), or Meta's params.json. The eos ids of a
/// generation_config.json beside it replace the config's, as in transformers. Throws core::Error.
Config load_config(const std::filesystem::path& path);

}  // namespace model

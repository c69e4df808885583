// What a config.json (Hugging Face layout) says about a network, checked and typed.
// Invariant: every number is within sane bounds and fits the others (kv heads divide heads,
// token ids are inside the vocabulary), so later sizes cannot overflow 64 bits.
// Defaults are those of huggingface/transformers LlamaConfig. A null value counts as absent.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "model/safetensors.h"

namespace model {

enum class Architecture { Llama };

/// "LlamaForCausalLM".
std::string_view name(Architecture architecture);

enum class Activation { Silu };

enum class RopeKind { None, Linear, Llama3, Yarn, LongRope };

/// "none", "llama3", ... as config.json spells it (none is "default" there).
std::string_view name(RopeKind kind);

/// How rotary frequencies are stretched for long contexts. Only the numbers of `kind` are set.
struct RopeScaling {
    RopeKind kind = RopeKind::None;
    double factor = 1;                                  // linear, llama3, yarn
    double low_freq_factor = 1;                         // llama3
    double high_freq_factor = 4;                        // llama3
    std::int64_t original_max_position_embeddings = 0;  // llama3, yarn, longrope
    double beta_fast = 32;                              // yarn
    double beta_slow = 1;                               // yarn
    std::optional<double> attention_factor;             // yarn, longrope: absent = by formula
    std::vector<double> short_factor;                   // longrope: [head_dim / 2]
    std::vector<double> long_factor;                    // longrope: [head_dim / 2]
};

struct Config {
    Architecture architecture = Architecture::Llama;
    std::int64_t hidden_size = 0;
    std::int64_t intermediate_size = 0;
    std::int64_t num_hidden_layers = 0;
    std::int64_t num_attention_heads = 0;
    std::int64_t num_key_value_heads = 0;
    std::int64_t head_dim = 0;
    std::int64_t vocab_size = 0;
    std::int64_t max_position_embeddings = 0;
    double rms_norm_eps = 0;
    double rope_theta = 0;
    RopeScaling rope_scaling;
    bool tie_word_embeddings = false;
    Activation hidden_act = Activation::Silu;
    bool attention_bias = false;
    bool mlp_bias = false;
    std::optional<std::int32_t> bos_token_id;
    std::vector<std::int32_t> eos_token_ids;
    StoredType torch_dtype = StoredType::F32;
};

/// The config in `text`; `where` names it in messages. Throws core::Error.
Config parse_config(std::string_view text, std::string_view where);

/// config.json of `path` (the folder, or the file itself). The eos ids of a
/// generation_config.json beside it replace the config's, as in transformers. Throws core::Error.
Config load_config(const std::filesystem::path& path);

}  // namespace model

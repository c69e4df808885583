#include "model/meta_config.h"

#include <algorithm>
#include <array>

#include "core/error.h"
#include "core/files.h"
#include "model/config_reader.h"

namespace model {

namespace {

using core::Error;
using core::JsonObject;
using namespace config_reader;

constexpr core::JsonLimits kLimits{core::Bytes{4 * 1024 * 1024}, 32};

/// What these say would change what is computed.
constexpr std::array<std::string_view, 5> kRefused{
    "quantization_args", "lora_args", "vision_chunk_size", "vision_model", "vision_encoder"};

void refuse_unknown_parts(const JsonObject& params) {
    for (const std::string_view key : kRefused) {
        const nlohmann::json* value = params.find(key);
        const bool is_off = value == nullptr || (value->is_number() && value->get<double>() <= 0);
        if (is_off) continue;
        throw params.unexpected(key, "nothing: only plain text models are read from params.json")
            .hint("a Hugging Face folder of the same model may work");
    }
}

/// FeedForward of meta-llama/llama-models: models/llama3/model.py.
std::int64_t hidden_dim(const JsonObject& params, std::int64_t dim) {
    if (const auto given = params.optional_integer("hidden_dim", 1, kMaxDim)) return *given;
    const std::int64_t multiple = params.optional_integer("multiple_of", 1, kMaxDim).value_or(256);
    std::int64_t hidden = 2 * 4 * dim / 3;
    if (const auto factor = params.optional_number("ffn_dim_multiplier", 1e-3, 1e3)) {
        hidden = static_cast<std::int64_t>(*factor * static_cast<double>(hidden));
    }
    hidden = core::round_up(std::max<std::int64_t>(hidden, 1), multiple);
    if (hidden > kMaxDim) {
        throw params.unexpected("ffn_dim_multiplier", "a feed-forward of at most " +
                                                          std::to_string(kMaxDim) + " channels");
    }
    return hidden;
}

std::int64_t vocabulary(const JsonObject& params,
                        const std::function<std::optional<std::int64_t>()>& vocab) {
    const std::int64_t given = params.integer("vocab_size", -1, kMaxVocab);
    if (given > 0) return given;
    const std::optional<std::int64_t> found = vocab();
    if (!found) {
        throw params.unexpected("vocab_size", "1 or more, or weights beside it")
            .hint("-1 means the tokenizer's size: 32000 for Llama 1 and 2");
    }
    return *found;
}

/// Mistral gives the width of the feed-forward; Meta lets it follow from dim.
bool is_mistral(const JsonObject& params) {
    return params.has("hidden_dim") || params.has("sliding_window");
}

/// Mistral's default is that of src/mistral_inference/transformer.py: large without a window.
double rope_theta(const JsonObject& params) {
    const bool is_large = is_mistral(params) && !params.has("sliding_window");
    return params.optional_number("rope_theta", 1, kMaxTheta).value_or(is_large ? 1e6 : 1e4);
}

/// Tokens the network was trained for; params.json does not say. Llama 3.1 scales its rope; the
/// others have a base of their own: Code Llama 1e6, Llama 3 5e5, Llama 2 1e4.
std::int64_t context(const JsonObject& params, double theta) {
    if (const auto given = params.optional_integer("max_position_embeddings", 1, kMaxPositions)) {
        return *given;
    }
    if (params.optional_boolean("use_scaled_rope").value_or(false)) return 131072;
    if (is_mistral(params)) return 32768;
    if (theta >= 1e6) return 16384;
    return theta >= 5e5 ? 8192 : 4096;
}

/// apply_scaling() of models/llama3/model.py has a factor of 8 for every model. Llama 3.2's small
/// ones have 32 in their config.json, and in tenstorrent/tt-metal:
/// models/tt_transformers/tt/model_config.py, which knows them by the folder's name.
nlohmann::json scaled_rope(std::int64_t dim) {
    return {{"rope_type", "llama3"},
            {"factor", dim == 2048 || dim == 3072 ? 32.0 : 8.0},
            {"low_freq_factor", 1.0},
            {"high_freq_factor", 4.0},
            {"original_max_position_embeddings", 8192}};
}

/// models/llama3/tokenizer.py (end of text, of message, of turn); SentencePiece's of Llama 1 and 2
/// and of Mistral, whose later vocabularies kept them (config.json of v0.3, Nemo and Small).
void add_tokens(nlohmann::json& config, std::int64_t vocab) {
    if (vocab == 128256) {
        config["bos_token_id"] = 128000;
        config["eos_token_id"] = {128001, 128008, 128009};
    } else if (vocab == 32000 || vocab == 32768 || vocab == 131072) {
        config["bos_token_id"] = 1;
        config["eos_token_id"] = 2;
    }
}

/// MoeArgs of mistralai/mistral-inference: src/mistral_inference/moe.py.
void add_experts(const JsonObject& moe, nlohmann::json& config) {
    const std::int64_t experts = moe.integer("num_experts", 1, kMaxExperts);
    config["architectures"] = {"MixtralForCausalLM"};
    config["num_local_experts"] = experts;
    config["num_experts_per_tok"] = moe.integer("num_experts_per_tok", 1, experts);
}

}  // namespace

std::int64_t meta_head_dim(const JsonObject& params) {
    const std::int64_t dim = params.integer("dim", 1, kMaxDim);
    const std::int64_t heads = params.integer("n_heads", 1, kMaxHeads);
    const auto given = params.optional_integer("head_dim", 2, kMaxHeadDim);
    if (!given && dim % heads != 0) {
        throw params.unexpected("n_heads", "a divisor of dim (" + std::to_string(dim) + ")");
    }
    const std::int64_t head_dim = given.value_or(dim / heads);
    if (head_dim < 2 || head_dim % 2 != 0) {
        throw params.unexpected(given ? "head_dim" : "n_heads",
                                "heads of an even size, as rotary positions turn pairs");
    }
    return head_dim;
}

std::int64_t meta_head_dim(const std::filesystem::path& folder) {
    const std::filesystem::path file = folder / kMetaParams;
    const nlohmann::json value = core::read_json(file, kLimits);
    return meta_head_dim(JsonObject(value, core::printable(file.string())));
}

std::string meta_config(std::string_view text, std::string_view where,
                        const std::function<std::optional<std::int64_t>()>& vocab) {
    const nlohmann::json value = core::parse_json(text, where, kLimits);
    const JsonObject params(value, std::string(where));
    refuse_unknown_parts(params);
    const std::int64_t dim = params.integer("dim", 1, kMaxDim);
    const std::int64_t heads = params.integer("n_heads", 1, kMaxHeads);
    const std::int64_t kv_heads = params.optional_integer("n_kv_heads", 1, heads).value_or(heads);
    if (heads % kv_heads != 0) {
        throw params.unexpected("n_kv_heads",
                                "a divisor of n_heads (" + std::to_string(heads) + ")");
    }
    const double theta = rope_theta(params);
    const std::int64_t vocab_size = vocabulary(params, vocab);
    const auto window = params.optional_integer("sliding_window", 1, kMaxPositions);
    nlohmann::json config{
        {"architectures", {is_mistral(params) ? "MistralForCausalLM" : "LlamaForCausalLM"}},
        {"hidden_size", dim},
        {"intermediate_size", hidden_dim(params, dim)},
        {"num_hidden_layers", params.integer("n_layers", 1, kMaxLayers)},
        {"num_attention_heads", heads},
        {"num_key_value_heads", kv_heads},
        {"head_dim", meta_head_dim(params)},
        {"vocab_size", vocab_size},
        {"max_position_embeddings", context(params, theta)},
        {"rms_norm_eps", params.optional_number("norm_eps", 1e-30, 1).value_or(1e-5)},
        {"rope_theta", theta},
        {"tie_word_embeddings", false},
        {"torch_dtype", "bfloat16"},
    };
    // Left out, MistralConfig's default would count.
    if (is_mistral(params)) config["sliding_window"] = window ? nlohmann::json(*window) : nullptr;
    if (params.optional_boolean("use_scaled_rope").value_or(false)) {
        config["rope_scaling"] = scaled_rope(dim);
    }
    if (params.has("moe")) add_experts(params.object("moe"), config);
    add_tokens(config, vocab_size);
    return config.dump();
}

}  // namespace model

#include "model/config.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/json.h"
#include "model/config_reader.h"
#include "model/meta_config.h"

namespace model {

namespace {

using core::Error;
using core::JsonObject;
using namespace config_reader;

constexpr core::Bytes kConfigLimit{4 * 1024 * 1024};

struct ActivationRow {
    Activation activation;
    std::string_view name;
};
// The first row of an activation is its name; the others are older spellings.
constexpr std::array kActivations{
    ActivationRow{Activation::Gelu, "gelu"},
    ActivationRow{Activation::GeluTanh, "gelu_pytorch_tanh"},
    ActivationRow{Activation::Silu, "silu"},
    ActivationRow{Activation::Silu, "swish"},
    ActivationRow{Activation::Relu, "relu"},
};

const Traits& read_architecture(const JsonObject& root) {
    const std::string expected = "one of " + known(all_traits());
    const nlohmann::json& list = root.array("architectures");
    if (list.size() != 1 || !list[0].is_string()) {
        throw root.unexpected("architectures", "a list with one name, " + expected);
    }
    const auto found = list[0].get<std::string>();
    for (const Traits& traits : all_traits()) {
        if (traits.name == found) return traits;
    }
    throw Error::mismatch(root.where(), "architectures", expected, core::describe(list[0]))
        .hint("this architecture is not known yet");
}

std::vector<std::int32_t> read_eos(const JsonObject& root, std::int64_t vocab) {
    constexpr std::string_view kKey = "eos_token_id";
    const nlohmann::json* value = root.find(kKey);
    if (value == nullptr) return {};
    if (!value->is_array()) {
        return {static_cast<std::int32_t>(root.integer(kKey, 0, vocab - 1))};
    }
    std::vector<std::int32_t> ids;
    for (const nlohmann::json& entry : *value) {
        if (!entry.is_number_unsigned() ||
            entry.get<std::uint64_t>() >= static_cast<std::uint64_t>(vocab)) {
            throw Error::mismatch(root.where(), root.path_of(kKey),
                                  "token ids from 0 to " + std::to_string(vocab - 1),
                                  core::describe(entry));
        }
        ids.push_back(entry.get<std::int32_t>());
    }
    return ids;
}

/// What text_config does not say may stand beside it.
const JsonObject& holder(const JsonObject& root, const JsonObject& text, std::string_view key) {
    return text.has(key) ? text : root;
}

StoredType read_torch_dtype(const JsonObject& root, const JsonObject& text) {
    // transformers 5 renamed "torch_dtype" to "dtype".
    const JsonObject& object = text.has("torch_dtype") || text.has("dtype") ? text : root;
    const std::string_view key = object.has("torch_dtype") ? "torch_dtype" : "dtype";
    const std::string found = object.optional_text(key).value_or("float32");
    if (found == "float32") return StoredType::F32;
    if (found == "bfloat16") return StoredType::BF16;
    if (found == "float16") return StoredType::F16;
    throw object.unexpected(key, "float32, bfloat16 or float16");
}

void read_activation(const JsonObject& text, const Traits& traits, Config& config) {
    config.hidden_act = traits.activation;
    const auto found = text.optional_text(traits.activation_key);
    if (!found) return;
    for (const ActivationRow& row : kActivations) {
        if (row.name == *found) {
            config.hidden_act = row.activation;
            return;
        }
    }
    throw text.unexpected(traits.activation_key, "one of " + known(kActivations));
}

void read_biases(const JsonObject& text, const Traits& traits, Config& config) {
    const auto flag = [&](std::string_view key, bool absent) {
        return text.optional_boolean(key).value_or(absent);
    };
    switch (traits.bias) {
        case BiasRule::None:
            break;
        case BiasRule::Qkv:
            config.qkv_bias = true;
            break;
        case BiasRule::AttentionAndMlp:
            config.mlp_bias = flag("mlp_bias", false);
            [[fallthrough]];
        case BiasRule::AttentionBias:
            config.qkv_bias = config.o_bias = flag("attention_bias", traits.attention_bias_default);
            break;
        case BiasRule::AttentionExperts:
            config.mlp_bias = true;
            config.qkv_bias = config.o_bias = flag("attention_bias", traits.attention_bias_default);
            break;
        case BiasRule::Bias:
            config.qkv_bias = config.o_bias = config.mlp_bias = flag("bias", false);
            break;
    }
    config.attention_bias = config.qkv_bias || config.o_bias;
    config.lm_head_bias =
        config.architecture == Architecture::PhiMoe && flag("lm_head_bias", false);
}

void copy_traits(const Traits& traits, Config& config) {
    config.architecture = traits.architecture;
    config.attention_sinks = traits.architecture == Architecture::GptOss;
    config.qk_norm = traits.qk_norm;
    config.norms = traits.norms;
    config.norm_kind = traits.norm_kind;
    config.norm_unit_offset = traits.norm_unit_offset;
}

void read_sizes(const JsonObject& text, const Traits& traits, Config& config) {
    config.hidden_size = text.integer("hidden_size", 1, kMaxDim);
    config.num_hidden_layers = text.integer("num_hidden_layers", 1, kMaxLayers);
    config.vocab_size =
        traits.vocab_size > 0
            ? text.optional_integer("vocab_size", 1, kMaxVocab).value_or(traits.vocab_size)
            : text.integer("vocab_size", 1, kMaxVocab);
    config.max_position_embeddings =
        text.optional_integer("max_position_embeddings", 1, kMaxPositions)
            .value_or(traits.max_positions);
    const std::string_view epsilon =
        config.architecture == Architecture::Falcon ? "layer_norm_epsilon" : "rms_norm_eps";
    config.rms_norm_eps = text.optional_number(epsilon, 1e-30, 1).value_or(traits.epsilon);
    config.layers.resize(static_cast<std::size_t>(config.num_hidden_layers));
}

/// The sizes of the whole are the largest of its layers. A network of replaced layers alone keeps
/// the heads of its file.
void set_largest(Config& config) {
    LayerConfig most;
    for (const LayerConfig& layer : config.layers) {
        most.heads = std::max(most.heads, layer.heads);
        most.kv_heads = std::max(most.kv_heads, layer.kv_heads);
        most.head_dim = std::max(most.head_dim, layer.head_dim);
        most.intermediate_size =
            std::max({most.intermediate_size, layer.intermediate_size,
                      layer.expert_intermediate_size, layer.shared_experts_intermediate_size});
    }
    config.intermediate_size = most.intermediate_size;
    if (most.heads == 0) return;
    config.num_attention_heads = most.heads;
    config.num_key_value_heads = most.kv_heads;
    config.head_dim = most.head_dim;
}

Residual read_residual(const JsonObject& text, const Config& config) {
    if (config.architecture != Architecture::Falcon) return Residual::Sequential;
    const bool grouped = text.optional_boolean("new_decoder_architecture").value_or(false);
    const bool parallel = text.optional_boolean("parallel_attn").value_or(true);
    return grouped || parallel ? Residual::Parallel : Residual::Sequential;
}

std::vector<std::string> read_left_out(const JsonObject& root, const JsonObject& text) {
    const auto counted = [&](std::string_view key) {
        return text.optional_integer(key, 0, kMaxDim).value_or(0) > 0;
    };
    std::vector<std::string> parts;
    // img_processor is the older one (Phi-3-vision).
    if (root.has("vision_config") || root.has("img_processor")) parts.emplace_back("vision tower");
    if (root.has("audio_config")) parts.emplace_back("audio tower");
    if (counted("num_nextn_predict_layers") || counted("mtp_num_hidden_layers")) {
        parts.emplace_back("multi-token prediction layer");
    }
    if (counted("hidden_size_per_layer_input")) parts.emplace_back("per-layer input embeddings");
    if (counted("num_kv_shared_layers")) parts.emplace_back("sharing of caches between layers");
    return parts;
}

Config read_config(const JsonObject& root) {
    const Traits& traits = read_architecture(root);
    const JsonObject text = root.has("text_config") ? root.object("text_config") : root;
    Config config;
    copy_traits(traits, config);
    read_sizes(text, traits, config);
    read_attention(text, traits, config);
    read_feed_forward(text, traits, config);
    set_largest(config);
    read_rope(text, traits, config);
    read_activation(text, traits, config);
    read_biases(text, traits, config);
    config.residual = read_residual(text, config);
    constexpr std::string_view kTied = "tie_word_embeddings";
    config.tie_word_embeddings =
        holder(root, text, kTied).optional_boolean(kTied).value_or(traits.tied);
    constexpr std::string_view kBos = "bos_token_id";
    if (const auto bos =
            holder(root, text, kBos).optional_integer(kBos, 0, config.vocab_size - 1)) {
        config.bos_token_id = static_cast<std::int32_t>(*bos);
    }
    config.eos_token_ids = read_eos(holder(root, text, "eos_token_id"), config.vocab_size);
    config.torch_dtype = read_torch_dtype(root, text);
    config.left_out = read_left_out(root, text);
    return config;
}

/// config.json, or the params.json of a folder that has nothing else.
std::filesystem::path config_file(const std::filesystem::path& path) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(path, ignored)) return path;
    const bool is_meta = !std::filesystem::exists(path / "config.json", ignored) &&
                         std::filesystem::exists(path / kMetaParams, ignored);
    return path / (is_meta ? kMetaParams : "config.json");
}

}  // namespace

namespace config_reader {

std::vector<std::int64_t> layer_indices(const JsonObject& text, std::string_view key,
                                        std::size_t layers) {
    std::vector<std::int64_t> indices;
    const nlohmann::json* list = text.optional_array(key);
    if (list == nullptr) return indices;
    for (const nlohmann::json& entry : *list) {
        if (!entry.is_number_unsigned() || entry.get<std::uint64_t>() >= layers) {
            throw Error::mismatch(text.where(), text.path_of(key),
                                  "layer numbers from 0 to " + std::to_string(layers - 1),
                                  core::describe(entry));
        }
        indices.push_back(entry.get<std::int64_t>());
    }
    return indices;
}

JsonObject block_at(const JsonObject& text, std::size_t index, std::size_t layers) {
    constexpr std::string_view kKey = "block_configs";
    const nlohmann::json& list = text.array(kKey);
    if (list.size() != layers) {
        throw text.unexpected(kKey, std::to_string(layers) + " entries (num_hidden_layers)");
    }
    return {list[index], text.where(), text.path_of(kKey) + "[" + std::to_string(index) + "]"};
}

}  // namespace config_reader

std::string_view name(Activation activation) {
    for (const ActivationRow& row : kActivations) {
        if (row.activation == activation) return row.name;
    }
    core::require(false, "every Activation has a row");
    return {};
}

Config parse_config(std::string_view text, std::string_view where) {
    const nlohmann::json value = core::parse_json(text, where, {kConfigLimit, 32});
    return read_config(JsonObject(value, std::string(where)));
}

Config load_config(const std::filesystem::path& path) {
    std::error_code ignored;
    const std::filesystem::path file = config_file(path);
    const std::string where = core::printable(file.string());
    const bool is_meta = file.filename() == kMetaParams;
    std::string text = core::read_text(file, kConfigLimit);
    if (is_meta) {
        text = meta_config(text, where, [&] { return Checkpoint::meta_vocab(file.parent_path()); });
    }
    Config config = parse_config(text, where);

    const std::filesystem::path generation = file.parent_path() / "generation_config.json";
    if ((file.filename() == "config.json" || is_meta) &&
        std::filesystem::exists(generation, ignored)) {
        const nlohmann::json value = core::read_json(generation, {kConfigLimit, 32});
        const JsonObject root(value, core::printable(generation.string()));
        if (root.has("eos_token_id")) config.eos_token_ids = read_eos(root, config.vocab_size);
    }
    return config;
}

}  // namespace model

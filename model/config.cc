#include "model/config.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/json.h"

namespace model {

namespace {

using core::Error;
using core::JsonObject;

// Well above every published model, low enough that products of three stay inside 64 bits.
constexpr std::int64_t kMaxDim = 1 << 20;
constexpr std::int64_t kMaxLayers = 1 << 12;
constexpr std::int64_t kMaxHeads = 1 << 14;
constexpr std::int64_t kMaxHeadDim = 1 << 14;
constexpr std::int64_t kMaxVocab = 1 << 24;
constexpr std::int64_t kMaxPositions = std::int64_t{1} << 30;
constexpr double kMaxTheta = 1e15;
constexpr double kMaxFactor = 1e6;
constexpr core::Bytes kConfigLimit{4 * 1024 * 1024};

struct ArchitectureRow {
    Architecture architecture;
    std::string_view name;
};
constexpr std::array kArchitectures{ArchitectureRow{Architecture::Llama, "LlamaForCausalLM"}};

struct RopeRow {
    RopeKind kind;
    std::string_view name;
};
// The first row of a kind is its name; the others are older spellings.
constexpr std::array kRopes{
    RopeRow{RopeKind::None, "none"},     RopeRow{RopeKind::None, "default"},
    RopeRow{RopeKind::Linear, "linear"}, RopeRow{RopeKind::Llama3, "llama3"},
    RopeRow{RopeKind::Yarn, "yarn"},     RopeRow{RopeKind::LongRope, "longrope"},
    RopeRow{RopeKind::LongRope, "su"},
};

template <class Rows>
std::string known(const Rows& rows) {
    std::string text;
    for (const auto& row : rows) text.append(text.empty() ? "" : ", ").append(row.name);
    return text;
}

Architecture read_architecture(const JsonObject& root) {
    const std::string expected = "one of " + known(kArchitectures);
    const nlohmann::json& list = root.array("architectures");
    if (list.size() != 1 || !list[0].is_string()) {
        throw root.unexpected("architectures", "a list with one name, " + expected);
    }
    const auto found = list[0].get<std::string>();
    for (const ArchitectureRow& row : kArchitectures) {
        if (row.name == found) return row.architecture;
    }
    throw Error::mismatch(root.where(), "architectures", expected, core::describe(list[0]))
        .hint("this architecture cannot be run yet");
}

RopeKind read_rope_kind(const JsonObject& rope) {
    // transformers renamed "type" to "rope_type"; both are in the wild.
    const std::string_view key = rope.has("rope_type") ? "rope_type" : "type";
    const std::string found = rope.text(key);
    for (const RopeRow& row : kRopes) {
        if (row.name == found) return row.kind;
    }
    throw rope.unexpected(key, "one of " + known(kRopes));
}

std::vector<double> read_factors(const JsonObject& rope, std::string_view key, std::int64_t count) {
    const nlohmann::json& list = rope.array(key);
    if (static_cast<std::int64_t>(list.size()) != count) {
        throw rope.unexpected(key, std::to_string(count) + " entries (head_dim / 2)");
    }
    std::vector<double> factors;
    for (const nlohmann::json& entry : list) {
        const double value = entry.is_number() ? entry.get<double>() : 0;
        if (!(value > 0 && value <= kMaxFactor)) {
            throw Error::mismatch(rope.where(), rope.path_of(key), "numbers above 0",
                                  core::describe(entry));
        }
        factors.push_back(value);
    }
    return factors;
}

void read_llama3(const JsonObject& rope, RopeScaling& scaling) {
    scaling.low_freq_factor = rope.number("low_freq_factor", 1e-6, kMaxFactor);
    scaling.high_freq_factor = rope.number("high_freq_factor", 1e-6, kMaxFactor);
    // The blend between the two divides by their difference.
    if (scaling.high_freq_factor <= scaling.low_freq_factor) {
        throw rope.unexpected("high_freq_factor", "a number above low_freq_factor (" +
                                                      rope.find("low_freq_factor")->dump() + ")");
    }
}

void read_yarn(const JsonObject& rope, RopeScaling& scaling) {
    scaling.beta_fast = rope.optional_number("beta_fast", 1e-6, kMaxFactor).value_or(32);
    scaling.beta_slow = rope.optional_number("beta_slow", 1e-6, kMaxFactor).value_or(1);
}

RopeScaling read_rope(const JsonObject& rope, const JsonObject& root, const Config& config) {
    RopeScaling scaling;
    scaling.kind = read_rope_kind(rope);
    if (scaling.kind == RopeKind::None) return scaling;
    if (scaling.kind == RopeKind::LongRope) {
        scaling.factor = rope.optional_number("factor", 1, kMaxFactor).value_or(1);
        scaling.short_factor = read_factors(rope, "short_factor", config.head_dim / 2);
        scaling.long_factor = read_factors(rope, "long_factor", config.head_dim / 2);
    } else {
        scaling.factor = rope.number("factor", 1, kMaxFactor);
    }
    if (scaling.kind == RopeKind::Linear) return scaling;

    // Phi-3 keeps the original length beside rope_scaling, the others inside.
    constexpr std::string_view kOriginal = "original_max_position_embeddings";
    const JsonObject& holder = !rope.has(kOriginal) && root.has(kOriginal) ? root : rope;
    scaling.original_max_position_embeddings =
        scaling.kind == RopeKind::Yarn && !holder.has(kOriginal)
            ? config.max_position_embeddings
            : holder.integer(kOriginal, 1, kMaxPositions);
    if (scaling.kind == RopeKind::Llama3) {
        read_llama3(rope, scaling);
        return scaling;
    }
    if (scaling.kind == RopeKind::Yarn) read_yarn(rope, scaling);
    scaling.attention_factor = rope.optional_number("attention_factor", 1e-6, kMaxFactor);
    return scaling;
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

void read_heads(const JsonObject& root, Config& config) {
    config.num_attention_heads = root.integer("num_attention_heads", 1, kMaxHeads);
    config.num_key_value_heads = root.optional_integer("num_key_value_heads", 1, kMaxHeads)
                                     .value_or(config.num_attention_heads);
    if (config.num_attention_heads % config.num_key_value_heads != 0) {
        throw root.unexpected("num_key_value_heads",
                              "a divisor of num_attention_heads (" +
                                  std::to_string(config.num_attention_heads) + ")");
    }
    const auto head_dim = root.optional_integer("head_dim", 2, kMaxHeadDim);
    if (!head_dim && config.hidden_size % config.num_attention_heads != 0) {
        throw root.unexpected("num_attention_heads", "a divisor of hidden_size (" +
                                                         std::to_string(config.hidden_size) +
                                                         ") as there is no head_dim");
    }
    config.head_dim = head_dim.value_or(config.hidden_size / config.num_attention_heads);
    if (config.head_dim % 2 != 0) {
        throw Error::mismatch(root.where(), "head_dim",
                              "an even number (rotary positions turn pairs)",
                              std::to_string(config.head_dim));
    }
    if (config.num_attention_heads * config.head_dim > kMaxDim) {
        throw Error::mismatch(
            root.where(), "head_dim",
            "num_attention_heads x head_dim of at most " + std::to_string(kMaxDim),
            std::to_string(config.num_attention_heads * config.head_dim));
    }
}

void read_positions(const JsonObject& root, Config& config) {
    config.max_position_embeddings =
        root.optional_integer("max_position_embeddings", 1, kMaxPositions).value_or(2048);
    // transformers 5 moved both the scaling and rope_theta into rope_parameters.
    const std::string_view key = root.has("rope_parameters") ? "rope_parameters" : "rope_scaling";
    const std::optional<JsonObject> rope = root.optional_object(key);
    const JsonObject& theta_holder = rope && rope->has("rope_theta") ? *rope : root;
    config.rope_theta = theta_holder.optional_number("rope_theta", 1, kMaxTheta).value_or(10000);
    if (rope) config.rope_scaling = read_rope(*rope, root, config);
}

StoredType read_torch_dtype(const JsonObject& root) {
    // transformers 5 renamed "torch_dtype" to "dtype".
    const std::string_view key = root.has("torch_dtype") ? "torch_dtype" : "dtype";
    const std::string found = root.optional_text(key).value_or("float32");
    if (found == "float32") return StoredType::F32;
    if (found == "bfloat16") return StoredType::BF16;
    if (found == "float16") return StoredType::F16;
    throw root.unexpected(key, "float32, bfloat16 or float16");
}

void read_activation(const JsonObject& root, Config& config) {
    if (root.optional_text("hidden_act").value_or("silu") != "silu") {
        throw root.unexpected("hidden_act", "\"silu\"");
    }
    config.hidden_act = Activation::Silu;
}

Config read_config(const JsonObject& root) {
    Config config;
    config.architecture = read_architecture(root);
    config.hidden_size = root.integer("hidden_size", 1, kMaxDim);
    config.intermediate_size = root.integer("intermediate_size", 1, kMaxDim);
    config.num_hidden_layers = root.integer("num_hidden_layers", 1, kMaxLayers);
    config.vocab_size = root.integer("vocab_size", 1, kMaxVocab);
    config.rms_norm_eps = root.optional_number("rms_norm_eps", 1e-30, 1).value_or(1e-6);
    read_heads(root, config);
    read_positions(root, config);
    read_activation(root, config);
    config.tie_word_embeddings = root.optional_boolean("tie_word_embeddings").value_or(false);
    config.attention_bias = root.optional_boolean("attention_bias").value_or(false);
    config.mlp_bias = root.optional_boolean("mlp_bias").value_or(false);
    if (const auto bos = root.optional_integer("bos_token_id", 0, config.vocab_size - 1)) {
        config.bos_token_id = static_cast<std::int32_t>(*bos);
    }
    config.eos_token_ids = read_eos(root, config.vocab_size);
    config.torch_dtype = read_torch_dtype(root);
    return config;
}

}  // namespace

std::string_view name(Architecture architecture) {
    for (const ArchitectureRow& row : kArchitectures) {
        if (row.architecture == architecture) return row.name;
    }
    core::require(false, "every Architecture has a row");
    return {};
}

std::string_view name(RopeKind kind) {
    for (const RopeRow& row : kRopes) {
        if (row.kind == kind) return row.name;
    }
    core::require(false, "every RopeKind has a row");
    return {};
}

Config parse_config(std::string_view text, std::string_view where) {
    const nlohmann::json value = core::parse_json(text, where, {kConfigLimit, 32});
    return read_config(JsonObject(value, std::string(where)));
}

Config load_config(const std::filesystem::path& path) {
    std::error_code ignored;
    const bool is_folder = std::filesystem::is_directory(path, ignored);
    const std::filesystem::path file = is_folder ? path / "config.json" : path;
    Config config =
        parse_config(core::read_text(file, kConfigLimit), core::printable(file.string()));

    const std::filesystem::path generation = file.parent_path() / "generation_config.json";
    if (file.filename() == "config.json" && std::filesystem::exists(generation, ignored)) {
        const nlohmann::json value = core::read_json(generation, {kConfigLimit, 32});
        const JsonObject root(value, core::printable(generation.string()));
        if (root.has("eos_token_id")) config.eos_token_ids = read_eos(root, config.vocab_size);
    }
    return config;
}

}  // namespace model

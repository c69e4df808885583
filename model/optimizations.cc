#include "model/optimizations.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <map>
#include <optional>

#include "core/error.h"
#include "core/json.h"

namespace model {
namespace {

using mesh::Fidelity;
using tensor::DType;

constexpr std::string_view kWhere = "--precision";
constexpr std::int64_t kMostDecoders = 100'000;

// An enumerator of model_config.py: its value (used in strings) and its name (used in files).
template <typename T>
struct Word {
    std::string_view value;
    std::string_view name;
    T meaning;
};

constexpr std::array kTensorGroups{
    Word<DType LayerPrecision::*>{"ff1_3", "FF1_FF3", &LayerPrecision::ff1_3},
    Word<DType LayerPrecision::*>{"ff2", "FF2", &LayerPrecision::ff2},
    Word<DType LayerPrecision::*>{"wqkv", "WQKV", &LayerPrecision::wqkv},
    Word<DType LayerPrecision::*>{"wo", "WO", &LayerPrecision::wo},
    Word<DType LayerPrecision::*>{"kv_cache", "KV_CACHE", &LayerPrecision::kv_cache},
    Word<DType LayerPrecision::*>{"activation", "ACTIVATION", &LayerPrecision::activation},
};

// "mixed" leaves a tensor as it is.
constexpr std::array kFormats{
    Word<std::optional<DType>>{"bfp4", "BFP4", DType::BFloat4_b},
    Word<std::optional<DType>>{"bfp8", "BFP8", DType::BFloat8_b},
    Word<std::optional<DType>>{"bf16", "BF16", DType::BFloat16},
    Word<std::optional<DType>>{"mixed", "MIXED", std::nullopt},
};

constexpr std::array kOps{
    Word<OpGroup>{"li_ff1_3", "LI_FF1_FF3", OpGroup::LiFf1Ff3},
    Word<OpGroup>{"li_ff2", "LI_FF2", OpGroup::LiFf2},
    Word<OpGroup>{"li_qkv_decode", "LI_QKV_DECODE", OpGroup::LiQkvDecode},
    Word<OpGroup>{"li_o_decode", "LI_O_DECODE", OpGroup::LiODecode},
    Word<OpGroup>{"sdpa_decode", "SDPA_DECODE", OpGroup::SdpaDecode},
    Word<OpGroup>{"li_qkv_prefill", "LI_QKV_PREFILL", OpGroup::LiQkvPrefill},
    Word<OpGroup>{"li_o_prefill", "LI_O_PREFILL", OpGroup::LiOPrefill},
    Word<OpGroup>{"sdpa_prefill", "SDPA_PREFILL", OpGroup::SdpaPrefill},
    Word<OpGroup>{"accuracy", "ACCURACY", OpGroup::Other},
};

constexpr std::array kFidelities{
    Word<Fidelity>{"lofi", "LOFI", Fidelity::LoFi},
    Word<Fidelity>{"hifi2", "HIFI2", Fidelity::HiFi2},
    Word<Fidelity>{"hifi2na", "HIFI2_NA", Fidelity::HiFi2},
    Word<Fidelity>{"hifi2fp16", "HIFI2_FP16", Fidelity::HiFi2},
    Word<Fidelity>{"hifi2nol1acc", "HIFI2_NOL1ACC", Fidelity::HiFi2},
    Word<Fidelity>{"hifi4", "HIFI4", Fidelity::HiFi4},
    Word<Fidelity>{"hifi4fp32", "HIFI4_FP32", Fidelity::HiFi4},
};

enum class Spelling { Values, Names };

// Where a text stands, for messages.
struct Place {
    std::string_view where;
    std::string key;
    Spelling spelling = Spelling::Values;
};

template <typename Table>
const auto& look_up(const Table& table, std::string_view text, const Place& place) {
    const auto spelled = [&](const auto& word) {
        return place.spelling == Spelling::Values ? word.value : word.name;
    };
    for (const auto& word : table) {
        if (spelled(word) == text) return word.meaning;
    }
    std::string known;
    for (const auto& word : table) known.append(known.empty() ? "" : ", ").append(spelled(word));
    throw core::Error::mismatch(place.where, place.key, "one of " + known,
                                "\"" + std::string(text) + "\"");
}

enum class Part { Precision, Fidelity };

void set(LayerPrecision& layer, Part part, std::string_view key, std::string_view value,
         Place place) {
    if (part == Part::Fidelity) {
        const OpGroup group = look_up(kOps, key, place);
        place.key += std::string(".") + std::string(key);
        const Fidelity fidelity = look_up(kFidelities, value, place);
        if (group != OpGroup::Other) layer.fidelity[static_cast<std::size_t>(group)] = fidelity;
        return;
    }
    const auto member = look_up(kTensorGroups, key, place);
    place.key += std::string(".") + std::string(key);
    const std::optional<DType> format = look_up(kFormats, value, place);
    if (format) layer.*member = *format;
}

std::string_view trimmed(std::string_view text) {
    const auto blank = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
    while (!text.empty() && blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && blank(text.back())) text.remove_suffix(1);
    return text;
}

// "{a: b, c: d}" after `name` in `text`; nothing when the part is not there.
void read_part(std::string_view text, Part part, LayerPrecision& layer) {
    const std::string name = part == Part::Precision ? "precision_cfg" : "fidelity_cfg";
    const std::size_t at = text.find(name);
    if (at == std::string_view::npos) return;
    const std::size_t open = text.find('{', at);
    const std::string_view between =
        text.substr(at + name.size(), (open == std::string_view::npos ? at : open) - at);
    if (open == std::string_view::npos || between.find("_cfg") != std::string_view::npos) {
        throw core::Error("--precision: Missing opening brace for " + name);
    }
    const std::size_t close = text.find('}', open);
    if (close == std::string_view::npos) {
        throw core::Error("--precision: Missing closing brace for " + name);
    }
    std::string_view pairs = text.substr(open + 1, close - open - 1);
    while (!trimmed(pairs).empty()) {
        const std::size_t comma = pairs.find(',');
        const std::string_view pair = trimmed(pairs.substr(0, comma));
        pairs = comma == std::string_view::npos ? std::string_view{} : pairs.substr(comma + 1);
        const std::size_t colon = pair.find(':');
        if (colon == std::string_view::npos) {
            throw core::Error::mismatch(kWhere, name, "key: value pairs",
                                        "\"" + std::string(pair) + "\"")
                .hint("Invalid format - missing ':' separator");
        }
        set(layer, part, trimmed(pair.substr(0, colon)), trimmed(pair.substr(colon + 1)),
            {kWhere, name, Spelling::Values});
    }
}

// The class default (bfp8, hifi2): decoder 31 of Llama-3.1-8B in `performance` is that row.
LayerPrecision default_row() {
    return precision_preset("performance", "Llama-3.1-8B", 32).layers[31];
}

void read_file_part(const core::JsonObject& decoder, Part part, LayerPrecision& layer) {
    const char* name = part == Part::Precision ? "precision_cfg" : "fidelity_cfg";
    const auto block = decoder.optional_object(name);
    if (!block) return;
    for (const auto& [key, value] : block->value().items()) {
        set(layer, part, key, block->text(key),
            {block->where(), decoder.path_of(name), Spelling::Names});
    }
}

std::int64_t decoder_id(const std::string& text, const core::JsonObject& decoders) {
    std::int64_t id = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (error != std::errc{} || end != text.data() + text.size() || id < 0 || id > kMostDecoders) {
        throw core::Error::mismatch(decoders.where(), "decoders", "numbers of decoders as keys",
                                    core::describe(text));
    }
    return id;
}

}  // namespace

bool is_optimizations_text(std::string_view text) {
    return text.find("precision_cfg") != std::string_view::npos ||
           text.find("fidelity_cfg") != std::string_view::npos;
}

Precision parse_optimizations(std::string_view text, std::int32_t layers) {
    if (!is_optimizations_text(text)) {
        throw core::Error("--precision: String must contain either precision_cfg or fidelity_cfg");
    }
    LayerPrecision layer = default_row();
    read_part(text, Part::Precision, layer);
    read_part(text, Part::Fidelity, layer);
    Precision precision = precision_preset("performance", "model", layers);
    precision.name = trimmed(text);
    precision.layers.assign(static_cast<std::size_t>(layers), layer);
    return precision;
}

DecoderPrecision load_decoder_precision(const std::filesystem::path& file, std::string_view mode,
                                        std::int32_t layers) {
    const nlohmann::json json = core::read_json(file);
    const core::JsonObject root(json, file.string());
    if (!root.has("decoders")) {
        throw core::Error::mismatch(file.string(), "decoders", "an object by decoder number",
                                    "nothing")
            .hint("Invalid JSON format: Missing 'decoders' key");
    }
    DecoderPrecision result{precision_preset(mode, "model", layers), {}};
    result.precision.name = std::string(mode) + " (" + file.filename().string() + ")";
    const core::JsonObject decoders = root.object("decoders");
    for (const auto& [key, value] : decoders.value().items()) {
        const std::int64_t id = decoder_id(key, decoders);
        const core::JsonObject decoder = decoders.object(key);
        LayerPrecision layer =
            id < layers ? result.precision.layers[static_cast<std::size_t>(id)] : default_row();
        const LayerPrecision mode_row = layer;
        // What is listed stands over the default row; a part that is missing keeps the mode's.
        if (decoder.has("precision_cfg")) {
            layer = default_row();
            layer.fidelity = mode_row.fidelity;
        }
        if (decoder.has("fidelity_cfg")) layer.fidelity = default_row().fidelity;
        read_file_part(decoder, Part::Precision, layer);
        read_file_part(decoder, Part::Fidelity, layer);
        if (id < layers) {
            result.precision.layers[static_cast<std::size_t>(id)] = layer;
        } else {
            result.warnings.push_back(file.filename().string() + " names decoder " + key +
                                      ", the model has 0 to " + std::to_string(layers - 1) +
                                      ": without effect");
        }
    }
    return result;
}

DecoderPrecision precision_for(std::string_view wanted, const std::filesystem::path& folder,
                               std::int32_t layers) {
    if (is_optimizations_text(wanted)) return {parse_optimizations(wanted, layers), {}};
    if (wanted.ends_with(".json")) return load_decoder_precision(wanted, "performance", layers);
    if (wanted == "performance" || wanted == "accuracy") {
        const auto file = folder / (std::string(wanted) + "_decoder_config.json");
        if (std::filesystem::is_regular_file(file)) {
            return load_decoder_precision(file, wanted, layers);
        }
    }
    return {precision_preset(wanted, base_model_name(folder.string()), layers), {}};
}

}  // namespace model

#include "model/precision.h"

#include <cctype>
#include <filesystem>

#include "core/error.h"

namespace model {
namespace {

using mesh::Fidelity;
using tensor::DType;

void set(LayerPrecision& layer, OpGroup group, Fidelity fidelity) {
    layer.fidelity[static_cast<std::size_t>(group)] = fidelity;
}

// The class default: bfp8 everywhere, ff hifi2fp16, attention hifi2, prefill SDPA hifi4.
LayerPrecision default_layer() {
    LayerPrecision layer;
    layer.fidelity.fill(Fidelity::HiFi2);
    set(layer, OpGroup::SdpaPrefill, Fidelity::HiFi4);
    return layer;
}

LayerPrecision bfp4_gate_up(LayerPrecision layer) {
    layer.ff1_3 = DType::BFloat4_b;
    set(layer, OpGroup::LiFf1Ff3, Fidelity::LoFi);
    return layer;
}

// decoder.py hands the experts the dtype of the model, bfp8 in every demo, whatever the settings of
// its layers are; mixtral_mlp.py multiplies with LoFi.
LayerPrecision bfp8_experts(LayerPrecision layer) {
    layer.ff1_3 = layer.ff2 = DType::BFloat8_b;
    set(layer, OpGroup::LiFf1Ff3, Fidelity::LoFi);
    set(layer, OpGroup::LiFf2, Fidelity::LoFi);
    return layer;
}

LayerPrecision bf16_attention(LayerPrecision layer) {
    layer.wqkv = layer.wo = layer.kv_cache = DType::BFloat16;
    for (const OpGroup group : {OpGroup::LiQkvDecode, OpGroup::LiODecode, OpGroup::SdpaDecode,
                                OpGroup::LiQkvPrefill, OpGroup::LiOPrefill, OpGroup::SdpaPrefill}) {
        set(layer, group, Fidelity::HiFi4);
    }
    return layer;
}

bool starts_with_any(std::string_view name, std::initializer_list<std::string_view> prefixes) {
    for (const std::string_view prefix : prefixes) {
        if (name.starts_with(prefix)) return true;
    }
    return false;
}

Precision uniform(std::string_view name, DType dtype, std::int32_t layers) {
    Precision precision;
    precision.name = name;
    precision.embedding = precision.norms = precision.rope = dtype;
    precision.lm_head = precision.logits = precision.activation = precision.ccl = dtype;
    LayerPrecision layer;
    layer.ff1_3 = layer.ff2 = layer.wqkv = layer.wo = layer.kv_cache = dtype;
    layer.activation = layer.gate = dtype;
    layer.fidelity.fill(Fidelity::HiFi4);
    precision.layers.assign(static_cast<std::size_t>(layers), layer);
    return precision;
}

Precision performance(std::string_view base, std::int32_t layers) {
    Precision precision;
    precision.name = "performance";
    const bool qwen7 = starts_with_any(base, {"Qwen2.5-7B", "Qwen2.5-VL-7B"});
    LayerPrecision layer = qwen7 ? bf16_attention(default_layer()) : bfp4_gate_up(default_layer());
    // models/demos/gpt_oss/tt/mlp.py: weight_dtype=ttnn.bfloat4_b for all three expert matrices.
    if (starts_with_any(base, {"gpt-oss", "GPT-OSS"})) layer.ff2 = DType::BFloat4_b;
    if (starts_with_any(base, {"Mixtral"})) layer = bfp8_experts(layer);
    precision.layers.assign(static_cast<std::size_t>(layers), layer);
    // model_params/Llama-3.1-8B-Instruct/performance_decoder_config.json: decoder 31 keeps bfp8.
    if (base == "Llama-3.1-8B" && layers == 32) precision.layers[31] = default_layer();
    return precision;
}

Precision accuracy(std::string_view base, std::int32_t layers) {
    Precision precision;
    precision.name = "accuracy";
    LayerPrecision layer = default_layer();
    if (starts_with_any(base,
                        {"Llama-3.1-70B", "Llama-3.2-90B", "DeepSeek-R1-Distill-Llama-70B"})) {
        layer = bfp4_gate_up(layer);
    } else if (!starts_with_any(base,
                                {"Llama-3", "Meta-Llama-3", "Mistral-7B", "Phi-3-mini", "phi-4"})) {
        layer = bf16_attention(layer);
    }
    if (starts_with_any(base, {"Mixtral"})) layer = bfp8_experts(layer);
    precision.layers.assign(static_cast<std::size_t>(layers), layer);
    return precision;
}

}  // namespace

std::vector<std::string_view> precision_names() {
    return {"fp32", "bf16", "performance", "accuracy"};
}

Precision precision_preset(std::string_view name, std::string_view base_model,
                           std::int32_t layers) {
    if (name == "fp32") return uniform(name, DType::Float32, layers);
    if (name == "bf16") return uniform(name, DType::BFloat16, layers);
    if (name == "performance") return performance(base_model, layers);
    if (name == "accuracy") return accuracy(base_model, layers);
    throw core::Error::mismatch("--precision", "", "fp32, bf16, performance or accuracy",
                                "\"" + std::string(name) + "\"");
}

std::string base_model_name(std::string_view path) {
    std::string name = std::filesystem::path(path).lexically_normal().filename().string();
    if (name.empty()) {
        name = std::filesystem::path(path).lexically_normal().parent_path().filename().string();
    }
    for (std::size_t i = 1; i + 1 < name.size(); ++i) {
        const bool size_letter = name[i] == 'b' || name[i] == 'B';
        if (size_letter && name[i + 1] == '-' &&
            std::isdigit(static_cast<unsigned char>(name[i - 1])) != 0) {
            return name.substr(0, i + 1);
        }
    }
    return name;
}

}  // namespace model

// Storage formats and math fidelities of a run, per decoder, in the tensor and op groups of
// tt_transformers (TensorGroup, OpGroup, MathFidelitySetting).
// Source: tenstorrent/tt-metal: models/tt_transformers/tt/model_config.py @0039cbf0861e and the
// tree of 2026-05-23. Today fidelities steer the clock only; values are exact storage, f32 math.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mesh/chip_spec.h"
#include "tensor/dtype.h"

namespace model {

enum class OpGroup {
    LiFf1Ff3,
    LiFf2,
    LiQkvDecode,
    LiODecode,
    SdpaDecode,
    LiQkvPrefill,
    LiOPrefill,
    SdpaPrefill,
    Other,  // norms, rope, LM head: HiFi2
};
inline constexpr std::size_t kOpGroups = 9;

/// One decoder layer's settings.
struct LayerPrecision {
    tensor::DType ff1_3 = tensor::DType::BFloat8_b;
    tensor::DType ff2 = tensor::DType::BFloat8_b;
    tensor::DType wqkv = tensor::DType::BFloat8_b;
    tensor::DType wo = tensor::DType::BFloat8_b;
    tensor::DType kv_cache = tensor::DType::BFloat8_b;
    tensor::DType activation = tensor::DType::BFloat16;
    tensor::DType gate = tensor::DType::BFloat8_b;  // output of silu(w1 x) * w3 x
    std::array<mesh::Fidelity, kOpGroups> fidelity{};

    bool operator==(const LayerPrecision&) const = default;
    mesh::Fidelity fidelity_of(OpGroup group) const {
        return fidelity[static_cast<std::size_t>(group)];
    }
};

struct Precision {
    std::string name;  // "performance"
    tensor::DType embedding = tensor::DType::BFloat16;
    tensor::DType norms = tensor::DType::BFloat16;
    tensor::DType rope = tensor::DType::BFloat16;
    tensor::DType lm_head = tensor::DType::BFloat8_b;
    tensor::DType logits = tensor::DType::BFloat8_b;
    tensor::DType activation = tensor::DType::BFloat16;
    /// Payload of collectives that carry partial sums on 2-D meshes.
    tensor::DType ccl = tensor::DType::BFloat8_b;
    std::vector<LayerPrecision> layers;
};

/// Names accepted by precision_preset, in the order --help lists them.
std::vector<std::string_view> precision_names();

/// "fp32", "bf16", "performance" or "accuracy" for a model of `layers` decoders; `base_model` is
/// its name ("Llama-3.1-8B"), by which tt_transformers chooses. Throws core::Error for other names.
Precision precision_preset(std::string_view name, std::string_view base_model, std::int32_t layers);

/// "Llama-3.1-8B" of ".../Llama-3.1-8B-Instruct": the regular expression (.*?\d+[bB])-, else the
/// last path component (demo/trace_region_config.py).
std::string base_model_name(std::string_view path);

}  // namespace model

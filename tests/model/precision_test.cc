// The precision table of tenstorrent/tt-metal: models/tt_transformers/tt/model_config.py
// @0039cbf0861e (DecodersPrecision), by model and mode.
#include "model/precision.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace model {
namespace {

using mesh::Fidelity;
using tensor::DType;

LayerPrecision layer_of(std::string_view mode, std::string_view model) {
    return precision_preset(mode, model, 3).layers.at(1);
}

struct Formats {
    DType ff1_3, ff2, attention;  // attention: wqkv, wo and the KV cache together
};

void expect_formats(const LayerPrecision& layer, Formats expected) {
    EXPECT_EQ(layer.ff1_3, expected.ff1_3);
    EXPECT_EQ(layer.ff2, expected.ff2);
    EXPECT_EQ(layer.wqkv, expected.attention);
    EXPECT_EQ(layer.wo, expected.attention);
    EXPECT_EQ(layer.kv_cache, expected.attention);
    EXPECT_EQ(layer.activation, DType::BFloat16);
}

void expect_attention_fidelity(const LayerPrecision& layer, Fidelity expected) {
    for (const OpGroup group : {OpGroup::LiQkvDecode, OpGroup::LiODecode, OpGroup::SdpaDecode,
                                OpGroup::LiQkvPrefill, OpGroup::LiOPrefill}) {
        EXPECT_EQ(layer.fidelity_of(group), expected);
    }
    EXPECT_EQ(layer.fidelity_of(OpGroup::SdpaPrefill), Fidelity::HiFi4);
}

constexpr Formats kPerformance{DType::BFloat4_b, DType::BFloat8_b, DType::BFloat8_b};
constexpr Formats kDefault{DType::BFloat8_b, DType::BFloat8_b, DType::BFloat8_b};
constexpr Formats kBf16Attention{DType::BFloat8_b, DType::BFloat8_b, DType::BFloat16};

TEST(PrecisionPreset, performance_is_bfp4_lofi_in_w1_and_w3) {
    // "most" models: everything else keeps the default row.
    for (const char* model : {"Llama-3.1-70B", "Qwen3-32B", "tiny-shakespeare"}) {
        SCOPED_TRACE(model);
        const LayerPrecision layer = layer_of("performance", model);
        expect_formats(layer, kPerformance);
        EXPECT_EQ(layer.fidelity_of(OpGroup::LiFf1Ff3), Fidelity::LoFi);
        EXPECT_EQ(layer.fidelity_of(OpGroup::LiFf2), Fidelity::HiFi2);
        expect_attention_fidelity(layer, Fidelity::HiFi2);
    }
}

TEST(PrecisionPreset, performance_of_qwen_7b_keeps_attention_in_bf16) {
    // Its KV heads do not survive bfp8: Qwen2.5-7B and Qwen2.5-VL-7B.
    for (const char* model : {"Qwen2.5-7B", "Qwen2.5-VL-7B"}) {
        const LayerPrecision layer = layer_of("performance", model);
        expect_formats(layer, kBf16Attention);
        EXPECT_EQ(layer.fidelity_of(OpGroup::LiFf1Ff3), Fidelity::HiFi2);
        expect_attention_fidelity(layer, Fidelity::HiFi4);
    }
}

TEST(PrecisionPreset, accuracy_depends_on_the_model) {
    // Large Llamas keep bfp4; Llama-3*, Mistral-7B* and Phi-3-mini* are bfp8 throughout; others
    // have bf16 attention. Llama-3.3-70B is in no list of its own and is a Llama-3*.
    for (const char* model : {"Llama-3.1-70B", "Llama-3.2-90B", "DeepSeek-R1-Distill-Llama-70B"}) {
        SCOPED_TRACE(model);
        const LayerPrecision layer = layer_of("accuracy", model);
        expect_formats(layer, kPerformance);
        EXPECT_EQ(layer.fidelity_of(OpGroup::LiFf1Ff3), Fidelity::LoFi);
    }
    for (const char* model :
         {"Llama-3.1-8B", "Llama-3.3-70B", "Meta-Llama-3-8B", "Mistral-7B", "Phi-3-mini-128k"}) {
        SCOPED_TRACE(model);
        const LayerPrecision layer = layer_of("accuracy", model);
        expect_formats(layer, kDefault);
        expect_attention_fidelity(layer, Fidelity::HiFi2);
    }
    for (const char* model : {"Qwen2.5-72B", "Qwen3-32B", "Phi-4", "tiny-shakespeare"}) {
        SCOPED_TRACE(model);
        const LayerPrecision layer = layer_of("accuracy", model);
        expect_formats(layer, kBf16Attention);
        expect_attention_fidelity(layer, Fidelity::HiFi4);
    }
}

TEST(PrecisionPreset, llama_8b_performance_keeps_its_last_decoder_in_bfp8) {
    // model_params/Llama-3.1-8B-Instruct/performance_decoder_config.json overrides decoder 31.
    const Precision precision = precision_preset("performance", "Llama-3.1-8B", 32);
    ASSERT_EQ(precision.layers.size(), 32u);
    for (std::size_t layer = 0; layer < 31; ++layer) {
        EXPECT_EQ(precision.layers[layer].ff1_3, DType::BFloat4_b) << layer;
    }
    EXPECT_EQ(precision.layers[31].ff1_3, DType::BFloat8_b);
    EXPECT_EQ(precision.layers[31].fidelity_of(OpGroup::LiFf1Ff3), Fidelity::HiFi2);
}

TEST(PrecisionPreset, the_lm_head_is_bfp8_and_embedding_norms_and_rope_are_bf16) {
    // The same in both modes; collectives of partial sums carry bfp8.
    for (const char* mode : {"performance", "accuracy"}) {
        const Precision precision = precision_preset(mode, "Llama-3.1-8B", 32);
        EXPECT_EQ(precision.name, mode);
        EXPECT_EQ(precision.lm_head, DType::BFloat8_b);
        EXPECT_EQ(precision.logits, DType::BFloat8_b);
        EXPECT_EQ(precision.embedding, DType::BFloat16);
        EXPECT_EQ(precision.norms, DType::BFloat16);
        EXPECT_EQ(precision.rope, DType::BFloat16);
        EXPECT_EQ(precision.ccl, DType::BFloat8_b);
    }
}

TEST(PrecisionPreset, fp32_and_bf16_are_one_format_everywhere) {
    // They are the yardsticks that the device's formats are compared with.
    for (const auto& [mode, dtype] :
         {std::pair{"fp32", DType::Float32}, std::pair{"bf16", DType::BFloat16}}) {
        const Precision precision = precision_preset(mode, "Qwen2.5-7B", 2);
        ASSERT_EQ(precision.layers.size(), 2u);
        for (const DType used :
             {precision.embedding, precision.norms, precision.rope, precision.lm_head,
              precision.logits, precision.activation, precision.ccl, precision.layers[1].ff1_3,
              precision.layers[1].ff2, precision.layers[1].wqkv, precision.layers[1].wo,
              precision.layers[1].kv_cache, precision.layers[1].activation,
              precision.layers[1].gate}) {
            EXPECT_EQ(used, dtype);
        }
    }
}

TEST(PrecisionPreset, experts_of_mixtral_are_bfp8_and_lofi_in_every_mode) {
    // decoder.py gives TtMixtralMLP the model's dtype, not the settings of its layer;
    // mixtral_mlp.py: compute_kernel_config_lofi.
    for (const char* mode : {"performance", "accuracy"}) {
        const LayerPrecision layer = precision_preset(mode, "Mixtral-8x7B", 2).layers[1];
        EXPECT_EQ(layer.ff1_3, tensor::DType::BFloat8_b) << mode;
        EXPECT_EQ(layer.ff2, tensor::DType::BFloat8_b) << mode;
        for (const OpGroup group : {OpGroup::LiFf1Ff3, OpGroup::LiFf2}) {
            EXPECT_EQ(layer.fidelity[static_cast<std::size_t>(group)], mesh::Fidelity::LoFi);
        }
    }
    EXPECT_EQ(precision_preset("performance", "Mistral-7B", 2).layers[1].ff1_3,
              tensor::DType::BFloat4_b);
}

TEST(PrecisionPreset, another_name_is_refused_with_the_known_ones) {
    // A typing error must not run the default.
    try {
        precision_preset("fast", "Llama-3.1-8B", 32);
        FAIL() << "expected an error";
    } catch (const core::Error& error) {
        const std::string text = error.what();
        EXPECT_NE(text.find("--precision"), text.npos) << text;
        EXPECT_NE(text.find("fp32, bf16, performance or accuracy"), text.npos) << text;
        EXPECT_NE(text.find("\"fast\""), text.npos) << text;
    }
    EXPECT_EQ(precision_names(),
              (std::vector<std::string_view>{"fp32", "bf16", "performance", "accuracy"}));
}

TEST(BaseModelName, ends_at_the_first_size) {
    // The regular expression (.*?\d+[bB])- of demo/trace_region_config.py on the folder's name.
    EXPECT_EQ(base_model_name("/models/meta-llama/Llama-3.1-8B-Instruct"), "Llama-3.1-8B");
    EXPECT_EQ(base_model_name("Llama-3.1-8B-Instruct/"), "Llama-3.1-8B");
    EXPECT_EQ(base_model_name("Llama-3.2-90B-Vision-Instruct"), "Llama-3.2-90B");
    EXPECT_EQ(base_model_name("DeepSeek-R1-Distill-Llama-70B"), "DeepSeek-R1-Distill-Llama-70B");
    EXPECT_EQ(base_model_name("Mixtral-8x7b-v0.1"), "Mixtral-8x7b");
    EXPECT_EQ(base_model_name("Qwen2.5-VL-7B-Instruct"), "Qwen2.5-VL-7B");
    EXPECT_EQ(base_model_name("Phi-3-mini-128k-instruct"), "Phi-3-mini-128k-instruct");
    EXPECT_EQ(base_model_name("models/tiny-shakespeare"), "tiny-shakespeare");
}

}  // namespace
}  // namespace model

// The table of architectures, and which of them the runtime runs.
// Invariant: every Architecture has one row, and a row names only what differs from a plain
// decoder without biases; sizes are defaults for keys a config.json leaves out.
#include <array>

#include "core/error.h"
#include "model/config_reader.h"
#include "model/not_computed.h"

namespace model {

namespace config_reader {

namespace {

/// Gemma 3 comes with and without its vision tower.
constexpr Traits gemma3(Architecture architecture, std::string_view name) {
    return Traits{.architecture = architecture,
                  .name = name,
                  .attention = AttentionRule::Pattern,
                  .bias = BiasRule::AttentionBias,
                  .qk_norm = QkNorm::PerHead,
                  .norms = Norms::PreAndPost,
                  .norm_unit_offset = true,
                  .heads = 8,
                  .kv_heads = 4,
                  .head_dim = 256,
                  .vocab_size = 262208,
                  .max_positions = 131072,
                  .window = 4096,
                  .pattern = 6,
                  .theta = 1e6,
                  .local_theta = 10000,
                  .activation = Activation::GeluTanh,
                  .activation_key = "hidden_activation",
                  .tied = true};
}

// huggingface/transformers: src/transformers/models, configuration_*.py and modeling_*.py of
// each. Two bring their code with them: nvidia/Llama-3_3-Nemotron-Super-49B-v1 (DeciLM) and
// XiaomiMiMo/MiMo-7B-Base (a Qwen2 with a prediction layer).
constexpr std::array kTraits{
    Traits{.architecture = Architecture::Llama,
           .name = "LlamaForCausalLM",
           .bias = BiasRule::AttentionAndMlp},
    Traits{.architecture = Architecture::Qwen2,
           .name = "Qwen2ForCausalLM",
           .attention = AttentionRule::SwitchedAbove,
           .bias = BiasRule::Qkv,
           .max_positions = 32768,
           .window = 4096},
    Traits{.architecture = Architecture::Qwen3,
           .name = "Qwen3ForCausalLM",
           .attention = AttentionRule::SwitchedAbove,
           .bias = BiasRule::AttentionBias,
           .qk_norm = QkNorm::PerHead,
           .head_dim = 128,
           .max_positions = 32768,
           .window = 4096},
    Traits{.architecture = Architecture::Mistral,
           .name = "MistralForCausalLM",
           .attention = AttentionRule::Windowed,
           .max_positions = 131072,
           .window = 4096},
    Traits{.architecture = Architecture::Phi3,
           .name = "Phi3ForCausalLM",
           .attention = AttentionRule::Windowed,
           .max_positions = 4096,
           .epsilon = 1e-5},
    Traits{.architecture = Architecture::Mixtral,
           .name = "MixtralForCausalLM",
           .attention = AttentionRule::Windowed,
           .feed_forward = FeedForwardRule::LocalExperts,
           .max_positions = 131072,
           .epsilon = 1e-5,
           .theta = 1e6},
    Traits{.architecture = Architecture::Qwen3Moe,
           .name = "Qwen3MoeForCausalLM",
           .attention = AttentionRule::Switched,
           .feed_forward = FeedForwardRule::SparseSteps,
           .bias = BiasRule::AttentionBias,
           .qk_norm = QkNorm::PerHead,
           .max_positions = 32768,
           .window = 4096},
    Traits{.architecture = Architecture::GptOss,
           .name = "GptOssForCausalLM",
           .attention = AttentionRule::Pattern,
           .feed_forward = FeedForwardRule::LocalExperts,
           .bias = BiasRule::AttentionExperts,
           .attention_bias_default = true,
           .head_dim = 64,
           .max_positions = 131072,
           .window = 128,
           .pattern = 2,
           .epsilon = 1e-5,
           .theta = 150000},
    gemma3(Architecture::Gemma3, "Gemma3ForCausalLM"),
    gemma3(Architecture::Gemma3Conditional, "Gemma3ForConditionalGeneration"),
    Traits{.architecture = Architecture::Gemma4Conditional,
           .name = "Gemma4ForConditionalGeneration",
           .attention = AttentionRule::Pattern,
           .feed_forward = FeedForwardRule::BesideExperts,
           .bias = BiasRule::AttentionBias,
           .qk_norm = QkNorm::PerHead,
           .norms = Norms::PreAndPost,
           .heads = 8,
           .kv_heads = 4,
           .head_dim = 256,
           .vocab_size = 262144,
           .max_positions = 131072,
           .window = 512,
           .pattern = 6,
           .theta = 1e6,
           .local_theta = 10000,
           .activation = Activation::GeluTanh,
           .activation_key = "hidden_activation",
           .tied = true},
    Traits{.architecture = Architecture::Mllama,
           .name = "MllamaForConditionalGeneration",
           .attention = AttentionRule::Cross,
           .max_positions = 131072,
           .epsilon = 1e-5,
           .theta = 500000},
    Traits{.architecture = Architecture::DeciLm,
           .name = "DeciLMForCausalLM",
           .attention = AttentionRule::Blocks,
           .feed_forward = FeedForwardRule::Blocks,
           .bias = BiasRule::AttentionAndMlp},
    Traits{.architecture = Architecture::DeepseekV3,
           .name = "DeepseekV3ForCausalLM",
           .attention = AttentionRule::Latent,
           .feed_forward = FeedForwardRule::DenseFirst,
           .bias = BiasRule::AttentionBias,
           .max_positions = 4096},
    Traits{.architecture = Architecture::Olmo3,
           .name = "Olmo3ForCausalLM",
           .attention = AttentionRule::Pattern,
           .bias = BiasRule::AttentionBias,
           .qk_norm = QkNorm::FullWidth,
           .norms = Norms::Post,
           .window = 4096,
           .pattern = 4,
           .epsilon = 1e-5},
    Traits{.architecture = Architecture::Exaone4,
           .name = "Exaone4ForCausalLM",
           .attention = AttentionRule::Pattern,
           .qk_norm = QkNorm::PerHead,
           .norms = Norms::Post,
           .window = 4096,
           .pattern = 4,
           .epsilon = 1e-5},
    Traits{.architecture = Architecture::PhiMoe,
           .name = "PhiMoEForCausalLM",
           .attention = AttentionRule::Windowed,
           .feed_forward = FeedForwardRule::LocalExperts,
           .bias = BiasRule::AttentionBias,
           .norm_kind = NormKind::Layer,
           .max_positions = 131072,
           .epsilon = 1e-5,
           .theta = 1e6},
    Traits{.architecture = Architecture::MiMo,
           .name = "MiMoForCausalLM",
           .attention = AttentionRule::SwitchedAbove,
           .bias = BiasRule::Qkv,
           .max_positions = 32768,
           .window = 4096},
    Traits{.architecture = Architecture::Qwen3Vl,
           .name = "Qwen3VLForConditionalGeneration",
           .bias = BiasRule::AttentionBias,
           .qk_norm = QkNorm::PerHead,
           .head_dim = 128,
           .max_positions = 128000,
           .theta = 5e6},
    Traits{.architecture = Architecture::Qwen35,
           .name = "Qwen3_5ForConditionalGeneration",
           .attention = AttentionRule::Hybrid,
           .bias = BiasRule::AttentionBias,
           .qk_norm = QkNorm::PerHead,
           .norm_unit_offset = true,
           .head_dim = 256,
           .max_positions = 32768,
           .pattern = 4,
           .partial_rotary = 0.25},
    Traits{.architecture = Architecture::Falcon,
           .name = "FalconForCausalLM",
           .feed_forward = FeedForwardRule::FourTimes,
           .bias = BiasRule::Bias,
           .norm_kind = NormKind::Layer,
           .epsilon = 1e-5,
           .activation = Activation::Gelu,
           .activation_key = "activation",
           .tied = true},
};

}  // namespace

std::span<const Traits> all_traits() { return kTraits; }

const Traits& traits_of(Architecture architecture) {
    for (const Traits& traits : kTraits) {
        if (traits.architecture == architecture) return traits;
    }
    core::require(false, "every Architecture has a row");
    return kTraits.front();
}

}  // namespace config_reader

std::string_view name(Architecture architecture) {
    return config_reader::traits_of(architecture).name;
}

bool is_proven(Architecture architecture) {
    switch (architecture) {
        case Architecture::Llama:
        case Architecture::Qwen2:
        case Architecture::Qwen3:
        case Architecture::Mistral:
        case Architecture::Phi3:
        case Architecture::Mixtral:
            return true;
        case Architecture::Qwen3Moe:
        case Architecture::GptOss:
        case Architecture::Gemma3:
        case Architecture::Gemma3Conditional:
        case Architecture::Gemma4Conditional:
        case Architecture::Mllama:
        case Architecture::DeciLm:
        case Architecture::DeepseekV3:
        case Architecture::Olmo3:
        case Architecture::Exaone4:
        case Architecture::PhiMoe:
        case Architecture::MiMo:
        case Architecture::Qwen3Vl:
        case Architecture::Qwen35:
        case Architecture::Falcon:
            return false;
    }
    core::require(false, "every Architecture is in the switch");
    return false;
}

Support support(const Config& config) {
    return not_computed(config).empty() ? Support::Runs : Support::SizesOnly;
}

void require_runs(const Config& config, std::string_view where) {
    if (support(config) == Support::Runs) return;
    std::string runs;
    for (const config_reader::Traits& traits : config_reader::all_traits()) {
        Config plain;
        plain.architecture = traits.architecture;
        plain.hidden_act = traits.activation;
        if (support(plain) != Support::Runs) continue;
        runs.append(runs.empty() ? "" : ", ").append(traits.name);
    }
    std::string what;
    for (const std::string& part : not_computed(config)) {
        what.append(what.empty() ? "" : ", ").append(part);
    }
    const bool plain_name = runs.find(name(config.architecture)) == std::string::npos;
    const std::string found = "\"" + std::string(name(config.architecture)) + "\"";
    throw core::Error::mismatch(where, "architectures", "one that can be run (" + runs + ")",
                                plain_name ? found : found + " with parts that are not")
        .hint("only its sizes are known; not computed: " + what);
}

}  // namespace model

// The config.json files of real models (models/configs) against what is published about
// them: sizes as on the model cards, and parameters counted from the sizes of every layer.
// Invariant: every folder there has a row here. Parameters are those of the text part.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "core/error.h"
#include "model/config.h"
#include "tests/core/temp_folder.h"

namespace {

using core::Error;
using model::Config;
using model::LayerConfig;
using nlohmann::json;
using Attention = LayerConfig::Attention;
using FeedForward = LayerConfig::FeedForward;

/// What a published model is known to be. Parameters are those of the text part in 10^9.
struct Published {
    const char* folder;
    std::int64_t layers, hidden, heads, kv_heads, head_dim, ffn, vocab;
    double billions;
    double band = 0.01;  // of billions; wider where the published number is rounded
    std::int64_t experts = 0, chosen = 0, expert_ffn = 0;
};

// Sizes: the model cards and reports of each. Parameters: the safetensors index of each.
// Text parts are the whole less the vision tower (Llama-3.2 vision: 10.67 and 88.59 in all;
// Phi-3.5-vision 4.15; Qwen3-VL as Qwen3-4B and -32B), MiMo less its prediction layer (7.83),
// falcon-40b less the copy of its embedding that the checkpoint stores as lm_head (41.84).
constexpr Published kPublished[] = {
    {"DeepSeek-R1-Distill-Llama-70B", 80, 8192, 64, 8, 128, 28672, 128256, 70.55},
    {"DeepSeek-V3", 61, 7168, 128, 128, 192, 18432, 129280, 671.0, 0.01, 256, 8, 2048},
    {"EXAONE-4.0-32B", 64, 5120, 40, 8, 128, 27392, 102400, 32.0},
    {"Llama-3.1-405B", 126, 16384, 128, 8, 128, 53248, 128256, 405.85},
    {"Llama-3.1-70B-Instruct", 80, 8192, 64, 8, 128, 28672, 128256, 70.55},
    {"Llama-3.1-8B-Instruct", 32, 4096, 32, 8, 128, 14336, 128256, 8.03},
    {"Llama-3.2-11B-Vision-Instruct", 40, 4096, 32, 8, 128, 14336, 128256, 9.78},
    {"Llama-3.2-1B-Instruct", 16, 2048, 32, 8, 64, 8192, 128256, 1.236},
    {"Llama-3.2-3B-Instruct", 28, 3072, 24, 8, 128, 8192, 128256, 3.213},
    {"Llama-3.2-90B-Vision-Instruct", 100, 8192, 64, 8, 128, 28672, 128256, 87.67},
    {"Llama-3.3-70B-Instruct", 80, 8192, 64, 8, 128, 28672, 128256, 70.55},
    {"Llama-3_3-Nemotron-Super-49B-v1", 80, 8192, 64, 8, 128, 28672, 128256, 49.87},
    {"MiMo-7B-Base", 36, 4096, 32, 8, 128, 11008, 151680, 7.62},
    {"Mistral-7B-Instruct-v0.3", 32, 4096, 32, 8, 128, 14336, 32768, 7.248},
    {"Mixtral-8x22B-v0.1", 56, 6144, 48, 8, 128, 16384, 32000, 140.6, 0.01, 8, 2, 16384},
    {"Mixtral-8x7B-v0.1", 32, 4096, 32, 8, 128, 14336, 32000, 46.70, 0.01, 8, 2, 14336},
    {"Olmo-3.1-32B-Instruct", 64, 5120, 40, 8, 128, 27648, 100278, 32.2},
    {"Phi-3-mini-128k-instruct", 32, 3072, 32, 32, 96, 8192, 32064, 3.82},
    {"Phi-3.5-vision-instruct", 32, 3072, 32, 32, 96, 8192, 32064, 3.82},
    {"Phi-mini-MoE-instruct", 32, 4096, 32, 8, 128, 960, 32064, 7.6, 0.02, 16, 2, 960},
    {"Qwen2.5-32B-Instruct", 64, 5120, 40, 8, 128, 27648, 152064, 32.76},
    {"Qwen2.5-72B-Instruct", 80, 8192, 64, 8, 128, 29568, 152064, 72.71},
    {"Qwen2.5-7B-Instruct", 28, 3584, 28, 4, 128, 18944, 152064, 7.616},
    {"Qwen2.5-Coder-32B-Instruct", 64, 5120, 40, 8, 128, 27648, 152064, 32.76},
    {"Qwen3-0.6B", 28, 1024, 16, 8, 128, 3072, 151936, 0.596},
    {"Qwen3-1.7B", 28, 2048, 16, 8, 128, 6144, 151936, 1.721},
    {"Qwen3-235B-A22B", 94, 4096, 64, 4, 128, 1536, 151936, 235.1, 0.01, 128, 8, 1536},
    {"Qwen3-30B-A3B", 48, 2048, 32, 4, 128, 768, 151936, 30.53, 0.01, 128, 8, 768},
    {"Qwen3-32B", 64, 5120, 64, 8, 128, 25600, 151936, 32.76},
    {"Qwen3-8B", 36, 4096, 32, 8, 128, 12288, 151936, 8.191},
    {"Qwen3-VL-32B-Instruct", 64, 5120, 64, 8, 128, 25600, 151936, 32.76},
    {"Qwen3-VL-4B-Instruct", 36, 2560, 32, 8, 128, 9728, 151936, 4.022},
    {"Qwen3.5-27B", 64, 5120, 24, 4, 256, 17408, 248320, 27.0, 0.02},
    {"falcon-40b", 60, 8192, 128, 8, 64, 32768, 65024, 41.3},
    {"gemma-3-27b-it", 62, 5376, 32, 16, 128, 21504, 262208, 27.0},
    {"gemma-4-26B-A4B", 30, 2816, 16, 8, 512, 2112, 262144, 25.2, 0.02, 128, 8, 704},
    {"gpt-oss-120b", 36, 2880, 64, 8, 64, 2880, 201088, 116.8, 0.01, 128, 4, 2880},
    {"gpt-oss-20b", 24, 2880, 64, 8, 64, 2880, 201088, 20.9, 0.01, 32, 4, 2880},
    {"phi-4", 40, 5120, 40, 10, 128, 17920, 100352, 14.66},
};

std::filesystem::path configs() {
    return std::filesystem::path(TESSERA_SOURCE_DIR) / "models/configs";
}

Config published(const std::string& folder) { return model::load_config(configs() / folder); }

json published_json(const std::string& folder) {
    std::ifstream file(configs() / folder / "config.json");
    return json::parse(file);
}

std::int64_t latent_parameters(const Config& config, const LayerConfig& layer) {
    const auto& l = config.latent_attention.value();
    const std::int64_t queries = layer.heads * layer.head_dim;
    return config.hidden_size * l.q_lora_rank + l.q_lora_rank * queries +  // low-rank queries
           config.hidden_size * (l.kv_lora_rank + l.qk_rope_head_dim) +
           l.kv_lora_rank * layer.heads * (l.qk_nope_head_dim + l.v_head_dim) +
           layer.heads * l.v_head_dim * config.hidden_size + l.q_lora_rank + l.kv_lora_rank;
}

std::int64_t linear_parameters(const Config& config) {
    const auto& l = config.linear_attention.value();
    const std::int64_t keys = l.key_heads * l.key_head_dim;
    const std::int64_t values = l.value_heads * l.value_head_dim;
    return config.hidden_size * (2 * keys + 2 * values + 2 * l.value_heads) +  // q k, v gate, a b
           (2 * keys + values) * l.conv_kernel_dim + 2 * l.value_heads + l.value_head_dim +
           values * config.hidden_size;
}

std::int64_t attention_parameters(const Config& config, const LayerConfig& layer) {
    if (layer.attention == Attention::None) return 0;
    if (layer.attention == Attention::Replaced) return config.hidden_size * config.hidden_size;
    if (layer.attention == Attention::Latent) return latent_parameters(config, layer);
    if (layer.attention == Attention::Linear) return linear_parameters(config);
    const std::int64_t output = layer.heads * layer.head_dim;
    const std::int64_t queries = output * (config.attention_output_gate ? 2 : 1);
    const std::int64_t keys = layer.kv_heads * layer.head_dim;
    const std::int64_t values = layer.values_are_keys ? 0 : keys;
    std::int64_t total = config.hidden_size * (queries + keys + values + output);
    if (config.qkv_bias) total += queries + keys + values;
    if (config.o_bias) total += config.hidden_size;
    if (config.qk_norm == model::QkNorm::PerHead) total += 2 * layer.head_dim;
    if (config.qk_norm == model::QkNorm::FullWidth) total += output + keys;
    if (layer.attention == Attention::Cross) total += 2 * layer.head_dim + 2;  // norms, gates
    return total + (config.attention_sinks ? layer.heads : 0);
}

std::int64_t feed_forward_parameters(const Config& config, const LayerConfig& layer) {
    const std::int64_t dim = config.hidden_size;
    switch (layer.feed_forward) {
        case FeedForward::None:
            return 0;
        case FeedForward::Replaced:
            return dim * dim;
        case FeedForward::Gated:
            return 3 * dim * layer.intermediate_size;
        case FeedForward::Plain:
            return 2 * dim * layer.intermediate_size;
        case FeedForward::Experts:
            break;
    }
    const std::int64_t width = layer.expert_intermediate_size;
    const std::int64_t bias = config.mlp_bias ? 2 * width + dim + 1 : 0;
    return layer.experts * (3 * dim * width + dim + bias) +  // with the router's row
           3 * dim * layer.shared_experts_intermediate_size;
}

std::int64_t parameters(const Config& config) {
    const std::int64_t norm =
        config.hidden_size * (config.norm_kind == model::NormKind::Layer ? 2 : 1);
    const std::int64_t vocabulary = config.vocab_size * config.hidden_size;
    std::int64_t total = vocabulary * (config.tie_word_embeddings ? 1 : 2) + norm;
    if (config.lm_head_bias) total += config.vocab_size;
    for (const LayerConfig& layer : config.layers) {
        const bool attends = layer.attention != LayerConfig::Attention::None;
        const int norms = config.norms == model::Norms::PreAndPost ? 4 : attends ? 2 : 1;
        total += norms * norm + attention_parameters(config, layer) +
                 feed_forward_parameters(config, layer);
    }
    return total;
}

std::int64_t count(const Config& config, Attention kind) {
    return std::count_if(config.layers.begin(), config.layers.end(),
                         [&](const LayerConfig& layer) { return layer.attention == kind; });
}

TEST(PublishedConfigs, every_file_has_its_row) {
    // A file nobody looks at proves nothing.
    std::set<std::string> rows;
    for (const Published& row : kPublished) rows.insert(row.folder);
    std::set<std::string> folders;
    for (const auto& entry : std::filesystem::directory_iterator(configs())) {
        if (entry.is_directory()) folders.insert(entry.path().filename().string());
    }
    EXPECT_EQ(rows, folders);
}

TEST(PublishedConfigs, sizes_are_those_of_the_model_cards) {
    // Splits, memory and times of a model all begin here.
    for (const Published& row : kPublished) {
        SCOPED_TRACE(row.folder);
        const Config config = published(row.folder);
        EXPECT_EQ(config.num_hidden_layers, row.layers);
        EXPECT_EQ(static_cast<std::int64_t>(config.layers.size()), row.layers);
        EXPECT_EQ(config.hidden_size, row.hidden);
        EXPECT_EQ(config.num_attention_heads, row.heads);
        EXPECT_EQ(config.num_key_value_heads, row.kv_heads);
        EXPECT_EQ(config.head_dim, row.head_dim);
        EXPECT_EQ(config.intermediate_size, row.ffn);
        EXPECT_EQ(config.vocab_size, row.vocab);
        EXPECT_EQ(config.torch_dtype, std::string_view(row.folder).starts_with("gpt-oss")
                                          ? model::StoredType::F32  // its file does not say
                                          : model::StoredType::BF16);
        const LayerConfig& last = config.layers.back();
        EXPECT_EQ(last.experts, row.experts);
        EXPECT_EQ(last.experts_per_token, row.chosen);
        EXPECT_EQ(last.expert_intermediate_size, row.expert_ffn);
    }
}

TEST(PublishedConfigs, parameters_are_those_of_the_name_plate) {
    // A size read wrongly or a matrix forgotten shows in the sum.
    for (const Published& row : kPublished) {
        const double billions = static_cast<double>(parameters(published(row.folder))) / 1e9;
        EXPECT_NEAR(billions, row.billions, row.band * row.billions) << row.folder;
    }
}

TEST(PublishedConfigs, parameters_agree_to_the_last_one_where_that_is_published) {
    // Biases and norms are too few for a band of one percent to see. Totals: the safetensors
    // metadata of each model on Hugging Face.
    const std::pair<const char*, std::int64_t> kTotals[] = {
        {"Llama-3.1-8B-Instruct", 8'030'261'248},
        {"Llama-3.1-70B-Instruct", 70'553'706'496},
        {"Llama-3.1-405B", 405'853'388'800},
        {"Llama-3.2-1B-Instruct", 1'235'814'400},
        {"Mistral-7B-Instruct-v0.3", 7'248'023'552},
        {"Mixtral-8x7B-v0.1", 46'702'792'704},
        {"Qwen2.5-7B-Instruct", 7'615'616'512},
        {"Qwen2.5-72B-Instruct", 72'706'203'648},
        {"Qwen3-8B", 8'190'735'360},
        {"Qwen3-30B-A3B", 30'532'122'624},
        {"Phi-3-mini-128k-instruct", 3'821'079'552},
        {"phi-4", 14'659'507'200},
        {"gpt-oss-20b", 20'914'757'184},
        {"gpt-oss-120b", 116'829'156'672},
    };
    for (const auto& [folder, total] : kTotals) {
        EXPECT_EQ(parameters(published(folder)), total) << folder;
    }
}

TEST(PublishedConfigs, windows_are_where_the_models_have_them) {
    // A sliding layer caches its window, not the whole context.
    struct Row {
        const char* folder;
        std::int64_t window, sliding, full;
    };
    for (const Row& row :
         {Row{"gemma-3-27b-it", 1024, 52, 10}, Row{"gemma-4-26B-A4B", 1024, 25, 5},
          Row{"gpt-oss-20b", 128, 12, 12}, Row{"EXAONE-4.0-32B", 4096, 48, 16},
          Row{"Olmo-3.1-32B-Instruct", 4096, 48, 16}, Row{"Phi-mini-MoE-instruct", 2047, 32, 0},
          // Windows that are switched off, or as long as the context.
          Row{"Qwen2.5-7B-Instruct", 0, 0, 28}, Row{"MiMo-7B-Base", 0, 0, 36},
          Row{"Phi-3-mini-128k-instruct", 0, 0, 32}, Row{"Mistral-7B-Instruct-v0.3", 0, 0, 32}}) {
        SCOPED_TRACE(row.folder);
        const Config config = published(row.folder);
        EXPECT_EQ(config.sliding_window, row.window);
        EXPECT_EQ(count(config, Attention::Sliding), row.sliding);
        EXPECT_EQ(count(config, Attention::Full), row.full);
    }
}

TEST(PublishedConfigs, layer_kinds_do_not_depend_on_being_listed) {
    // Older files leave layer_types out; the architecture's rule must give the same layers.
    for (const char* folder : {"EXAONE-4.0-32B", "Olmo-3.1-32B-Instruct", "gpt-oss-20b",
                               "gpt-oss-120b", "Qwen3.5-27B", "gemma-4-26B-A4B"}) {
        json value = published_json(folder);
        json& text = value.contains("text_config") ? value["text_config"] : value;
        ASSERT_EQ(text.erase("layer_types"), 1u) << folder;
        EXPECT_EQ(model::parse_config(value.dump(), "config.json").layers, published(folder).layers)
            << folder;
    }
}

TEST(PublishedConfigs, nemotron_differs_from_layer_to_layer) {
    // Attention is gone from 31 layers; widths are ffn_mult x 2/3 up to a multiple of 256.
    const Config config = published("Llama-3_3-Nemotron-Super-49B-v1");
    EXPECT_EQ(count(config, Attention::Full), 49);
    EXPECT_EQ(count(config, Attention::None), 31);
    const std::pair<std::size_t, std::int64_t> kWidths[] = {
        {0, 14336}, {1, 28672}, {11, 17920}, {42, 7168}, {54, 5632}, {62, 2816}, {79, 28672}};
    for (const auto& [layer, width] : kWidths) {
        EXPECT_EQ(config.layers[layer].intermediate_size, width) << layer;
    }
    EXPECT_EQ(config.layers[0].kv_heads, 8);
    EXPECT_EQ(config.layers[6].heads, 0);
    EXPECT_EQ(config.layers[6].kv_heads, 0);
}

TEST(PublishedConfigs, deepseek_keeps_latents_and_routes_from_layer_three) {
    // Its cache is 576 values per token and layer, not 2 x 128 heads.
    const Config config = published("DeepSeek-V3");
    EXPECT_EQ(config.latent_attention, (model::LatentAttention{1536, 512, 128, 64, 128}));
    EXPECT_EQ(count(config, Attention::Latent), 61);
    EXPECT_EQ(config.layers[2].feed_forward, FeedForward::Gated);
    EXPECT_EQ(config.layers[2].intermediate_size, 18432);
    EXPECT_EQ(config.layers[3].feed_forward, FeedForward::Experts);
    EXPECT_EQ(config.layers[3].intermediate_size, 0);
    EXPECT_EQ(config.layers[3].shared_experts_intermediate_size, 2048);
}

TEST(PublishedConfigs, vision_models_are_read_for_their_text) {
    // text_config holds the sizes; cross-attention reads the image every fifth layer.
    const Config llama = published("Llama-3.2-90B-Vision-Instruct");
    EXPECT_EQ(count(llama, Attention::Cross), 20);
    EXPECT_EQ(llama.layers[3].attention, Attention::Cross);
    EXPECT_EQ(llama.layers[98].attention, Attention::Cross);
    EXPECT_EQ(llama.eos_token_ids.size(), 3u);
    EXPECT_FALSE(published("Qwen3-VL-32B-Instruct").tie_word_embeddings);
    EXPECT_TRUE(published("Qwen3-VL-4B-Instruct").tie_word_embeddings);
    EXPECT_EQ(published("Qwen3-VL-4B-Instruct").rope_theta, 5e6);
}

TEST(PublishedConfigs, qwen_3_5_mixes_states_and_caches) {
    // Three layers in four keep a state of fixed size.
    const Config config = published("Qwen3.5-27B");
    EXPECT_EQ(count(config, Attention::Linear), 48);
    EXPECT_EQ(config.layers[3].attention, Attention::Full);
    EXPECT_EQ(config.layers[0].kv_heads, 0);
    EXPECT_EQ(config.linear_attention, (model::LinearAttention{16, 48, 128, 128, 4}));
    EXPECT_TRUE(config.attention_output_gate);
    EXPECT_EQ(config.partial_rotary_factor, 0.25);
    EXPECT_EQ(config.rope_theta, 1e7);
}

TEST(PublishedConfigs, gemma_4_has_wider_heads_where_it_sees_everything) {
    // Two caches of different shape, and a feed-forward on both sides of the router.
    const Config config = published("gemma-4-26B-A4B");
    const LayerConfig sliding{
        Attention::Sliding, 16, 8, 256, false, FeedForward::Experts, 0, 128, 8, 704, 2112};
    EXPECT_EQ(config.layers[0], sliding);
    const LayerConfig full{
        Attention::Full, 16, 2, 512, true, FeedForward::Experts, 0, 128, 8, 704, 2112};
    EXPECT_EQ(config.layers[5], full);
    EXPECT_EQ(config.rope_theta, 1e6);
    EXPECT_EQ(config.local_rope_theta, 1e4);
    EXPECT_EQ(config.rope_scaling.kind, model::RopeKind::Proportional);
    EXPECT_EQ(config.partial_rotary_factor, 0.25);
}

TEST(PublishedConfigs, what_sizes_do_not_count_is_said) {
    // Memory that a user will need and a report must not forget.
    using Parts = std::vector<std::string>;
    EXPECT_EQ(published("Llama-3.1-8B-Instruct").left_out, Parts{});
    EXPECT_EQ(published("Qwen3-VL-32B-Instruct").left_out, Parts{"vision tower"});
    EXPECT_EQ(published("gemma-4-26B-A4B").left_out, Parts{"vision tower"});
    EXPECT_EQ(published("DeepSeek-V3").left_out, Parts{"multi-token prediction layer"});
    EXPECT_EQ(published("Qwen3.5-27B").left_out,
              (Parts{"vision tower", "multi-token prediction layer"}));
}

TEST(PublishedConfigs, facts_of_the_architectures) {
    // None of these is in the files; each changes every value.
    const Config gemma = published("gemma-3-27b-it");
    EXPECT_EQ(gemma.norms, model::Norms::PreAndPost);
    EXPECT_TRUE(gemma.norm_unit_offset && gemma.tie_word_embeddings);
    EXPECT_EQ(gemma.qk_norm, model::QkNorm::PerHead);
    EXPECT_EQ(name(gemma.hidden_act), "gelu_pytorch_tanh");
    EXPECT_EQ(gemma.local_rope_theta, 10000.0);
    EXPECT_FALSE(published("gemma-4-26B-A4B").norm_unit_offset);
    const Config olmo = published("Olmo-3.1-32B-Instruct");
    EXPECT_EQ(olmo.norms, model::Norms::Post);
    EXPECT_EQ(olmo.qk_norm, model::QkNorm::FullWidth);
    const Config falcon = published("falcon-40b");
    EXPECT_EQ(falcon.residual, model::Residual::Parallel);
    EXPECT_EQ(falcon.norm_kind, model::NormKind::Layer);
    EXPECT_EQ(falcon.layers[0].feed_forward, FeedForward::Plain);
    EXPECT_EQ(falcon.hidden_act, model::Activation::Gelu);
    EXPECT_TRUE(falcon.tie_word_embeddings);
    const Config oss = published("gpt-oss-20b");
    EXPECT_TRUE(oss.attention_sinks && oss.qkv_bias && oss.o_bias && oss.mlp_bias);
    const Config qwen = published("Qwen2.5-7B-Instruct");
    EXPECT_TRUE(qwen.qkv_bias && qwen.attention_bias && !qwen.o_bias && !qwen.mlp_bias);
    EXPECT_TRUE(published("Phi-mini-MoE-instruct").lm_head_bias);
}

TEST(PublishedConfigs, six_architectures_run_and_the_others_say_that_they_do_not) {
    // Building another architecture as a Llama would give plausible nonsense.
    for (const Published& row : kPublished) {
        SCOPED_TRACE(row.folder);
        const Config config = published(row.folder);
        const std::set<std::string_view> runs{"LlamaForCausalLM", "Qwen2ForCausalLM",
                                              "Qwen3ForCausalLM", "MistralForCausalLM",
                                              "Phi3ForCausalLM",  "MixtralForCausalLM"};
        if (runs.contains(name(config.architecture))) {
            EXPECT_EQ(support(config), model::Support::Runs);
            EXPECT_NO_THROW(require_runs(config, "config.json"));
            continue;
        }
        EXPECT_EQ(support(config), model::Support::SizesOnly);
        EXPECT_PRED2(contains, message_of<Error>([&] { require_runs(config, "config.json"); }),
                     "config.json: architectures: expected one that can be run "
                     "(LlamaForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM, MistralForCausalLM, "
                     "Phi3ForCausalLM, MixtralForCausalLM), got \"" +
                         std::string(name(config.architecture)) + "\"");
    }
}

/// A published file with `key` (a JSON pointer) replaced, and the message it gives.
struct Mutation {
    const char* folder;
    const char* key;
    json value;
    const char* message;
};

TEST(PublishedConfigs, a_wrong_entry_is_named) {
    // One mutation for each error that only these architectures can give.
    const char* kNemotron = "Llama-3_3-Nemotron-Super-49B-v1";
    const Mutation kMutations[] = {
        {kNemotron, "/block_configs", json::array(),
         "block_configs: expected 80 entries (num_hidden_layers), got"},
        {kNemotron, "/block_configs/7", 3, "block_configs[7]: expected an object, got 3"},
        {kNemotron, "/block_configs/0/attention/n_heads_in_group", 7,
         "block_configs[0].attention.n_heads_in_group: expected a divisor of "
         "num_attention_heads (64), got 7"},
        {kNemotron, "/block_configs/0/attention/n_heads_in_group", nullptr,
         "block_configs[0].attention.n_heads_in_group: expected an integer from 1"},
        {kNemotron, "/block_configs/0/attention/window_length", 512,
         "attention.window_length: expected null"},
        {kNemotron, "/block_configs/0/attention/no_op", 1, "no_op: expected true or false, got 1"},
        {kNemotron, "/block_configs/2/ffn/ffn_mult", 0, "block_configs[2].ffn.ffn_mult: expected"},
        {kNemotron, "/block_configs/2/ffn/ffn_mult", 900,
         "ffn_mult: expected a width of at most 1048576 (hidden_size is 8192), got 900"},
        {kNemotron, "/block_configs/2/ffn", nullptr, "block_configs[2].ffn: expected an object"},
        {"EXAONE-4.0-32B", "/layer_types", json::array({"full_attention"}),
         "layer_types: expected 64 entries (num_hidden_layers), got"},
        {"EXAONE-4.0-32B", "/layer_types/5", "linear_attention",
         "layer_types: expected \"full_attention\" or \"sliding_attention\", got"},
        {"Qwen3.5-27B", "/text_config/layer_types/5", "sliding_attention",
         "text_config.layer_types: expected \"full_attention\" or \"linear_attention\", got"},
        {"EXAONE-4.0-32B", "/sliding_window", nullptr,
         "sliding_window: expected an integer from 1, as layer_types has sliding layers"},
        {"gemma-3-27b-it", "/sliding_window_pattern", "LGLL",
         "sliding_window_pattern: expected a number, or L for each local layer and a last G"},
        {"gemma-3-27b-it", "/sliding_window_pattern", "", "sliding_window_pattern: expected a"},
        {"gemma-3-27b-it", "/sliding_window_pattern", 0, "pattern: expected an integer from 1"},
        {"gemma-4-26B-A4B", "/text_config/num_global_key_value_heads", 3,
         "text_config.num_global_key_value_heads: expected a divisor of num_attention_heads (16)"},
        {"gemma-4-26B-A4B", "/text_config/global_head_dim", 511,
         "text_config.global_head_dim: expected an even number"},
        {"gemma-4-26B-A4B", "/text_config/top_k_experts", 129,
         "text_config.top_k_experts: expected at most num_experts (128), got 129"},
        {"gemma-4-26B-A4B", "/text_config", "gemma", "text_config: expected an object"},
        {"Qwen3.5-27B", "/text_config/rope_parameters/partial_rotary_factor", 0.001,
         "rope_parameters.partial_rotary_factor: expected an even part of head_dim (256)"},
        {"Qwen3.5-27B", "/text_config/rope_parameters/partial_rotary_factor", 1.5,
         "partial_rotary_factor: expected a number from"},
        {"Qwen3.5-27B", "/text_config/linear_num_key_heads", 5,
         "linear_num_key_heads: expected a divisor of linear_num_value_heads (48), got 5"},
        {"Llama-3.2-11B-Vision-Instruct", "/text_config/cross_attention_layers/0", 40,
         "text_config.cross_attention_layers: expected layer numbers from 0 to 39, got 40"},
        {"Llama-3.2-11B-Vision-Instruct", "/text_config", nullptr,
         "hidden_size: expected an integer from 1 to 1048576, got nothing"},
        {"Mixtral-8x7B-v0.1", "/num_experts_per_tok", 9,
         "num_experts_per_tok: expected at most num_local_experts (8), got 9"},
        {"Mixtral-8x7B-v0.1", "/num_local_experts", nullptr, "num_local_experts: expected an"},
        {"Qwen3-30B-A3B", "/mlp_only_layers", json::array({-1}),
         "mlp_only_layers: expected layer numbers from 0 to 47, got -1"},
        {"Qwen3-30B-A3B", "/moe_intermediate_size", "768", "moe_intermediate_size: expected an"},
        {"DeepSeek-V3", "/kv_lora_rank", nullptr, "kv_lora_rank: expected an integer"},
        {"DeepSeek-V3", "/qk_rope_head_dim", 63, "qk_rope_head_dim: expected an even number"},
        {"DeepSeek-V3", "/v_head_dim", 16384, "v_head_dim: expected num_attention_heads x"},
        {"DeepSeek-V3", "/n_shared_experts", 600, "n_shared_experts: expected n_shared_experts x"},
        {"gemma-3-27b-it", "/hidden_activation", "silly", "hidden_activation: expected one of"},
        {"gemma-3-27b-it", "/rope_local_base_freq", 0, "rope_local_base_freq: expected a number"},
    };
    for (const Mutation& mutation : kMutations) {
        json value = published_json(mutation.folder);
        value[json::json_pointer(mutation.key)] = mutation.value;
        EXPECT_PRED2(contains,
                     message_of<Error>([&] { model::parse_config(value.dump(), "config.json"); }),
                     mutation.message)
            << mutation.folder << mutation.key;
    }
}

TEST(PublishedConfigs, layers_replaced_by_one_matrix_have_no_heads) {
    // The other thing a search puts in a layer's place.
    json value = published_json("Llama-3_3-Nemotron-Super-49B-v1");
    value["block_configs"][0]["attention"]["replace_with_linear"] = true;
    value["block_configs"][0]["ffn"]["replace_with_linear"] = true;
    value["block_configs"][1]["ffn"]["no_op"] = true;
    const Config config = model::parse_config(value.dump(), "config.json");
    EXPECT_EQ(config.layers[0].attention, Attention::Replaced);
    EXPECT_EQ(config.layers[0].kv_heads, 0);
    EXPECT_EQ(config.layers[0].feed_forward, FeedForward::Replaced);
    EXPECT_EQ(config.layers[0].intermediate_size, 0);
    EXPECT_EQ(config.layers[1].feed_forward, FeedForward::None);
    EXPECT_EQ(config.num_key_value_heads, 8);
}

TEST(PublishedConfigs, qwen_experts_come_every_so_many_layers) {
    // decoder_sparse_step and mlp_only_layers leave dense layers between.
    json value = published_json("Qwen3-30B-A3B");
    value["decoder_sparse_step"] = 2;
    value["mlp_only_layers"] = {3};
    const Config config = model::parse_config(value.dump(), "config.json");
    EXPECT_EQ(config.layers[0].intermediate_size, 6144);
    EXPECT_EQ(config.layers[1].experts, 128);
    EXPECT_EQ(config.layers[3].feed_forward, FeedForward::Gated);
    EXPECT_EQ(config.intermediate_size, 6144);
}

}  // namespace

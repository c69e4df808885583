#include "model/config.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "tests/core/temp_folder.h"

namespace {

using core::Error;
using model::Config;
using model::LayerConfig;
using nlohmann::json;

/// The numbers of meta-llama/Llama-3.1-8B-Instruct config.json.
json llama_8b() {
    return json::parse(R"({
        "architectures": ["LlamaForCausalLM"], "attention_bias": false, "bos_token_id": 128000,
        "eos_token_id": [128001, 128008, 128009], "hidden_act": "silu", "hidden_size": 4096,
        "intermediate_size": 14336, "max_position_embeddings": 131072, "mlp_bias": false,
        "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8,
        "rms_norm_eps": 1e-05, "rope_theta": 500000.0, "tie_word_embeddings": false,
        "rope_scaling": {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                         "original_max_position_embeddings": 8192, "rope_type": "llama3"},
        "torch_dtype": "bfloat16", "vocab_size": 128256})");
}

Config parse(const json& value) { return model::parse_config(value.dump(), "config.json"); }

/// llama_8b with `key` (a JSON pointer) replaced.
json with(const std::string& key, json value) {
    json config = llama_8b();
    config[json::json_pointer(key)] = std::move(value);
    return config;
}

std::string failure(const json& value) {
    return message_of<Error>([&] { parse(value); });
}

TEST(Config, reads_llama_3_1_8b) {
    // Every size in the project derives from these numbers.
    const Config config = parse(llama_8b());
    EXPECT_EQ(name(config.architecture), "LlamaForCausalLM");
    EXPECT_EQ(config.hidden_size, 4096);
    EXPECT_EQ(config.intermediate_size, 14336);
    EXPECT_EQ(config.num_hidden_layers, 32);
    EXPECT_EQ(config.num_attention_heads, 32);
    EXPECT_EQ(config.num_key_value_heads, 8);
    EXPECT_EQ(config.head_dim, 128);
    EXPECT_EQ(config.vocab_size, 128256);
    EXPECT_EQ(config.max_position_embeddings, 131072);
    EXPECT_EQ(config.rms_norm_eps, 1e-5);
    EXPECT_EQ(config.rope_theta, 500000.0);
    EXPECT_EQ(config.rope_scaling.kind, model::RopeKind::Llama3);
    EXPECT_EQ(config.rope_scaling.factor, 8.0);
    EXPECT_EQ(config.rope_scaling.low_freq_factor, 1.0);
    EXPECT_EQ(config.rope_scaling.high_freq_factor, 4.0);
    EXPECT_EQ(config.rope_scaling.original_max_position_embeddings, 8192);
    EXPECT_FALSE(config.tie_word_embeddings);
    EXPECT_EQ(config.bos_token_id, 128000);
    EXPECT_EQ(config.eos_token_ids, (std::vector<std::int32_t>{128001, 128008, 128009}));
    EXPECT_EQ(config.torch_dtype, model::StoredType::BF16);
}

TEST(Config, absent_and_null_keys_take_the_defaults_of_transformers) {
    // Older files leave most keys out.
    const Config config = model::parse_config(R"({"architectures": ["LlamaForCausalLM"],
        "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
        "num_attention_heads": 4, "vocab_size": 100, "rope_scaling": null,
        "bos_token_id": null, "head_dim": null})",
                                              "config.json");
    EXPECT_EQ(config.num_key_value_heads, 4);
    EXPECT_EQ(config.head_dim, 16);
    EXPECT_EQ(config.max_position_embeddings, 2048);
    EXPECT_EQ(config.rms_norm_eps, 1e-6);
    EXPECT_EQ(config.rope_theta, 10000.0);
    EXPECT_EQ(config.rope_scaling.kind, model::RopeKind::None);
    EXPECT_EQ(config.bos_token_id, std::nullopt);
    EXPECT_TRUE(config.eos_token_ids.empty());
    EXPECT_EQ(config.torch_dtype, model::StoredType::F32);
}

TEST(Config, keys_renamed_by_transformers_5_are_read) {
    // "dtype" and "rope_parameters" with rope_theta inside.
    json value = llama_8b();
    value["dtype"] = "float16";
    value["rope_parameters"] = value["rope_scaling"];
    value["rope_parameters"]["rope_theta"] = 250000;
    for (const char* key : {"torch_dtype", "rope_scaling", "rope_theta"}) value.erase(key);
    const Config config = parse(value);
    EXPECT_EQ(config.torch_dtype, model::StoredType::F16);
    EXPECT_EQ(config.rope_theta, 250000.0);
    EXPECT_EQ(config.rope_scaling.kind, model::RopeKind::Llama3);
}

TEST(Config, an_unknown_architecture_is_named_with_the_known_ones) {
    // The first thing a user tries is a model we do not have.
    const std::string message = failure(with("/architectures", {"BertModel"}));
    EXPECT_PRED2(
        contains, message,
        "config.json: architectures: expected one of LlamaForCausalLM, Qwen2ForCausalLM, ");
    EXPECT_PRED2(contains, message, ", FalconForCausalLM, got \"BertModel\"");
    EXPECT_PRED2(contains, failure(with("/architectures", nullptr)), "got nothing");
    EXPECT_PRED2(contains, failure(with("/architectures", json::array())), "a list with one name");
    EXPECT_PRED2(contains, failure(with("/architectures", {1})), "a list with one name");
}

TEST(Config, absurd_numbers_name_their_key) {
    // Each would end in a division by zero, an overflow or an unbounded allocation later.
    for (const char* key :
         {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
          "num_key_value_heads", "head_dim", "vocab_size", "max_position_embeddings"}) {
        for (const json& bad : {json(0), json(-1), json(1e3), json("64"), json(1ll << 40),
                                json(18446744073709551615ull), json(true), json::array()}) {
            EXPECT_PRED2(contains, failure(with(std::string("/") + key, bad)),
                         "config.json: " + std::string(key) + ": expected an integer from ")
                << bad;
        }
    }
    for (const char* key : {"rms_norm_eps", "rope_theta"}) {
        for (const json& bad : {json(0), json(-1e-5), json("1"), json(1e300)}) {
            EXPECT_PRED2(contains, failure(with(std::string("/") + key, bad)),
                         std::string(key) + ": expected a number from ")
                << bad;
        }
    }
    for (const char* key : {"tie_word_embeddings", "attention_bias", "mlp_bias"}) {
        EXPECT_PRED2(contains, failure(with(std::string("/") + key, 1)),
                     std::string(key) + ": expected true or false, got 1");
    }
}

TEST(Config, required_keys_are_missed_by_name) {
    // There is no sensible default for a size.
    for (const char* key : {"hidden_size", "intermediate_size", "num_hidden_layers",
                            "num_attention_heads", "vocab_size"}) {
        json value = llama_8b();
        value.erase(key);
        EXPECT_PRED2(contains, failure(value), std::string(key) + ": expected an integer");
    }
}

TEST(Config, heads_must_divide) {
    // Grouped-query attention gives each kv head a whole number of heads.
    EXPECT_PRED2(contains, failure(with("/num_key_value_heads", 5)),
                 "num_key_value_heads: expected a divisor of num_attention_heads (32), got 5");
    EXPECT_PRED2(contains, failure(with("/hidden_size", 4097)),
                 "expected a divisor of hidden_size (4097) as there is no head_dim, got 32");
    EXPECT_PRED2(contains, failure(with("/head_dim", 65)), "expected an even number");
    EXPECT_PRED2(contains, failure(with("/head_dim", 0)), "head_dim: expected an integer from 2");
    json value = with("/head_dim", 16384);
    value["num_attention_heads"] = 16384;
    EXPECT_PRED2(contains, failure(value), "head_dim of at most 1048576, got 268435456");
    EXPECT_EQ(parse(with("/head_dim", 64)).head_dim, 64);
}

TEST(Config, nan_and_infinity_are_no_json) {
    // Python's json module writes and reads them; a NaN epsilon makes every value NaN.
    for (const char* number : {"NaN", "Infinity", "-Infinity", "1e999"}) {
        std::string text = llama_8b().dump();
        const std::string key = "\"rms_norm_eps\":";
        text.insert(text.find(key) + key.size(), std::string(number) + ", \"x\":");
        EXPECT_PRED2(begins, message_of<Error>([&] { model::parse_config(text, "config.json"); }),
                     "config.json:1:")
            << number;
    }
}

TEST(Config, duplicate_keys_are_named) {
    // Which of the two counts depends on the parser.
    EXPECT_PRED2(contains, message_of<Error>([] {
                     model::parse_config(R"({"hidden_size": 1, "hidden_size": 2})", "config.json");
                 }),
                 "duplicate key \"hidden_size\"");
}

TEST(Config, token_ids_must_be_in_the_vocabulary) {
    // They index the embedding.
    EXPECT_PRED2(contains, failure(with("/bos_token_id", 128256)), "bos_token_id: expected");
    EXPECT_PRED2(contains, failure(with("/eos_token_id", -1)), "eos_token_id: expected");
    EXPECT_PRED2(contains, failure(with("/eos_token_id", {1, 128256})),
                 "eos_token_id: expected token ids from 0 to 128255, got 128256");
    EXPECT_EQ(parse(with("/eos_token_id", 7)).eos_token_ids, std::vector<std::int32_t>{7});
}

TEST(Config, rope_scaling_kinds_are_read_with_their_numbers) {
    // The kinds in published configs; a wrong number here bends every position.
    EXPECT_EQ(parse(with("/rope_scaling", {{"rope_type", "default"}})).rope_scaling.kind,
              model::RopeKind::None);
    const auto linear = parse(with("/rope_scaling", {{"type", "linear"}, {"factor", 4.0}}));
    EXPECT_EQ(linear.rope_scaling.kind, model::RopeKind::Linear);
    EXPECT_EQ(linear.rope_scaling.factor, 4.0);
    const auto yarn = parse(
        with("/rope_scaling", {{"rope_type", "yarn"}, {"factor", 8.0}, {"attention_factor", 1.2}}));
    EXPECT_EQ(yarn.rope_scaling.original_max_position_embeddings, 131072);
    EXPECT_EQ(yarn.rope_scaling.beta_fast, 32.0);
    EXPECT_EQ(yarn.rope_scaling.attention_factor, 1.2);
    const std::vector<double> factors(64, 1.5);
    json value = with("/rope_scaling",
                      {{"type", "longrope"}, {"short_factor", factors}, {"long_factor", factors}});
    value["original_max_position_embeddings"] = 4096;
    const auto longrope = parse(value);
    EXPECT_EQ(longrope.rope_scaling.kind, model::RopeKind::LongRope);
    EXPECT_EQ(longrope.rope_scaling.long_factor, factors);
    EXPECT_EQ(longrope.rope_scaling.original_max_position_embeddings, 4096);
    EXPECT_EQ(name(longrope.rope_scaling.kind), "longrope");
}

TEST(Config, rope_scaling_has_the_defaults_of_the_published_code) {
    // modeling_rope_utils.py, configuration_phi3.py: what long-context configs leave out.
    const auto yarn = parse(with("/rope_scaling", {{"rope_type", "yarn"},
                                                   {"factor", 8.0},
                                                   {"mscale", 0.7},
                                                   {"mscale_all_dim", 1.0},
                                                   {"truncate", false}}));
    EXPECT_EQ(yarn.rope_scaling.mscale, 0.7);
    EXPECT_EQ(yarn.rope_scaling.mscale_all_dim, 1.0);
    EXPECT_FALSE(yarn.rope_scaling.truncate);
    const std::vector<double> factors(64, 1.5);
    json value = with("/rope_scaling",
                      {{"type", "longrope"}, {"short_factor", factors}, {"long_factor", factors}});
    EXPECT_EQ(parse(value).rope_scaling.original_max_position_embeddings, 131072);
    value["architectures"] = {"Phi3ForCausalLM"};
    EXPECT_EQ(parse(value).rope_scaling.original_max_position_embeddings, 4096);
    EXPECT_PRED2(contains,
                 failure(with("/rope_scaling", {{"rope_type", "llama3"},
                                                {"factor", 8.0},
                                                {"low_freq_factor", 1.0},
                                                {"high_freq_factor", 4.0}})),
                 "rope_scaling.original_max_position_embeddings: expected");
}

TEST(Config, bad_rope_scaling_is_named_by_its_path) {
    // "factor" alone would not say where.
    EXPECT_PRED2(contains, failure(with("/rope_scaling/rope_type", "spiral")),
                 "rope_scaling.rope_type: expected one of none, default, linear, llama3");
    EXPECT_PRED2(contains, failure(with("/rope_scaling/factor", 0)),
                 "rope_scaling.factor: expected a number from 1");
    EXPECT_PRED2(contains, failure(with("/rope_scaling/high_freq_factor", 1.0)),
                 "rope_scaling.high_freq_factor: expected a number above low_freq_factor (1.0)");
    EXPECT_PRED2(contains, failure(with("/rope_scaling", {{"factor", 2}})),
                 "rope_scaling.type: expected a text, got nothing");
    EXPECT_PRED2(contains, failure(with("/rope_scaling", "llama3")),
                 "rope_scaling: expected an object");
    EXPECT_PRED2(
        contains,
        failure(with("/rope_scaling",
                     {{"type", "longrope"}, {"short_factor", {1.0}}, {"long_factor", {1.0}}})),
        "rope_scaling.short_factor: expected 64 entries (head_dim / 2)");
}

TEST(Config, unknown_activations_and_dtypes_are_errors) {
    // Computing silu where the model has another would give plausible nonsense.
    EXPECT_PRED2(contains, failure(with("/hidden_act", "tanh")),
                 "hidden_act: expected one of gelu, gelu_pytorch_tanh, silu, swish, relu, got "
                 "\"tanh\"");
    EXPECT_PRED2(contains, failure(with("/torch_dtype", "float64")),
                 "torch_dtype: expected float32, bfloat16 or float16");
}

TEST(Config, a_llama_the_runtime_cannot_compute_is_told_apart) {
    // Every activation and bias is computed, proportional rotary positions are not.
    EXPECT_EQ(support(parse(llama_8b())), model::Support::Runs);
    EXPECT_EQ(support(parse(with("/hidden_act", "gelu"))), model::Support::Runs);
    EXPECT_EQ(support(parse(with("/mlp_bias", true))), model::Support::Runs);
    EXPECT_EQ(support(parse(with("/attention_bias", true))), model::Support::Runs);
    const Config config = parse(with("/rope_scaling", {{"rope_type", "proportional"}}));
    EXPECT_EQ(support(config), model::Support::SizesOnly);
    EXPECT_PRED2(contains, message_of<Error>([&] { require_runs(config, "config.json"); }),
                 "got \"LlamaForCausalLM\" with parts that are not");
}

TEST(Config, layers_of_a_uniform_model_are_alike) {
    // Readers of `layers` and readers of the whole must see the same sizes.
    const Config config = parse(llama_8b());
    ASSERT_EQ(config.layers.size(), 32u);
    model::LayerConfig layer;
    layer.heads = 32;
    layer.kv_heads = 8;
    layer.head_dim = 128;
    layer.intermediate_size = 14336;
    EXPECT_EQ(std::count(config.layers.begin(), config.layers.end(), layer), 32);
}

TEST(Config, a_window_is_absent_null_or_switched_off) {
    // Mistral assumes 4096 when the key is absent; null means the whole context.
    json value = llama_8b();
    value["architectures"] = {"MistralForCausalLM"};
    EXPECT_EQ(parse(value).sliding_window, 4096);
    value["sliding_window"] = nullptr;
    EXPECT_EQ(parse(value).sliding_window, 0);
    EXPECT_EQ(parse(value).layers[0].attention, LayerConfig::Attention::Full);
    value["sliding_window"] = 131071;
    EXPECT_EQ(parse(value).sliding_window, 131071);
    value["sliding_window"] = 131072;  // max_position_embeddings: no position is beyond it
    EXPECT_EQ(parse(value).sliding_window, 0);

    value["architectures"] = {"Qwen2ForCausalLM"};
    value["sliding_window"] = 4096;
    EXPECT_EQ(parse(value).sliding_window, 0);
    value["use_sliding_window"] = true;
    value["max_window_layers"] = 30;
    EXPECT_EQ(parse(value).sliding_window, 4096);
    EXPECT_EQ(parse(value).layers[29].attention, LayerConfig::Attention::Full);
    EXPECT_EQ(parse(value).layers[30].attention, LayerConfig::Attention::Sliding);
}

TEST(Config, gemma_3_leaves_most_of_its_text_config_out) {
    // google/gemma-3-4b-it names five sizes; the rest are defaults of Gemma3TextConfig.
    const Config config = model::parse_config(R"({
        "architectures": ["Gemma3ForConditionalGeneration"], "eos_token_id": [1, 106],
        "torch_dtype": "bfloat16", "vision_config": {"hidden_size": 1152}, "text_config": {
        "hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 34,
        "rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "sliding_window": 1024}})",
                                              "config.json");
    EXPECT_EQ(config.num_attention_heads, 8);
    EXPECT_EQ(config.num_key_value_heads, 4);
    EXPECT_EQ(config.head_dim, 256);
    EXPECT_EQ(config.vocab_size, 262208);
    EXPECT_EQ(config.layers[5].attention, LayerConfig::Attention::Full);
    EXPECT_EQ(config.layers[33].attention, LayerConfig::Attention::Sliding);
    EXPECT_EQ(config.rope_theta, 1e6);
    EXPECT_TRUE(config.tie_word_embeddings);
    EXPECT_EQ(config.eos_token_ids, (std::vector<std::int32_t>{1, 106}));
    EXPECT_EQ(config.torch_dtype, model::StoredType::BF16);
    EXPECT_EQ(config.left_out, std::vector<std::string>{"vision tower"});
}

TEST(Config, head_dim_is_by_division_or_by_architecture) {
    // Qwen3 always has 128 unless it says otherwise; Llama divides.
    json value = llama_8b();
    value["num_attention_heads"] = 16;
    EXPECT_EQ(parse(value).head_dim, 256);
    value["architectures"] = {"Qwen3ForCausalLM"};
    EXPECT_EQ(parse(value).head_dim, 128);
}

TEST(Config, older_falcons_share_one_kv_head) {
    // falcon-7b is multi-query; its decoder is the first architecture.
    json value = json::parse(R"({"architectures": ["FalconForCausalLM"], "hidden_size": 4544,
        "num_attention_heads": 71, "num_hidden_layers": 32, "vocab_size": 65024})");
    EXPECT_EQ(parse(value).num_key_value_heads, 1);
    EXPECT_EQ(parse(value).intermediate_size, 18176);
    value["multi_query"] = false;
    EXPECT_EQ(parse(value).num_key_value_heads, 71);
    value["ffn_hidden_size"] = 4096;
    EXPECT_EQ(parse(value).intermediate_size, 4096);
    value["num_kv_heads"] = 3;
    EXPECT_PRED2(contains, failure(value),
                 "num_kv_heads: expected a divisor of num_attention_heads (71), got 3");
    value.erase("ffn_hidden_size");
    value.erase("num_kv_heads");
    value["num_attention_heads"] = 1024;
    value["hidden_size"] = 1 << 19;
    EXPECT_PRED2(contains, failure(value), "hidden_size: expected at most 262144");
}

TEST(LoadConfig, reads_the_demo_model_from_folder_or_file) {
    // Both spellings are accepted on the command line.
    const auto folder = std::filesystem::path(TESSERA_SOURCE_DIR) / "models/tiny-shakespeare";
    for (const auto& path : {folder, folder / "config.json"}) {
        const Config config = model::load_config(path);
        EXPECT_EQ(config.num_attention_heads, 16);
        EXPECT_EQ(config.head_dim, 32);
        EXPECT_EQ(config.eos_token_ids, std::vector<std::int32_t>{2041});
    }
}

TEST(LoadConfig, generation_config_replaces_the_eos_ids) {
    // Instruct models end their turns with ids that only generation_config.json lists.
    const TempFolder folder;
    folder.write("config.json", llama_8b().dump());
    folder.write("generation_config.json", R"({"eos_token_id": [3, 4], "temperature": 0.6})");
    EXPECT_EQ(model::load_config(folder.path()).eos_token_ids, (std::vector<std::int32_t>{3, 4}));
    folder.write("generation_config.json", R"({"eos_token_id": [999999]})");
    EXPECT_PRED2(contains, message_of<Error>([&] { model::load_config(folder.path()); }),
                 "generation_config.json: eos_token_id: expected token ids");
    folder.write("generation_config.json", R"({"temperature": 0.6})");
    EXPECT_EQ(model::load_config(folder.path()).eos_token_ids.size(), 3u);
}

TEST(LoadConfig, a_missing_or_huge_file_is_named) {
    // Size is checked before reading.
    const TempFolder folder;
    EXPECT_PRED2(contains, message_of<Error>([&] { model::load_config(folder.path()); }),
                 "config.json: expected a readable file");
    const auto file = folder.write("config.json", "{");
    std::filesystem::resize_file(file, 10'000'000'000);  // sparse: takes no space
    EXPECT_PRED2(contains, message_of<Error>([&] { model::load_config(folder.path()); }),
                 "expected at most 4.00 MiB");
}

}  // namespace

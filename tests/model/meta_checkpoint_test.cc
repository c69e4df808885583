#include "model/meta_checkpoint.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "model/meta_config.h"
#include "tests/core/temp_folder.h"
#include "tests/model/meta_folder.h"
#include "tests/model/model_fixture.h"

namespace model::testing {
namespace {

using core::Error;
using testing_files::Embedding;
using testing_files::MetaFolder;
using testing_files::torch_file;
using testing_files::TorchTensor;

const std::filesystem::path kFixture = project_file("tests/data/fixtures/llama3-scaled-rope");

// The fixture's sizes; params.json always scales rope from 8192 positions.
constexpr const char* kParams =
    R"({"dim": 128, "n_layers": 2, "n_heads": 16, "n_kv_heads": 8, "head_dim": 32,
        "vocab_size": 256, "multiple_of": 256, "ffn_dim_multiplier": 0.7, "norm_eps": 1e-05,
        "rope_theta": 500000.0, "use_scaled_rope": true})";

std::vector<float> values_of(const TensorView& view) {
    std::vector<float> values(static_cast<std::size_t>(view.elements()));
    to_floats(view, 0, view.elements(), values.data());
    return values;
}

// Mistral's params.json, which says nothing of rope where its default is meant.
constexpr const char* kMistralParams =
    R"({"dim": 128, "n_layers": 2, "head_dim": 32, "hidden_dim": 256, "n_heads": 8, "n_kv_heads": 4,
        "norm_eps": 1e-05, "vocab_size": 256, "sliding_window": 32})";
constexpr const char* kMixtralParams =
    R"({"dim": 128, "n_layers": 2, "head_dim": 32, "hidden_dim": 128, "n_heads": 8, "n_kv_heads": 8,
        "norm_eps": 1e-05, "vocab_size": 256, "moe": {"num_experts_per_tok": 2, "num_experts": 8}})";

/// The fixture in both layouts, with configs that mean the same.
class BothLayouts {
public:
    explicit BothLayouts(MetaFolder meta) {
        std::filesystem::create_directories(hugging_face());
        std::filesystem::create_directories(this->meta());
        std::filesystem::copy_file(kFixture / "model.safetensors",
                                   hugging_face() / "model.safetensors");
        auto config = nlohmann::json::parse(core::read_text(kFixture / "config.json"));
        config["rope_scaling"]["original_max_position_embeddings"] = 8192;
        config["max_position_embeddings"] = 131072;
        folder_.write("hf/config.json", config.dump());
        folder_.write("meta/params.json", kParams);
        meta.head_dim = 32;
        meta.write(Checkpoint::open(kFixture), this->meta());
    }
    std::filesystem::path hugging_face() const { return folder_.path() / "hf"; }
    std::filesystem::path meta() const { return folder_.path() / "meta"; }

private:
    TempFolder folder_;
};

/// Logits of a prompt and of four steps after it.
std::vector<Logits> logits_of(const std::filesystem::path& folder, std::string_view mesh) {
    const Config config = load_config(folder);
    DeploymentOptions options;
    options.context = 64;
    const auto layers = static_cast<std::int32_t>(config.num_hidden_layers);
    Deployment deployment(config, precision_preset("fp32", "", layers), mesh_named(mesh), options);
    const Checkpoint checkpoint = Checkpoint::open(folder);
    Replica replica(deployment, checkpoint, Replica::Trace::On);
    const std::vector<std::int32_t> prompt{1, 20, 33, 4, 57, 6, 70, 88, 9};
    std::vector<Logits> logits{replica.prefill(0, prompt)};
    std::vector<std::int32_t> tokens(static_cast<std::size_t>(deployment.slots()), 0);
    std::vector<std::int32_t> positions(tokens.size(), -1);
    for (std::int32_t step = 0; step < 4; ++step) {
        tokens[0] = 11 * step;
        positions[0] = 9 + step;
        logits.push_back(replica.decode(tokens, positions)[0]);
    }
    return logits;
}

/// Fixture, params.json, shards.
using MistralCase = std::tuple<const char*, const char*, std::int64_t>;
class MistralsLayout : public ::testing::TestWithParam<MistralCase> {};

TEST_P(MistralsLayout, gives_the_logits_of_the_hugging_face_layout) {
    // One file, as Mistral publishes it, and cut as Meta does; experts are named one by one.
    const auto& [fixture, params, shards] = GetParam();
    const std::filesystem::path from = project_file("tests/data/fixtures") / fixture;
    const TempFolder folder;
    folder.write("params.json", params);
    MetaFolder{32, shards}.write(Checkpoint::open(from), folder.path());
    for (const char* mesh : {"n150", "t3k:1x4"}) {
        EXPECT_EQ(logits_of(folder.path(), mesh), logits_of(from, mesh)) << mesh;
    }
}

INSTANTIATE_TEST_SUITE_P(Published, MistralsLayout,
                         ::testing::Values(MistralCase{"mistral-sliding-window", kMistralParams, 1},
                                           MistralCase{"mixtral", kMixtralParams, 1},
                                           MistralCase{"mixtral", kMixtralParams, 4}));

class MetaCheckpoint : public ::testing::TestWithParam<std::int64_t> {};

TEST_P(MetaCheckpoint, every_tensor_is_that_of_the_hugging_face_layout) {
    // Element by element, whichever way the embedding was cut.
    const Checkpoint expected = Checkpoint::open(kFixture);
    for (const Embedding embedding : {Embedding::CutByTokens, Embedding::CutByChannels}) {
        const BothLayouts both({32, GetParam(), embedding});
        const Checkpoint found = Checkpoint::open(both.meta());
        ASSERT_EQ(found.names(), expected.names());
        for (const std::string& name : expected.names()) {
            const TensorView& view = found.at(name, expected.at(name).shape);
            ASSERT_EQ(values_of(view), values_of(expected.at(name))) << name;
        }
    }
}

TEST_P(MetaCheckpoint, logits_are_those_of_the_hugging_face_layout) {
    // The promise of the whole: same numbers in, same bits out, on one chip and on eight.
    const BothLayouts both({32, GetParam(), Embedding::CutByTokens});
    for (const char* mesh : {"n150", "t3k"}) {
        EXPECT_EQ(logits_of(both.meta(), mesh), logits_of(both.hugging_face(), mesh)) << mesh;
    }
}

INSTANTIATE_TEST_SUITE_P(Shards, MetaCheckpoint, ::testing::Values(1, 2, 8, 16));

TEST(MetaLayers, files_of_whole_tensors_are_one_checkpoint) {
    // Mixtral's first release: the tensors dealt over files, none of them cut.
    const TempFolder folder;
    folder.write("params.json", kMixtralParams);
    const Checkpoint expected = Checkpoint::open(project_file("tests/data/fixtures/mixtral"));
    std::vector<std::vector<TorchTensor>> files(3);
    for (const TorchTensor& tensor : MetaFolder{32}.shard_of(expected, 0)) {
        files[tensor.name.size() % files.size()].push_back(tensor);
    }
    for (std::size_t i = 0; i < files.size(); ++i) {
        folder.write(MetaFolder{}.path_of(static_cast<std::int64_t>(i)), torch_file(files[i]));
    }
    EXPECT_EQ(Checkpoint::open(folder.path()).names(), expected.names());
}

TEST(MetaLayers, a_consolidated_safetensors_is_read_as_the_pth) {
    // What Mistral publishes since 7B v0.3.
    const TempFolder folder;
    folder.write("params.json", kMixtralParams);
    nlohmann::json header;
    std::string data;
    const Checkpoint expected = Checkpoint::open(project_file("tests/data/fixtures/mixtral"));
    for (const TorchTensor& tensor : MetaFolder{32}.shard_of(expected, 0)) {
        header[tensor.name] = {{"dtype", "BF16"},
                               {"shape", tensor.shape},
                               {"data_offsets", {data.size(), data.size() + tensor.bytes.size()}}};
        data += tensor.bytes;
    }
    const std::string text = header.dump();
    std::string size(8, '\0');
    for (std::size_t i = 0; i < size.size(); ++i) {
        size[i] = static_cast<char>(text.size() >> (8 * i));
    }
    folder.write("consolidated.safetensors", size + text + data);
    const Checkpoint found = Checkpoint::open(folder.path());
    ASSERT_EQ(found.names(), expected.names());
    for (const std::string& name : expected.names()) {
        ASSERT_EQ(values_of(found.at(name)), values_of(expected.at(name))) << name;
    }
}

TEST(MetaLayers, files_of_whole_layers_are_one_checkpoint) {
    // tt_transformers' repacked 70B: layers_0-0.pth, layers_1-1.pth ...
    const TempFolder folder;
    folder.write("params.json", kParams);
    const Checkpoint expected = Checkpoint::open(kFixture);
    std::vector<TorchTensor> first;
    std::vector<TorchTensor> second;
    for (const TorchTensor& tensor : MetaFolder{32}.shard_of(expected, 0)) {
        (tensor.name.starts_with("layers.1.") ? second : first).push_back(tensor);
    }
    folder.write("layers_0-0.pth", torch_file(first));
    folder.write("layers_1-1.pth", torch_file(second));
    EXPECT_EQ(Checkpoint::open(folder.path()).names(), expected.names());
    second.push_back(first.front());
    folder.write("layers_1-1.pth", torch_file(second));
    EXPECT_PRED2(contains, message_of<Error>([&] { Checkpoint::open(folder.path()); }),
                 MetaFolder::meta_name(expected.names().front()) +
                     ": expected one file that holds it, got two");
}

/// A checkpoint of two shards whose tensors a test may spoil.
class TwoShards : public ::testing::Test {
protected:
    TwoShards() {
        folder_.write("params.json", kParams);
        const Checkpoint from = Checkpoint::open(kFixture);
        for (std::int64_t i = 0; i < 2; ++i) shards_.push_back(meta_.shard_of(from, i));
    }
    TorchTensor& tensor(std::size_t shard, const std::string& name) {
        for (TorchTensor& entry : shards_.at(shard)) {
            if (entry.name == name) return entry;
        }
        ADD_FAILURE() << name;
        return shards_[0][0];
    }
    std::string failure() {
        for (std::int64_t i = 0; i < 2; ++i) {
            folder_.write(meta_.path_of(i), torch_file(shards_[static_cast<std::size_t>(i)]));
        }
        return message_of<Error>([&] { Checkpoint::open(folder_.path()); });
    }

    TempFolder folder_;
    MetaFolder meta_{32, 2};
    std::vector<std::vector<TorchTensor>> shards_;
};

TEST_F(TwoShards, must_have_the_same_tensors_of_the_same_shape) {
    tensor(1, "layers.1.attention.wo.weight").shape = {64, 512};
    EXPECT_PRED2(contains, failure(),
                 "layers.1.attention.wo.weight: expected BF16 [128, 256] in shard 1, got "
                 "BF16 [64, 512]");
    tensor(1, "layers.1.attention.wo.weight").name = "layers.1.attention.wp.weight";
    EXPECT_PRED2(contains, failure(), "layers.1.attention.wo.weight: expected a part in shard 1");
    // Mixtral's first files hold the experts of a layer in one tensor.
    shards_[0].push_back({"layers.0.block_sparse_moe.w1", "BFloat16Storage", {1, 1}, "ab", 2});
    EXPECT_PRED2(
        contains, failure(),
        "layers.0.block_sparse_moe.w1: expected a tensor of a Llama, Mistral or Mixtral in "
        "Meta's layout");
}

TEST_F(TwoShards, must_agree_on_the_norms) {
    // Shards of two trainings, or a flipped bit.
    tensor(1, "norm.weight").bytes[3] ^= 1;
    EXPECT_PRED2(contains, failure(), "norm.weight: expected the same values in every shard");
}

TEST_F(TwoShards, that_are_not_all_there_say_so) {
    const std::string second = meta_.path_of(1);
    folder_.write(second, torch_file(shards_[1]));
    EXPECT_PRED2(contains, message_of<Error>([&] { Checkpoint::open(folder_.path()); }),
                 "none of shard 0");
    // One of two is a whole folder to us, until the config asks for its shapes.
    std::filesystem::remove(folder_.path() / second);
    folder_.write(meta_.path_of(0), torch_file(shards_[0]));
    const Checkpoint half = Checkpoint::open(folder_.path());
    const std::vector<std::int64_t> whole{256, 128};
    EXPECT_PRED2(contains, message_of<Error>([&] { half.at("lm_head.weight", whole); }),
                 "lm_head.weight: expected BF16 [256, 128], got BF16 [128, 128]");
    std::filesystem::remove(folder_.path() / "params.json");
    EXPECT_PRED2(contains, message_of<Error>([&] { Checkpoint::open(folder_.path()); }),
                 "params.json: expected a readable file");
}

TEST_F(TwoShards, a_missing_head_is_the_embedding_and_rope_tables_are_computed) {
    // Llama 3.2 ties its weights; Llama 2 stores its frequencies.
    for (auto& shard : shards_) {
        std::erase_if(shard,
                      [](const TorchTensor& entry) { return entry.name == "output.weight"; });
        shard.push_back({"rope.freqs", "BFloat16Storage", {1}, "ab", 2});
        shard.push_back(
            {"layers.0.attention.inner_attention.rope.freqs", "BFloat16Storage", {1}, "ab", 2});
    }
    for (std::int64_t i = 0; i < 2; ++i) {
        folder_.write(meta_.path_of(i), torch_file(shards_[static_cast<std::size_t>(i)]));
    }
    const Checkpoint checkpoint = Checkpoint::open(folder_.path());
    EXPECT_EQ(checkpoint.names(), Checkpoint::open(kFixture).names());
    EXPECT_EQ(values_of(checkpoint.at("lm_head.weight")),
              values_of(checkpoint.at("model.embed_tokens.weight")));
}

TEST_F(TwoShards, a_vocabulary_of_minus_one_is_that_of_the_weights) {
    // Llama 1 and 2: "ask the tokenizer".
    auto params = nlohmann::json::parse(kParams);
    params["vocab_size"] = -1;
    folder_.write("params.json", params.dump());
    EXPECT_PRED2(contains, message_of<Error>([&] { load_config(folder_.path()); }),
                 "vocab_size: expected 1 or more, or weights beside it, got -1");
    for (std::int64_t i = 0; i < 2; ++i) {
        folder_.write(meta_.path_of(i), torch_file(shards_[static_cast<std::size_t>(i)]));
    }
    EXPECT_EQ(load_config(folder_.path()).vocab_size, 256);
}

Config params_config(const std::string& text) {
    return parse_config(meta_config(text, "params.json", [] { return std::nullopt; }),
                        "params.json");
}

TEST(MetaConfig, published_params_are_the_published_configs) {
    // params.json of meta-llama/Llama-3.1-8B-Instruct, -70B-Instruct, Llama-3.2-1B and -3B (folder
    // "original" on Hugging Face) against the config.json beside them.
    const std::string rest =
        R"(, "norm_eps": 1e-05, "rope_theta": 500000.0, "use_scaled_rope": true,
            "vocab_size": 128256, "n_kv_heads": 8, )";
    const std::vector<std::pair<std::string, std::string>> cases{
        {"Llama-3.1-8B-Instruct",
         R"("dim": 4096, "n_layers": 32, "n_heads": 32, "ffn_dim_multiplier": 1.3, "multiple_of": 1024})"},
        {"Llama-3.1-70B-Instruct",
         R"("dim": 8192, "n_layers": 80, "n_heads": 64, "ffn_dim_multiplier": 1.3, "multiple_of": 4096})"},
        {"Llama-3.2-1B-Instruct",
         R"("dim": 2048, "n_layers": 16, "n_heads": 32, "ffn_dim_multiplier": 1.5, "multiple_of": 256})"},
        {"Llama-3.2-3B-Instruct",
         R"("dim": 3072, "n_layers": 28, "n_heads": 24, "ffn_dim_multiplier": 1.0, "multiple_of": 256})"},
    };
    for (const auto& [model, sizes] : cases) {
        const Config found = params_config("{\"x\": 0" + rest + sizes);
        const Config expected = load_config(project_file("models/configs") / model);
        EXPECT_EQ(found.architecture, expected.architecture) << model;
        EXPECT_EQ(found.hidden_size, expected.hidden_size) << model;
        EXPECT_EQ(found.intermediate_size, expected.intermediate_size) << model;
        EXPECT_EQ(found.num_hidden_layers, expected.num_hidden_layers) << model;
        EXPECT_EQ(found.num_attention_heads, expected.num_attention_heads) << model;
        EXPECT_EQ(found.num_key_value_heads, expected.num_key_value_heads) << model;
        EXPECT_EQ(found.head_dim, expected.head_dim) << model;
        EXPECT_EQ(found.vocab_size, expected.vocab_size) << model;
        EXPECT_EQ(found.max_position_embeddings, expected.max_position_embeddings) << model;
        EXPECT_EQ(found.rms_norm_eps, expected.rms_norm_eps) << model;
        EXPECT_EQ(found.rope_theta, expected.rope_theta) << model;
        EXPECT_EQ(found.rope_scaling.kind, expected.rope_scaling.kind) << model;
        EXPECT_EQ(found.rope_scaling.factor, expected.rope_scaling.factor) << model;
        EXPECT_EQ(found.bos_token_id, expected.bos_token_id) << model;
    }
}

TEST(MetaConfig, older_and_other_networks_are_told_apart_by_their_keys) {
    // Llama 2 7B says little; Mistral 7B v0.1 says more than Meta does.
    const Config llama2 = params_config(
        R"({"dim": 4096, "multiple_of": 256, "n_heads": 32, "n_layers": 32, "norm_eps": 1e-05,
            "vocab_size": 32000})");
    EXPECT_EQ(llama2.intermediate_size, 11008);
    EXPECT_EQ(llama2.num_key_value_heads, 32);
    EXPECT_EQ(llama2.rope_theta, 10000);
    EXPECT_EQ(llama2.max_position_embeddings, 4096);
    EXPECT_EQ(llama2.eos_token_ids, std::vector<std::int32_t>{2});
    const Config mistral = params_config(
        R"({"dim": 4096, "n_layers": 32, "head_dim": 128, "hidden_dim": 14336, "n_heads": 32,
            "n_kv_heads": 8, "norm_eps": 1e-05, "sliding_window": 4096, "vocab_size": 32000})");
    EXPECT_EQ(mistral.architecture, Architecture::Mistral);
    EXPECT_EQ(mistral.intermediate_size, 14336);
    EXPECT_EQ(mistral.sliding_window, 4096);
    EXPECT_EQ(mistral.max_position_embeddings, 32768);
    EXPECT_EQ(mistral.rope_theta, 10000);
    // Mixtral 8x7B: no window, so another base of rope, which params.json leaves out.
    const Config mixtral = params_config(
        R"({"dim": 4096, "n_layers": 32, "head_dim": 128, "hidden_dim": 14336, "n_heads": 32,
            "n_kv_heads": 8, "norm_eps": 1e-05, "vocab_size": 32000,
            "moe": {"num_experts_per_tok": 2, "num_experts": 8}})");
    const Config published = load_config(project_file("models/configs/Mixtral-8x7B-v0.1"));
    EXPECT_EQ(mixtral.architecture, published.architecture);
    EXPECT_EQ(mixtral.rope_theta, published.rope_theta);
    EXPECT_EQ(mixtral.sliding_window, published.sliding_window);
    EXPECT_EQ(mixtral.max_position_embeddings, published.max_position_embeddings);
    EXPECT_EQ(mixtral.layers[31].experts, published.layers[31].experts);
    EXPECT_EQ(mixtral.layers[31].experts_per_token, published.layers[31].experts_per_token);
    EXPECT_EQ(mixtral.layers[31].expert_intermediate_size,
              published.layers[31].expert_intermediate_size);
}

TEST(MetaConfig, wrong_numbers_are_named_as_params_json_spells_them) {
    const auto failure = [](const std::string& key, const nlohmann::json& value) {
        auto params = nlohmann::json::parse(kParams);
        params[key] = value;
        return message_of<Error>([&] { params_config(params.dump()); });
    };
    EXPECT_PRED2(contains, failure("dim", 0), "params.json: dim: expected");
    EXPECT_PRED2(contains, failure("n_layers", -1), "params.json: n_layers: expected");
    EXPECT_PRED2(contains, failure("n_kv_heads", 3),
                 "n_kv_heads: expected a divisor of n_heads (16)");
    EXPECT_PRED2(contains, failure("head_dim", 33), "head_dim: expected heads of an even size");
    EXPECT_PRED2(contains, failure("vocab_size", -2), "vocab_size: expected");
    EXPECT_PRED2(contains, failure("ffn_dim_multiplier", 1e3 + 1), "ffn_dim_multiplier: expected");
    EXPECT_PRED2(contains, failure("rope_theta", "x"), "rope_theta: expected");
    EXPECT_PRED2(contains, failure("moe", nlohmann::json::object()), "moe.num_experts: expected");
    EXPECT_PRED2(contains, failure("moe", {{"num_experts", 4}, {"num_experts_per_tok", 5}}),
                 "moe.num_experts_per_tok: expected");
    for (const char* key : {"quantization_args", "lora_args", "vision_chunk_size"}) {
        EXPECT_PRED2(
            contains,
            failure(key, key == std::string("vision_chunk_size") ? nlohmann::json(560)
                                                                 : nlohmann::json::object()),
            std::string(key) + ": expected nothing");
    }
}

}  // namespace
}  // namespace model::testing

// A Mixtral of a few hundred kilobytes with random weights and any number of experts, or (with
// none) a Llama whose feed-forward has biases and a gelu, written by the test that needs it.
// Weights are bf16 from a fixed seed: sensible numbers, no sense.
#pragma once

#include <cstring>
#include <random>
#include <string>

#include "tests/core/temp_folder.h"
#include "tests/model/model_fixture.h"

namespace model::testing {

struct NetworkSizes {
    std::int64_t experts = 8;
    std::int64_t top_k = 2;
    std::int64_t width = 96;  // of an expert
    std::int64_t dim = 128;
    std::int64_t heads = 8;
    std::int64_t layers = 2;
};

class MadeCheckpoint {
public:
    explicit MadeCheckpoint(const NetworkSizes& sizes) : sizes_(sizes) {
        add_tensors();
        const std::string header = "{" + header_ + "}";
        std::string file(8, '\0');
        const std::uint64_t length = header.size();
        std::memcpy(file.data(), &length, 8);
        folder_.write("model.safetensors", file + header + data_);
        folder_.write("config.json", config_text());
    }

    Config config() const { return load_config(folder_.path()); }
    Checkpoint open() const { return Checkpoint::open(folder_.path()); }

    /// A model on a mesh in `precision`, with room for the prompts of the tests.
    std::unique_ptr<Deployment> on(std::string_view mesh, std::string_view precision,
                                   const DeploymentOptions& options) const {
        const Config network = config();
        return std::make_unique<Deployment>(
            network,
            precision_preset(precision, "Mixtral-8x7B",
                             static_cast<std::int32_t>(network.num_hidden_layers)),
            mesh_named(mesh), options);
    }

private:
    static constexpr std::int64_t kHeadDim = 32;
    static constexpr std::int64_t kVocab = 2048;

    std::string config_text() const {
        const auto key = [](const char* name, std::int64_t value) {
            return ",\"" + std::string(name) + "\":" + std::to_string(value);
        };
        const std::string kind =
            sizes_.experts > 0 ? R"({"architectures":["MixtralForCausalLM"],"hidden_act":"silu")" +
                                     key("num_local_experts", sizes_.experts) +
                                     key("num_experts_per_tok", sizes_.top_k)
                               : R"({"architectures":["LlamaForCausalLM"],"mlp_bias":true,)"
                                 R"("hidden_act":"gelu_pytorch_tanh")";
        return kind + R"(,"torch_dtype":"bfloat16")" + key("hidden_size", sizes_.dim) +
               key("intermediate_size", sizes_.width) + key("num_hidden_layers", sizes_.layers) +
               key("num_attention_heads", sizes_.heads) + key("num_key_value_heads", sizes_.heads) +
               key("head_dim", kHeadDim) + key("vocab_size", kVocab) +
               R"(,"max_position_embeddings":512,"tie_word_embeddings":false,"bos_token_id":1,)" +
               R"("eos_token_id":2,"rms_norm_eps":1e-5})";
    }

    void add_tensors() {
        const std::int64_t dim = sizes_.dim;
        const std::int64_t all = sizes_.heads * kHeadDim;
        add("model.embed_tokens.weight", {kVocab, dim});
        add("model.norm.weight", {dim});
        add("lm_head.weight", {kVocab, dim});
        for (std::int64_t layer = 0; layer < sizes_.layers; ++layer) {
            const std::string prefix = "model.layers." + std::to_string(layer) + ".";
            for (const char* norm : {"input_layernorm", "post_attention_layernorm"}) {
                add(prefix + norm + ".weight", {dim});
            }
            for (const char* projection : {"q_proj", "k_proj", "v_proj"}) {
                add(prefix + "self_attn." + projection + ".weight", {all, dim});
            }
            add(prefix + "self_attn.o_proj.weight", {dim, all});
            if (sizes_.experts == 0) add_dense(prefix + "mlp.");
            if (sizes_.experts == 0) continue;
            const std::string moe = prefix + "block_sparse_moe.";
            add(moe + "gate.weight", {sizes_.experts, dim});
            for (std::int64_t expert = 0; expert < sizes_.experts; ++expert) {
                const std::string one = moe + "experts." + std::to_string(expert) + ".";
                add(one + "w1.weight", {sizes_.width, dim});
                add(one + "w3.weight", {sizes_.width, dim});
                add(one + "w2.weight", {dim, sizes_.width});
            }
        }
    }

    void add_dense(const std::string& prefix) {
        for (const char* projection : {"gate_proj", "up_proj"}) {
            add(prefix + projection + ".weight", {sizes_.width, sizes_.dim});
            add(prefix + projection + ".bias", {sizes_.width});
        }
        add(prefix + "down_proj.weight", {sizes_.dim, sizes_.width});
        add(prefix + "down_proj.bias", {sizes_.dim});
    }

    void add(const std::string& name, const std::vector<std::int64_t>& shape) {
        const std::size_t begin = data_.size();
        std::int64_t elements = 1;
        std::string extents;
        for (const std::int64_t extent : shape) {
            elements *= extent;
            extents += (extents.empty() ? "" : ",") + std::to_string(extent);
        }
        for (std::int64_t i = 0; i < elements; ++i) {
            const float value = static_cast<float>(random_() >> 8) * 0x1p-25F - 0.25F;
            std::uint32_t bits = 0;
            std::memcpy(&bits, &value, sizeof bits);
            data_.push_back(static_cast<char>((bits >> 16) & 0xffU));
            data_.push_back(static_cast<char>(bits >> 24));
        }
        header_ += (header_.empty() ? "\"" : ",\"") + name + R"(":{"dtype":"BF16","shape":[)" +
                   extents + R"(],"data_offsets":[)" + std::to_string(begin) + "," +
                   std::to_string(data_.size()) + "]}";
    }

    NetworkSizes sizes_;
    TempFolder folder_;
    std::string header_;
    std::string data_;
    std::mt19937 random_{11};
};

}  // namespace model::testing

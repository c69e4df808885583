// A Llama checkpoint of a few hundred kilobytes with random weights, written by the test that
// needs it, so that it can be spoiled in one place at a time. Its tokenizer is the demo model's.
// Weights are bf16 from a fixed seed: sensible numbers, no sense.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/cli/command.h"

struct StoredTensor {
    std::string name;
    std::string dtype = "BF16";
    std::vector<std::int64_t> shape;
    std::int64_t begin = 0;  // of the file's data part
    std::int64_t end = 0;
};

class SmallModel {
public:
    struct Sizes {
        std::int64_t heads = 4;
        std::int64_t kv_heads = 4;
        std::int64_t head_dim = 16;
        std::int64_t layers = 2;
        std::int64_t ffn = 128;
        std::int64_t vocab = 2048;
        std::int64_t positions = 256;
    };

    explicit SmallModel(Sizes sizes) : sizes_(sizes) {
        make_config();
        make_tensors();
    }
    SmallModel() : SmallModel(Sizes{}) {}

    Json config;
    std::vector<StoredTensor> tensors;

    StoredTensor& tensor(std::string_view name) {
        for (StoredTensor& entry : tensors) {
            if (entry.name == name) return entry;
        }
        ADD_FAILURE() << "no tensor " << name;
        return tensors.front();
    }

    /// Writes the folder's files and says where they are.
    std::string write(const std::filesystem::path& folder) const {
        std::filesystem::create_directories(folder);
        std::ofstream(folder / "config.json") << config.dump(1);
        std::filesystem::copy_file(kDemo + "/tokenizer.json", folder / "tokenizer.json",
                                   std::filesystem::copy_options::overwrite_existing);
        std::ofstream weights(folder / "model.safetensors", std::ios::binary);
        const std::string header = header_text();
        const auto length = static_cast<std::uint64_t>(header.size());
        weights.write(reinterpret_cast<const char*>(&length), sizeof length);
        weights << header << data_;
        return folder.string();
    }

private:
    std::int64_t dim() const { return sizes_.heads * sizes_.head_dim; }

    void make_config() {
        config = {{"architectures", {"LlamaForCausalLM"}},
                  {"model_type", "llama"},
                  {"vocab_size", sizes_.vocab},
                  {"hidden_size", dim()},
                  {"intermediate_size", sizes_.ffn},
                  {"num_hidden_layers", sizes_.layers},
                  {"num_attention_heads", sizes_.heads},
                  {"num_key_value_heads", sizes_.kv_heads},
                  {"head_dim", sizes_.head_dim},
                  {"max_position_embeddings", sizes_.positions},
                  {"rms_norm_eps", 1e-5},
                  {"rope_theta", 10000.0},
                  {"hidden_act", "silu"},
                  {"bos_token_id", 0},
                  {"torch_dtype", "bfloat16"}};
    }

    void make_tensors() {
        const std::int64_t q = dim();
        const std::int64_t kv = sizes_.kv_heads * sizes_.head_dim;
        add("model.embed_tokens.weight", {sizes_.vocab, dim()});
        for (std::int64_t layer = 0; layer < sizes_.layers; ++layer) {
            const std::string prefix = "model.layers." + std::to_string(layer) + ".";
            add(prefix + "input_layernorm.weight", {dim()});
            add(prefix + "self_attn.q_proj.weight", {q, dim()});
            add(prefix + "self_attn.k_proj.weight", {kv, dim()});
            add(prefix + "self_attn.v_proj.weight", {kv, dim()});
            add(prefix + "self_attn.o_proj.weight", {dim(), q});
            add(prefix + "post_attention_layernorm.weight", {dim()});
            add(prefix + "mlp.gate_proj.weight", {sizes_.ffn, dim()});
            add(prefix + "mlp.up_proj.weight", {sizes_.ffn, dim()});
            add(prefix + "mlp.down_proj.weight", {dim(), sizes_.ffn});
        }
        add("model.norm.weight", {dim()});
        add("lm_head.weight", {sizes_.vocab, dim()});
    }

    void add(const std::string& name, std::vector<std::int64_t> shape) {
        std::int64_t elements = 1;
        for (const std::int64_t extent : shape) elements *= extent;
        const auto begin = static_cast<std::int64_t>(data_.size());
        for (std::int64_t i = 0; i < elements; ++i) {
            const float value = static_cast<float>(random_() >> 8) * 0x1p-26f - 0.125f;
            std::uint32_t bits = 0;
            std::memcpy(&bits, &value, sizeof bits);
            data_.push_back(static_cast<char>((bits >> 16) & 0xffu));
            data_.push_back(static_cast<char>(bits >> 24));
        }
        tensors.push_back({name, "BF16", std::move(shape), begin, begin + 2 * elements});
    }

    std::string header_text() const {
        Json header = Json::object();
        for (const StoredTensor& entry : tensors) {
            header[entry.name] = {{"dtype", entry.dtype},
                                  {"shape", entry.shape},
                                  {"data_offsets", {entry.begin, entry.end}}};
        }
        return header.dump();
    }

    Sizes sizes_;
    std::string data_;
    std::mt19937 random_{11};
};

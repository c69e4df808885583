// Writes a Hugging Face checkpoint of a Llama, Mistral or Mixtral again in Meta's layout: other
// names, interleaved rows of wq and wk, cut into shards. Written from the layout's description, not
// from the reader's code: what goes through both must come out as it was.
#pragma once

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "model/safetensors.h"
#include "tests/model/torch_file.h"

namespace testing_files {

enum class Embedding { CutByTokens, CutByChannels };

struct MetaFolder {
    std::int64_t head_dim = 0;
    std::int64_t shards = 1;
    Embedding embedding = Embedding::CutByTokens;

    std::string path_of(std::int64_t shard) const {
        const std::string number = std::to_string(shard);
        return "consolidated." + std::string(number.size() < 2 ? "0" : "") + number + ".pth";
    }

    /// The tensors of one shard, from a checkpoint of bfloat16.
    std::vector<TorchTensor> shard_of(const model::Checkpoint& from, std::int64_t shard) const {
        std::vector<TorchTensor> tensors;
        for (const std::string& name : from.names()) {
            const model::TensorView& view = from.at(name);
            TorchTensor tensor{meta_name(name), "BFloat16Storage", view.shape, {}, 2};
            tensor.bytes.assign(reinterpret_cast<const char*>(view.bytes.data()),
                                view.bytes.size());
            if (is(name, "q_proj") || is(name, "k_proj")) interleave(tensor);
            if (view.shape.size() == 2 && !is(name, "gate.weight"))
                cut(tensor, columns_are_cut(name), shard);
            tensors.push_back(tensor);
        }
        return tensors;
    }

    void write(const model::Checkpoint& from, const std::filesystem::path& folder) const {
        for (std::int64_t shard = 0; shard < shards; ++shard) {
            std::ofstream(folder / path_of(shard), std::ios::binary)
                << torch_file(shard_of(from, shard));
        }
    }

    static std::string meta_name(std::string name) {
        static const std::vector<std::pair<std::string, std::string>> kParts{
            {"model.", ""},
            {"embed_tokens", "tok_embeddings"},
            {"lm_head", "output"},
            {"input_layernorm", "attention_norm"},
            {"post_attention_layernorm", "ffn_norm"},
            {"self_attn.q_proj", "attention.wq"},
            {"self_attn.k_proj", "attention.wk"},
            {"self_attn.v_proj", "attention.wv"},
            {"self_attn.o_proj", "attention.wo"},
            {"mlp.gate_proj", "feed_forward.w1"},
            {"mlp.down_proj", "feed_forward.w2"},
            {"mlp.up_proj", "feed_forward.w3"},
            {"block_sparse_moe.", "feed_forward."}};
        for (const auto& [from, to] : kParts) {
            const std::size_t at = name.find(from);
            if (at != name.npos) name.replace(at, from.size(), to);
        }
        return name;
    }

private:
    static bool is(const std::string& name, const char* part) {
        return name.find(part) != name.npos;
    }

    bool columns_are_cut(const std::string& name) const {
        return is(name, "o_proj") || is(name, "down_proj") || is(name, "w2.weight") ||
               (is(name, "embed_tokens") && embedding == Embedding::CutByChannels);
    }

    // Row i of the first half of a head goes to 2i, row i of the second to 2i + 1.
    void interleave(TorchTensor& tensor) const {
        const auto row_bytes = static_cast<std::size_t>(tensor.shape[1] * 2);
        const std::string before = tensor.bytes;
        for (std::int64_t head = 0; head < tensor.shape[0] / head_dim; ++head) {
            for (std::int64_t i = 0; i < head_dim; ++i) {
                const std::int64_t to = i < head_dim / 2 ? 2 * i : 2 * (i - head_dim / 2) + 1;
                std::memcpy(
                    tensor.bytes.data() +
                        static_cast<std::size_t>(head * head_dim + to) * row_bytes,
                    before.data() + static_cast<std::size_t>(head * head_dim + i) * row_bytes,
                    row_bytes);
            }
        }
    }

    void cut(TorchTensor& tensor, bool by_columns, std::int64_t shard) const {
        std::string part;
        const std::int64_t row_bytes = tensor.shape[1] * 2;
        const std::int64_t first = by_columns ? 0 : tensor.shape[0] / shards * shard;
        const std::int64_t rows = by_columns ? tensor.shape[0] : tensor.shape[0] / shards;
        const std::int64_t bytes = by_columns ? row_bytes / shards : row_bytes;
        for (std::int64_t row = first; row < first + rows; ++row) {
            const std::int64_t at = row * row_bytes + (by_columns ? bytes * shard : 0);
            part +=
                tensor.bytes.substr(static_cast<std::size_t>(at), static_cast<std::size_t>(bytes));
        }
        tensor.bytes = part;
        tensor.shape = {rows, bytes / 2};
    }
};

}  // namespace testing_files

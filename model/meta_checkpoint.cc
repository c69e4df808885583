#include "model/meta_checkpoint.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/files.h"

namespace model {

namespace {

using core::Error;

/// How the shards of a tensor make the whole.
enum class Along { Rows, Columns, Embedding, Same };
enum class Order { Plain, Interleaved };

struct Row {
    std::string_view meta;
    std::string_view hugging_face;
    Along along = Along::Rows;
    Order order = Order::Plain;
};

constexpr std::array kNetwork{
    Row{"tok_embeddings.weight", "model.embed_tokens.weight", Along::Embedding},
    Row{"norm.weight", "model.norm.weight", Along::Same},
    Row{"output.weight", "lm_head.weight"},
};
constexpr std::array kLayer{
    Row{"attention.wq.weight", "self_attn.q_proj.weight", Along::Rows, Order::Interleaved},
    Row{"attention.wk.weight", "self_attn.k_proj.weight", Along::Rows, Order::Interleaved},
    Row{"attention.wv.weight", "self_attn.v_proj.weight"},
    Row{"attention.wo.weight", "self_attn.o_proj.weight", Along::Columns},
    Row{"feed_forward.w1.weight", "mlp.gate_proj.weight"},
    Row{"feed_forward.w3.weight", "mlp.up_proj.weight"},
    Row{"feed_forward.w2.weight", "mlp.down_proj.weight", Along::Columns},
    Row{"feed_forward.gate.weight", "block_sparse_moe.gate.weight", Along::Same},
    Row{"attention_norm.weight", "input_layernorm.weight", Along::Same},
    Row{"ffn_norm.weight", "post_attention_layernorm.weight", Along::Same},
};
// Of one expert, "feed_forward.experts.N." before it (mistralai/mistral-inference: moe.py).
constexpr std::array kExpert{
    Row{"w1.weight", "w1.weight"},
    Row{"w2.weight", "w2.weight", Along::Columns},
    Row{"w3.weight", "w3.weight"},
};
constexpr std::string_view kLayers = "layers.";
constexpr std::string_view kExperts = "feed_forward.experts.";

/// The frequencies are computed from the config.
bool is_rope_table(std::string_view name) { return name.ends_with("rope.freqs"); }

template <class Rows>
const Row* find_row(const Rows& rows, std::string_view name) {
    const auto row = std::find_if(rows.begin(), rows.end(),
                                  [&](const Row& entry) { return entry.meta == name; });
    return row == rows.end() ? nullptr : &*row;
}

struct Named {
    const Row* row = nullptr;
    std::string name;  // in Hugging Face's spelling
};

/// The "3." of "3.rest", taken off `name`; empty when it begins with no number.
std::string_view take_number(std::string_view& name) {
    const std::size_t dot = name.find('.');
    if (dot == 0 || dot == name.npos || name.find_first_not_of("0123456789") != dot) return {};
    const std::string_view number = name.substr(0, dot + 1);
    name.remove_prefix(dot + 1);
    return number;
}

/// "layers.3.attention.wq.weight" -> its row and "model.layers.3.self_attn.q_proj.weight".
Named named(std::string_view name) {
    if (const Row* row = find_row(kNetwork, name)) return {row, std::string(row->hugging_face)};
    if (!name.starts_with(kLayers)) return {};
    name.remove_prefix(kLayers.size());
    const std::string_view layer = take_number(name);
    if (layer.empty()) return {};
    std::string prefix = "model.layers." + std::string(layer);
    const Row* row = find_row(kLayer, name);
    if (name.starts_with(kExperts)) {
        name.remove_prefix(kExperts.size());
        const std::string_view expert = take_number(name);
        row = expert.empty() ? nullptr : find_row(kExpert, name);
        prefix.append("block_sparse_moe.experts.").append(expert);
    }
    if (row == nullptr) return {};
    return {row, prefix.append(row->hugging_face)};
}

class Assembly {
public:
    Assembly(std::span<const TensorTable> shards, std::int64_t head_dim, std::string_view where)
        : shards_(shards), head_dim_(head_dim), where_(where) {}

    TensorView whole(const std::string& name, const Row& row) const {
        const std::vector<const TensorView*> parts = parts_of(name);
        const TensorView& first = *parts.front();
        if (row.along == Along::Same) {
            check_same(name, parts);
            return first;
        }
        if (first.shape.size() != 2) throw mismatch(name, "rows and columns", first.text());
        const int axis = axis_of(name, row.along, first);
        TensorView whole{first.dtype, first.shape, first.bytes};
        const auto count = static_cast<std::int64_t>(parts.size());
        std::int64_t& extent = whole.shape[static_cast<std::size_t>(axis)];
        if (__builtin_mul_overflow(extent, count, &extent) || !shape_bytes(whole)) {
            throw mismatch(name, "a size below 2^63 bytes", first.text());
        }
        const bool interleaved = row.order == Order::Interleaved;
        if (interleaved && whole.shape[0] % head_dim_ != 0) {
            throw mismatch(name, "heads of " + std::to_string(head_dim_) + " rows (params.json)",
                           whole.text());
        }
        if ((count == 1 && !interleaved) || first.bytes.empty()) return whole;
        Pieces pieces{{}, axis, interleaved ? head_dim_ : 0};
        for (const TensorView* part : parts) pieces.parts.push_back(part->bytes);
        whole.bytes = {};
        whole.pieces = std::make_shared<const Pieces>(std::move(pieces));
        return whole;
    }

private:
    Error mismatch(const std::string& name, std::string_view expected,
                   std::string_view found) const {
        return Error::mismatch(where_, core::printable(name), expected, found);
    }

    std::vector<const TensorView*> parts_of(const std::string& name) const {
        std::vector<const TensorView*> parts;
        for (const TensorTable& shard : shards_) {
            const auto part = shard.find(name);
            const std::string which = "shard " + std::to_string(parts.size());
            if (part == shard.end()) throw mismatch(name, "a part in " + which, "none");
            const TensorView& view = part->second;
            if (!parts.empty() &&
                (view.dtype != parts[0]->dtype || view.shape != parts[0]->shape)) {
                throw mismatch(name, parts[0]->text() + " in " + which, view.text());
            }
            parts.push_back(&view);
        }
        return parts;
    }

    void check_same(const std::string& name, std::span<const TensorView* const> parts) const {
        const auto& first = parts.front()->bytes;
        for (const TensorView* part : parts) {
            if (std::equal(first.begin(), first.end(), part->bytes.begin())) continue;
            throw mismatch(name, "the same values in every shard", "others")
                .hint("the shards do not belong together");
        }
    }

    /// Llama 3 cuts the embedding by tokens, earlier ones by channels: one of the two extents is
    /// that of the norm.
    int axis_of(const std::string& name, Along along, const TensorView& part) const {
        if (along != Along::Embedding) return along == Along::Rows ? 0 : 1;
        const auto norm = shards_.front().find("norm.weight");
        if (norm == shards_.front().end() || norm->second.shape.size() != 1) {
            throw mismatch(name, "a norm.weight beside it", "none");
        }
        return part.shape[1] == norm->second.shape[0] ? 0 : 1;
    }

    std::span<const TensorTable> shards_;
    std::int64_t head_dim_;
    std::string_view where_;
};

/// NN of consolidated.NN.pth.
std::optional<std::size_t> shard_number(const std::string& file) {
    constexpr std::string_view kStart = "consolidated.";
    constexpr std::string_view kEnd = ".pth";
    const std::size_t digits = file.size() - std::min(file.size(), kStart.size() + kEnd.size());
    if (digits < 1 || digits > 4 || !file.starts_with(kStart) || !file.ends_with(kEnd)) {
        return std::nullopt;
    }
    std::size_t number = 0;
    const char* begin = file.data() + kStart.size();
    const auto [end, error] = std::from_chars(begin, begin + digits, number);
    if (error != std::errc{} || end != begin + digits) return std::nullopt;
    return number;
}

bool is_layers_file(const std::string& file) {
    return file.starts_with("layers_") && file.ends_with(".pth");
}

}  // namespace

std::vector<std::filesystem::path> meta_files(const std::filesystem::path& folder) {
    std::map<std::size_t, std::filesystem::path> shards;
    std::vector<std::filesystem::path> layers;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
        const std::string file = entry.path().filename().string();
        if (is_layers_file(file)) layers.push_back(entry.path());
        const auto number = shard_number(file);
        if (!number) continue;
        if (!shards.emplace(*number, entry.path()).second) {
            throw Error::mismatch(core::printable(folder.string()), core::printable(file),
                                  "one file of this number", "two");
        }
    }
    std::sort(layers.begin(), layers.end());
    if (!layers.empty()) return layers;
    std::vector<std::filesystem::path> files;
    const std::filesystem::path whole = folder / "consolidated.safetensors";
    if (shards.empty() && std::filesystem::exists(whole, ignored)) return {whole};
    for (const auto& [number, path] : shards) {
        if (number != files.size()) {
            throw Error::mismatch(core::printable(folder.string()), "consolidated.*.pth",
                                  "a file for each shard from 0 on",
                                  "none of shard " + std::to_string(files.size()))
                .hint("a shard is missing");
        }
        files.push_back(path);
    }
    return files;
}

bool are_whole_tensors(std::span<const TensorTable> files) {
    return std::count_if(files.begin(), files.end(),
                         [](const TensorTable& file) { return file.contains("norm.weight"); }) == 1;
}

TensorTable joined(std::vector<TensorTable> files, std::string_view where) {
    TensorTable all;
    for (TensorTable& file : files) {
        all.merge(file);
        if (file.empty()) continue;
        throw Error::mismatch(where, core::printable(file.begin()->first), "one file that holds it",
                              "two");
    }
    return all;
}

TensorTable meta_tensors(std::span<const TensorTable> shards, std::int64_t head_dim,
                         std::string_view where) {
    core::require(head_dim > 0 && head_dim % 2 == 0, "rotary positions turn pairs");
    core::require(!shards.empty(), "a checkpoint has a file");
    const Assembly assembly(shards, head_dim, where);
    TensorTable tensors;
    for (const TensorTable& shard : shards) {
        for (const auto& [name, view] : shard) {
            if (is_rope_table(name)) continue;
            const Named known = named(name);
            if (known.row == nullptr) {
                throw Error::mismatch(where, core::printable(name),
                                      "a tensor of a Llama, Mistral or Mixtral in Meta's layout",
                                      "an unknown name")
                    .hint("a Hugging Face folder of the same model may work");
            }
            if (tensors.contains(known.name)) continue;
            tensors.emplace(known.name, assembly.whole(name, *known.row));
        }
    }
    // Tied weights are stored once.
    const auto embedding = tensors.find("model.embed_tokens.weight");
    if (embedding != tensors.end()) tensors.emplace("lm_head.weight", embedding->second);
    return tensors;
}

}  // namespace model

#include "model/split.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <map>

#include "core/error.h"
#include "model/deployment.h"
#include "model/device_name.h"
#include "model/head_padding.h"
#include "model/profile.h"

namespace model {
namespace {

using Attention = LayerConfig::Attention;
using FeedForward = LayerConfig::FeedForward;
using Texts = std::vector<std::string>;

constexpr std::int64_t kGalaxyChips = 32;
// model_config.py: padded_vocab_size = 128 * 1024 on 32 chips.
constexpr std::int64_t kGalaxyVocab = 128 * 1024;
// model_config.py: tile_padded_batch_rows.
constexpr std::array<std::int64_t, 6> kBatches{1, 2, 4, 8, 16, 32};
// tt/common.py, get_max_prefill_chunk_size(): MIN_CHUNK_SIZE.
constexpr std::int64_t kChunk = 2048;

template <std::size_t N>
bool is_among(const std::array<std::int64_t, N>& known, std::int64_t value) {
    return std::find(known.begin(), known.end(), value) != known.end();
}

bool is_2d(mesh::Shape shape) { return shape.rows > 1 && shape.cols > 1; }
// Chips that heads and feed-forward channels are divided over; and dim.
std::int64_t heads_over(mesh::Shape shape) { return is_2d(shape) ? shape.rows : shape.chips(); }
std::int64_t dim_over(mesh::Shape shape) { return is_2d(shape) ? shape.cols : shape.chips(); }

std::string remainder(std::int64_t value, std::int64_t divisor) {
    return std::to_string(value) + " % " + std::to_string(divisor);
}

std::string divisible(std::string_view what, std::int64_t value, std::int64_t chips) {
    return std::string(what) + " must be divisible by num_devices: " + remainder(value, chips);
}

// "layer 5", "layers 0-3, 7".
std::string layers_text(const std::vector<std::size_t>& layers) {
    std::string text = layers.size() == 1 ? "layer " : "layers ";
    for (std::size_t i = 0; i < layers.size();) {
        std::size_t last = i;
        while (last + 1 < layers.size() && layers[last + 1] == layers[last] + 1) ++last;
        text += (i > 0 ? ", " : "") + std::to_string(layers[i]);
        if (last > i) text += "-" + std::to_string(layers[last]);
        i = last + 1;
    }
    return text;
}

// A size of every layer; 0 where the layer has none.
using SizeOf = std::function<std::int64_t(const LayerConfig&)>;

// One text for each different size that `says` objects to; sizes that not all layers have are
// followed by those that do.
Texts by_layer(const Config& config, const SizeOf& size_of,
               const std::function<std::string(std::int64_t)>& says) {
    std::map<std::int64_t, std::vector<std::size_t>> sizes;
    const std::vector<LayerConfig> layers = layers_of(config);
    for (std::size_t i = 0; i < layers.size(); ++i) {
        const std::int64_t size = size_of(layers[i]);
        if (size > 0) sizes[size].push_back(i);
    }
    Texts texts;
    for (const auto& [size, where] : sizes) {
        std::string text = says(size);
        if (text.empty()) continue;
        if (sizes.size() > 1) text += " (" + layers_text(where) + ")";
        texts.push_back(std::move(text));
    }
    return texts;
}

void append(Texts& all, Texts more) {
    for (std::string& text : more) all.push_back(std::move(text));
}

Texts indivisible(const Config& config, std::string_view what, const SizeOf& size_of,
                  std::int64_t chips) {
    return by_layer(config, size_of, [&](std::int64_t size) {
        return size % chips == 0 ? std::string() : divisible(what, size, chips);
    });
}

std::int64_t heads_of(const LayerConfig& layer) { return layer.heads; }
// A latent cache is one head that every chip keeps: it is not divided.
std::int64_t kv_heads_of(const LayerConfig& layer) {
    return layer.attention == Attention::Latent ? 0 : layer.kv_heads;
}
// model_config.py: qkv_size = head_dim * (2 * n_kv_heads + n_heads).
std::int64_t qkv_of(const LayerConfig& layer) {
    if (layer.attention == Attention::Latent) return 0;
    const std::int64_t stored = layer.values_are_keys ? 1 : 2;
    return layer.head_dim * (stored * layer.kv_heads + layer.heads);
}
std::int64_t dense_of(const LayerConfig& layer) {
    const bool dense =
        layer.feed_forward == FeedForward::Gated || layer.feed_forward == FeedForward::Plain;
    return dense ? layer.intermediate_size : layer.shared_experts_intermediate_size;
}

// Layers with a state instead of a cache divide its heads.
Texts linear_problems(const Config& config, std::int64_t chips) {
    Texts texts;
    if (!config.linear_attention) return texts;
    const auto check = [&](const char* what, std::int64_t heads) {
        if (heads % chips != 0) texts.push_back(divisible(what, heads, chips));
    };
    check("linear_num_key_heads", config.linear_attention->key_heads);
    check("linear_num_value_heads", config.linear_attention->value_heads);
    return texts;
}

// Experts are cut like any feed-forward, or dealt out whole, as the profile says for each axis.
Texts expert_problems(const Config& config, const fabric::Mesh& mesh, std::string_view software) {
    const Profile profile = software_profile(software, config, mesh);
    std::int64_t widths = 1;
    std::int64_t experts = 1;
    for (const int axis : {0, 1}) {
        const Profile::ExpertsOver over = profile.experts_over[static_cast<std::size_t>(axis)];
        if (over == Profile::ExpertsOver::Width) widths *= mesh.shape.extent(axis);
        if (over == Profile::ExpertsOver::Experts) experts *= mesh.shape.extent(axis);
    }
    const auto width_of = [](const LayerConfig& layer) { return layer.expert_intermediate_size; };
    const auto experts_of = [](const LayerConfig& layer) { return layer.experts; };
    Texts texts = indivisible(config, "moe_intermediate_size", width_of, widths);
    append(texts, indivisible(config, "num_experts", experts_of, experts));
    return texts;
}

// --- the real stack's narrower limits ---

struct Case {
    const Config& config;  // as stored: feed-forwards padded
    const fabric::Mesh& group;
    const SplitQuestion& question;
    mesh::Shape shape() const { return group.shape; }
};

// nlp_create_qkv_heads: tenstorrent/tt-metal #35248.
Texts head_dim_warnings(const Case& c) {
    const auto size = [](const LayerConfig& layer) {
        return layer.attention == Attention::Latent ? 0 : layer.head_dim;
    };
    return by_layer(c.config, size, [](std::int64_t dim) {
        if (dim % tensor::kTileSide == 0) return std::string();
        return "head_dim must be a multiple of 32: " + remainder(dim, tensor::kTileSide) +
               " (nlp_create_qkv_heads gives wrong values)";
    });
}

// model_config.py and attention.py divide heads by cluster_shape[1] whatever they lie on.
Texts column_warnings(const Case& c) {
    if (!is_2d(c.shape())) return {};
    Texts texts = indivisible(c.config, "n_heads", heads_of, c.shape().cols);
    append(texts, indivisible(c.config, "n_kv_heads", kv_heads_of, c.shape().cols));
    return texts;
}

// Shards of the real stack are whole tiles: create_sharded_memory_config, ShardTensor2dMesh.
Texts tile_warnings(const Case& c) {
    const auto in_tiles = [](const char* what, std::int64_t chips) {
        return [what, chips](std::int64_t size) {
            if (size % chips != 0 || size / chips % tensor::kTileSide == 0) return std::string();
            return std::string(what) + " must be divisible by tile size times num_devices: " +
                   remainder(size, chips * tensor::kTileSide);
        };
    };
    Texts texts;
    const std::string dim = in_tiles("dim", dim_over(c.shape()))(c.config.hidden_size);
    if (!dim.empty()) texts.push_back(dim);
    append(texts,
           by_layer(c.config, dense_of, in_tiles("intermediate_size", heads_over(c.shape()))));
    return texts;
}

// model_config.py: the search for lm_head_core_grid.
Texts lm_head_warnings(const Case& c) {
    const std::int64_t dim = c.config.hidden_size;
    if (dim % tensor::kTileSide != 0) {
        return {"Could not find a lm_head_num_rows such that self.dim(=" + std::to_string(dim) +
                ") % (lm_head_num_rows * 8) == 0"};
    }
    if (c.shape().chips() == kGalaxyChips && dim % (32 * 32) != 0) {
        return {"lm_head_num_rows becomes 0 (ZeroDivisionError) on 32 devices: " +
                remainder(dim, 32 * 32)};
    }
    return {};
}

Texts vocabulary_warnings(const Case& c) {
    if (c.shape().chips() != kGalaxyChips || c.config.vocab_size <= kGalaxyVocab) return {};
    return {"padded_vocab_size is 131072 on 32 devices: columns from 131072 to " +
            std::to_string(c.config.vocab_size) + " of the LM head are not stored"};
}

// attention.py, generator.py, tt/common.py.
Texts prefill_warnings(const Case& c) {
    const SplitQuestion& q = c.question;
    if (q.prefill_chunk <= 0 || q.context <= q.prefill_chunk) return {};
    Texts texts;
    if (c.config.sliding_window > 0) {
        texts.emplace_back("Sliding window not supported for chunked prefill SDPA");
    }
    if (q.prefill_chunk % kChunk != 0) {
        texts.push_back("max_prefill_seq_len (" + std::to_string(q.prefill_chunk) +
                        ") must be a multiple of " + std::to_string(kChunk) + ".");
    }
    return texts;
}

// model_config.py; demo/simple_text_demo.py skips other batches on a Galaxy.
Texts batch_warnings(const Case& c) {
    const std::int64_t batch = c.question.batch;
    if (!is_among(kBatches, batch)) {
        return {"Batch size " + std::to_string(batch) + " not supported"};
    }
    if (c.shape().chips() == kGalaxyChips && batch != 1 && batch != 32) {
        return {"Galaxy runs batch 1 or 32 only, not " + std::to_string(batch)};
    }
    return {};
}

// "28 heads and 4 KV heads".
std::string heads_text(std::int64_t heads, std::int64_t kv_heads) {
    return std::to_string(heads) + " heads and " + std::to_string(kv_heads) + " KV heads";
}

// models/tt_transformers/README.md: "If this number is e.g. 14 then you will not be able to run it
// on more than 2 chips. We do not support head-padding".
Texts padding_warnings(const Case& c) {
    const std::vector<LayerConfig> layers = layers_of(c.config);
    for (const LayerConfig& layer : layers) {
        const Unpadded& source = layer.unpadded;
        if (source.heads == 0) continue;
        return {"tt_transformers does not pad heads: " + heads_text(source.heads, source.kv_heads) +
                " are stored as " + heads_text(layer.heads, layer.kv_heads)};
    }
    for (const LayerConfig& layer : layers) {
        const auto splits_over = [&layer](std::int64_t chips) {
            return heads_of(layer) % chips == 0 && kv_heads_of(layer) % chips == 0;
        };
        if (splits_over(heads_over(c.shape()))) continue;
        std::int64_t most = 1;
        for (std::int32_t count = 1; count <= kGalaxyChips; ++count) {
            if (device_name(c.group.system.chip, count) && splits_over(count)) most = count;
        }
        return {heads_text(layer.heads, layer.kv_heads) + " run on at most " +
                std::to_string(most) + (most == 1 ? " chip" : " chips") +
                " of one group: tt_transformers does not pad heads"};
    }
    return {};
}

// determine_device_name() stops at other counts; our runs go on.
Texts device_warnings(const Case& c) {
    if (device_name(c.group)) return {};
    return {"Unsupported number of devices: " + std::to_string(c.group.chip_count()) + " for " +
            mesh::to_text(c.group.system.chip.arch)};
}

Texts limits(const Case& c) {
    Texts texts;
    for (const auto& rule :
         {device_warnings, head_dim_warnings, column_warnings, tile_warnings, lm_head_warnings,
          vocabulary_warnings, prefill_warnings, batch_warnings, padding_warnings}) {
        append(texts, rule(c));
    }
    return texts;
}

// --- grids ---

struct Box {
    std::int64_t rows = 8;
    std::int64_t cols = 8;

    bool holds(std::int64_t cores) const {
        for (std::int64_t r = 1; r <= rows; ++r) {
            if (cores % r == 0 && cores / r <= cols) return true;
        }
        return false;
    }
};

// model_config.py find_grid(): the divisor nearest to 32 that fits the box, the smaller of two.
std::int64_t find_grid(std::int64_t tiles, const Box& box) {
    std::int64_t best = 0;
    for (std::int64_t cores = 1; cores <= box.rows * box.cols && tiles > 0; ++cores) {
        if (tiles % cores != 0 || !box.holds(cores)) continue;
        if (best == 0 || std::abs(cores - 32) < std::abs(best - 32)) best = cores;
    }
    return best;
}

// model_config.py find_grid_k_n(): the largest divisor of both that fits 8 x 8.
std::int64_t find_grid_k_n(std::int64_t k, std::int64_t n) {
    const Box box;
    std::int64_t best = 0;
    for (std::int64_t cores = 1; cores <= box.rows * box.cols && k > 0 && n > 0; ++cores) {
        if (k % cores == 0 && n % cores == 0 && box.holds(cores)) best = cores;
    }
    return best;
}

DecodeGrids decode_grids(const Config& config, const fabric::Mesh& group) {
    const bool wormhole = group.system.chip.arch == mesh::Arch::WormholeB0;
    const Box box = wormhole ? Box{8, 8} : Box{10, 12};  // tree of 2026-05-23
    const std::int64_t chips = group.chip_count();
    const bool galaxy = chips == kGalaxyChips;
    const std::int64_t dim = config.hidden_size / tensor::kTileSide;
    const std::int64_t ffn = config.intermediate_size / chips / tensor::kTileSide;
    DecodeGrids grids;
    grids.norm = find_grid(dim, box);
    grids.gate_up = galaxy ? grids.norm : find_grid_k_n(dim, ffn);
    grids.down = galaxy ? 8 : find_grid_k_n(ffn, dim);  // model_config.py: CoreGrid(y=1, x=8)
    grids.lm_head = lm_head_cores(config.hidden_size, chips);
    return grids;
}

// --- what is padded ---

Texts padding_notes(const Config& config, const Config& stored, const SplitReport& report) {
    Texts notes;
    const std::int64_t zeros = report.padded_vocab - config.vocab_size;
    if (zeros > 0) {
        notes.push_back("vocabulary is padded from " + std::to_string(config.vocab_size) + " to " +
                        std::to_string(report.padded_vocab) + " columns, " + std::to_string(zeros) +
                        " of zeros");
    }
    if (stored.intermediate_size != config.intermediate_size) {
        notes.push_back("intermediate_size is padded from " +
                        std::to_string(config.intermediate_size) + " to " +
                        std::to_string(stored.intermediate_size) + " (PAD_MLP_CORES)");
    }
    return notes;
}

}  // namespace

Texts split_problems(const Config& config, const fabric::Mesh& mesh, std::string_view software) {
    const std::int64_t over = heads_over(mesh.shape);
    Texts problems = indivisible(config, "n_heads", heads_of, over);
    append(problems, indivisible(config, "n_kv_heads", kv_heads_of, over));
    append(problems, indivisible(config, "qkv_size", qkv_of, over));
    append(problems, linear_problems(config, over));
    if (config.hidden_size % dim_over(mesh.shape) != 0) {
        problems.push_back(divisible("dim", config.hidden_size, dim_over(mesh.shape)));
    }
    append(problems, indivisible(config, "intermediate_size", dense_of, over));
    append(problems, expert_problems(config, mesh, software));
    return problems;
}

Texts split_reasons(const Config& config, const fabric::Mesh& group, std::string_view base_model,
                    std::string_view software) {
    Texts reasons = split_problems(config, group, software);
    const std::int64_t chips = group.chip_count();
    const bool two_or_four = base_model == "Qwen2.5-7B" || base_model == "Qwen2.5-VL-7B";
    if (two_or_four && chips != 2 && chips != 4) {
        reasons.emplace_back(
            "Qwen2.5-7B and Qwen2.5-VL-7B is only supported on 2 or 4 devices, run on an N300 or "
            "use MESH_DEVICE=N150x4");
    }
    return reasons;
}

SplitReport split_report(const Config& config, const Precision& precision, const fabric::Mesh& mesh,
                         const SplitQuestion& question) {
    const fabric::Mesh group = data_parallel_groups(mesh, question.dp).front();
    SplitReport report;
    report.tp = group.chip_count();
    report.dp = question.dp;
    report.shape = group.shape;
    const Config stored =
        pad_feed_forward(config, question.base_model, report.tp, question.pad_mlp_cores);
    report.padded_vocab = software_profile(question.software, stored, group).padded_vocab;
    report.padded_intermediate = stored.intermediate_size;
    report.grids = decode_grids(stored, group);
    report.reasons = split_reasons(stored, group, question.base_model, question.software);
    report.warnings = limits({stored, group, question});
    report.notes = padding_notes(config, stored, report);
    // What only the real stack refuses is no matter of another split.
    if (!report.splits()) report.options = split_options(config, precision, mesh, question);
    if (question.limits == SplitQuestion::Limits::Strict) {
        append(report.reasons, std::move(report.warnings));
        report.warnings.clear();
    }
    return report;
}

}  // namespace model

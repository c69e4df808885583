// Heads that do not divide are padded, and nothing that is computed changes.
#include "model/head_padding.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <tuple>

#include "tests/core/temp_folder.h"
#include "tests/model/model_fixture.h"
#include "tests/model/replica_fixture.h"

namespace model::testing {
namespace {

// --- counts and maps ---

TEST(PaddedHeads, take_the_narrowest_projection_that_splits) {
    // heads + 2 x KV heads is what every padded head costs; fewer copies win a tie.
    EXPECT_EQ(padded_heads(14, 14, 8), (HeadCounts{16, 16, 1}));
    EXPECT_EQ(padded_heads(28, 4, 8), (HeadCounts{32, 8, 2}));  // Qwen2.5-7B: 48 instead of 72
    EXPECT_EQ(padded_heads(14, 2, 8), (HeadCounts{16, 8, 4}));  // Qwen2.5-0.5B
    EXPECT_EQ(padded_heads(71, 1, 8), (HeadCounts{72, 8, 8}));  // falcon-7b, one KV head
    EXPECT_EQ(padded_heads(16, 1, 8), (HeadCounts{16, 8, 8}));
    EXPECT_EQ(padded_heads(5, 5, 2), (HeadCounts{6, 6, 1}));
    EXPECT_EQ(padded_heads(9, 3, 4), (HeadCounts{12, 4, 1}));
    EXPECT_EQ(padded_heads(32, 8, 8), (HeadCounts{32, 8, 1}));
    EXPECT_EQ(padded_heads(40, 8, 8), (HeadCounts{40, 8, 1}));
    EXPECT_EQ(padded_heads(7, 1, 1), (HeadCounts{7, 1, 1}));
}

LayerConfig padded_layer(std::int64_t heads, std::int64_t kv_heads, std::int64_t tp) {
    Config config = llama({256, 512, 1, heads, kv_heads});
    return layers_of(pad_heads(config, tp)).at(0);
}

TEST(HeadMap, stores_a_kv_head_twice_for_half_its_queries_each) {
    // 28 and 4 heads on 8 chips: 7 queries of a KV head are 4 on one chip, 3 and a zero on the
    // next.
    const HeadMap map = head_map(padded_layer(28, 4, 8));
    EXPECT_EQ(map.source_heads, 28);
    EXPECT_EQ(map.source_kv_heads, 4);
    EXPECT_EQ(map.kv, (std::vector<std::int32_t>{0, 0, 1, 1, 2, 2, 3, 3}));
    EXPECT_EQ(map.q, (std::vector<std::int32_t>{0,  1,  2,  3,  4,  5,  6,  -1, 7,  8,  9,
                                                10, 11, 12, 13, -1, 14, 15, 16, 17, 18, 19,
                                                20, -1, 21, 22, 23, 24, 25, 26, 27, -1}));
}

TEST(HeadMap, stores_every_query_once_and_beside_its_own_keys) {
    // The law behind equal logits, for every small combination.
    for (std::int64_t kv_heads = 1; kv_heads <= 6; ++kv_heads) {
        for (std::int64_t group = 1; group <= 7; ++group) {
            for (std::int64_t tp : {1, 2, 3, 4, 8}) {
                const std::int64_t heads = kv_heads * group;
                const LayerConfig layer = padded_layer(heads, kv_heads, tp);
                SCOPED_TRACE(::testing::Message() << heads << " " << kv_heads << " on " << tp);
                ASSERT_EQ(layer.heads % tp + layer.kv_heads % tp, 0);
                if (layer.unpadded.heads == 0) continue;
                const HeadMap map = head_map(layer);
                ASSERT_EQ(static_cast<std::int64_t>(map.q.size()), layer.heads);
                ASSERT_EQ(static_cast<std::int64_t>(map.kv.size()), layer.kv_heads);
                const auto per_kv = static_cast<std::size_t>(layer.heads / layer.kv_heads);
                std::vector<int> stored(static_cast<std::size_t>(heads), 0);
                for (std::size_t i = 0; i < map.q.size(); ++i) {
                    if (map.q[i] < 0) continue;
                    ++stored.at(static_cast<std::size_t>(map.q[i]));
                    ASSERT_EQ(map.kv.at(i / per_kv), map.q[i] / group);
                }
                ASSERT_EQ(std::count(stored.begin(), stored.end(), 1), heads);
            }
        }
    }
}

// --- configs ---

TEST(PadHeads, keeps_what_it_was_padded_from) {
    // Reports name both; layers that split already are left alone.
    Config config = llama({3584, 18944, 2, 28, 4});
    EXPECT_FALSE(pad_heads(config, 4).unpadded.has_value());
    const Config padded = pad_heads(config, 8);
    EXPECT_EQ(padded.num_attention_heads, 32);
    EXPECT_EQ(padded.num_key_value_heads, 8);
    ASSERT_TRUE(padded.unpadded.has_value());
    EXPECT_EQ(padded.unpadded->heads, 28);
    EXPECT_EQ(padded.unpadded->kv_heads, 4);
    EXPECT_EQ(padded.head_dim, 128);
    const std::string twice = error_text([&] { pad_heads(padded, 16); });
    EXPECT_NE(twice.find("from 28 to 32"), twice.npos) << twice;
}

TEST(PadHeads, layers_with_other_heads_have_maps_of_their_own) {
    // Of Nemotron's groups of 4, 8 and 16 on eight rows only the last needs copies; equal sizes
    // after padding are not equal layers.
    Config config = llama({8192, 28672, 4, 64, 16});
    config.layers = layers_of(config);
    config.layers[1].kv_heads = 8;
    config.layers[2].kv_heads = 4;
    config.layers[3].attention = LayerConfig::Attention::None;
    config.layers[3].heads = config.layers[3].kv_heads = config.layers[3].head_dim = 0;
    const Config padded = pad_heads(config, 8);
    EXPECT_EQ(padded.layers[0], config.layers[0]);
    EXPECT_EQ(padded.layers[1], config.layers[1]);
    EXPECT_EQ(padded.layers[3], config.layers[3]);
    EXPECT_EQ(padded.layers[2].heads, 64);
    EXPECT_EQ(padded.layers[2].kv_heads, 8);
    EXPECT_NE(padded.layers[2], padded.layers[1]);
    EXPECT_EQ(head_map(padded.layers[2]).kv, (std::vector<std::int32_t>{0, 0, 1, 1, 2, 2, 3, 3}));
    EXPECT_TRUE(head_map(padded.layers[1]).kv.empty());
}

TEST(PadHeads, a_norm_over_all_heads_is_an_obstacle) {
    // The mean square of a wider vector of zeros is another one (OLMo).
    Config config = llama({5120, 27648, 1, 40, 8});
    config.qk_norm = QkNorm::FullWidth;
    const std::string text = error_text([&] { pad_heads(config, 16); });
    EXPECT_NE(text.find("normalized over all heads together"), text.npos) << text;
    EXPECT_NE(text.find("16 chips"), text.npos) << text;
    config.qk_norm = QkNorm::None;
    config.attention_sinks = true;
    EXPECT_TRUE(padding_obstacle(config).has_value());
    config.attention_sinks = false;
    EXPECT_FALSE(padding_obstacle(config).has_value());
    config.layers = layers_of(config);
    config.layers[0].attention = LayerConfig::Attention::Latent;
    EXPECT_TRUE(padding_obstacle(config).has_value());
}

TEST(PaddedIntermediate, follows_pad_mlp_cores) {
    // models/tt_transformers/tt/model_config.py: default_padded_cores and nearest_multiple.
    EXPECT_EQ(padded_intermediate(29568, "Qwen2.5-72B", 8, {}), 32768);
    EXPECT_EQ(padded_intermediate(18944, "Qwen2.5-7B", 2, {}), 19456);
    EXPECT_EQ(padded_intermediate(27648, "QwQ-32B", 8, {}), 28672);
    EXPECT_EQ(padded_intermediate(27648, "Qwen2.5-32B", 8, {}), 28672);
    EXPECT_EQ(padded_intermediate(27648, "Qwen2.5-Coder-32B", 8, {}), 27648);
    EXPECT_EQ(padded_intermediate(14336, "Llama-3.1-8B", 8, {}), 14336);
    EXPECT_EQ(padded_intermediate(18944, "Qwen2.5-7B", 2, 0), 18944);
    EXPECT_EQ(padded_intermediate(14336, "Llama-3.1-8B", 8, 64), 16384);
    EXPECT_EQ(mlp_padding_cores("Qwen2.5-32B", {}, dispatch::Release::R2025), 0);
    EXPECT_EQ(mlp_padding_cores("Qwen2.5-72B", {}, dispatch::Release::R2025), 32);
    const std::string text = error_text([] { mlp_padding_cores("Llama-3.1-8B", -8); });
    EXPECT_NE(text.find("PAD_MLP_CORES"), text.npos) << text;
    EXPECT_NE(text.find("-8"), text.npos) << text;
}

TEST(PadFeedForward, leaves_experts_and_unlisted_models_alone) {
    // Only dense layers have the width that PAD_MLP_CORES pads.
    Config config = llama({4096, 14336, 2, 32, 8});
    EXPECT_FALSE(pad_feed_forward(config, "Llama-3.1-8B", 8, {}).unpadded.has_value());
    config.layers = layers_of(config);
    config.layers[0].feed_forward = LayerConfig::FeedForward::Experts;
    config.layers[0].intermediate_size = 0;
    const Config padded = pad_feed_forward(config, "Llama-3.1-8B", 8, 64);
    EXPECT_EQ(padded.layers[0], config.layers[0]);
    EXPECT_EQ(padded.layers[1].intermediate_size, 16384);
    EXPECT_EQ(source_intermediate(padded.layers[1]), 14336);
    EXPECT_EQ(padded.intermediate_size, 16384);
    EXPECT_EQ(padded.unpadded->intermediate_size, 14336);
}

// --- values ---

/// What of a network the padding has to carry along.
struct Variant {
    const char* name;
    Architecture architecture = Architecture::Llama;
    std::int64_t heads = 0;
    std::int64_t kv_heads = 0;
    QkNorm qk_norm = QkNorm::None;
    bool qkv_bias = false;
    bool tied = false;
};

Config config_of(const Variant& variant) {
    Config config;
    config.architecture = variant.architecture;
    config.hidden_size = 256;
    config.intermediate_size = 256;
    config.num_hidden_layers = 2;
    config.num_attention_heads = variant.heads;
    config.num_key_value_heads = variant.kv_heads;
    config.head_dim = 32;
    config.vocab_size = 128;
    config.max_position_embeddings = 128;
    config.rms_norm_eps = 1e-5;
    config.rope_theta = 10000;
    config.qk_norm = variant.qk_norm;
    config.qkv_bias = config.attention_bias = variant.qkv_bias;
    config.tie_word_embeddings = variant.tied;
    return config;
}

/// A checkpoint of this network with fixed random numbers; logits are of size one.
class MadeCheckpoint {
public:
    explicit MadeCheckpoint(const Config& config) {
        const std::int64_t dim = config.hidden_size;
        const std::int64_t q = config.num_attention_heads * config.head_dim;
        const std::int64_t kv = config.num_key_value_heads * config.head_dim;
        const std::int64_t ffn = config.intermediate_size;
        const bool fused = config.architecture == Architecture::Phi3;
        add("model.embed_tokens.weight", {config.vocab_size, dim});
        for (std::int64_t i = 0; i < config.num_hidden_layers; ++i) {
            const std::string layer = "model.layers." + std::to_string(i) + ".";
            const std::string attention = layer + "self_attn.";
            add(layer + "input_layernorm.weight", {dim});
            add(layer + "post_attention_layernorm.weight", {dim});
            if (fused) {
                add(attention + "qkv_proj.weight", {q + 2 * kv, dim});
                add(layer + "mlp.gate_up_proj.weight", {2 * ffn, dim});
            } else {
                add_projections(attention, q, kv, dim, config);
                add(layer + "mlp.gate_proj.weight", {ffn, dim});
                add(layer + "mlp.up_proj.weight", {ffn, dim});
            }
            add(attention + "o_proj.weight", {dim, q});
            add(layer + "mlp.down_proj.weight", {dim, ffn});
        }
        add("model.norm.weight", {dim});
        if (!config.tie_word_embeddings) add("lm_head.weight", {config.vocab_size, dim});
        const std::string header = header_ + "}";
        std::string file(8, '\0');
        const std::uint64_t length = header.size();
        std::memcpy(file.data(), &length, 8);
        checkpoint_.emplace(
            Checkpoint::open(folder_.write("model.safetensors", file + header + data_)));
    }
    const Checkpoint& get() const { return *checkpoint_; }

private:
    void add_projections(const std::string& prefix, std::int64_t q, std::int64_t kv,
                         std::int64_t dim, const Config& config) {
        const std::vector<std::pair<std::string, std::int64_t>> rows{
            {"q_proj", q}, {"k_proj", kv}, {"v_proj", kv}};
        for (const auto& [name, count] : rows) {
            add(prefix + name + ".weight", {count, dim});
            if (config.qkv_bias) add(prefix + name + ".bias", {count});
        }
        if (config.qk_norm != QkNorm::PerHead) return;
        add(prefix + "q_norm.weight", {config.head_dim});
        add(prefix + "k_norm.weight", {config.head_dim});
    }

    void add(const std::string& name, const std::vector<std::int64_t>& shape) {
        const std::size_t begin = data_.size();
        std::string extents;
        std::int64_t count = 1;
        for (const std::int64_t extent : shape) {
            count *= extent;
            extents += (extents.empty() ? "" : ",") + std::to_string(extent);
        }
        const float scale = shape.size() == 1 ? 1.0F : 2.0F / std::sqrt(static_cast<float>(256));
        for (std::int64_t i = 0; i < count; ++i) {
            const float value = (static_cast<float>(random_() >> 8) * 0x1p-23F - 1.0F) * scale;
            data_.append(reinterpret_cast<const char*>(&value), sizeof value);
        }
        header_ += (header_.size() > 1 ? ",\"" : "\"") + name + R"(":{"dtype":"F32","shape":[)" +
                   extents + R"(],"data_offsets":[)" + std::to_string(begin) + "," +
                   std::to_string(data_.size()) + "]}";
    }

    TempFolder folder_;
    std::string header_ = "{";
    std::string data_;
    std::mt19937 random_{7};
    std::optional<Checkpoint> checkpoint_;
};

/// Logits of a prompt of 40 tokens for user 1 and of three decode steps after it, in fp32.
std::vector<Logits> logits_of(const Config& config, const Checkpoint& checkpoint,
                              std::string_view mesh) {
    Deployment deployment(config, precision_preset("fp32", "", 2), mesh_named(mesh),
                          demo_options(2, 64));
    Replica replica(deployment, checkpoint, Replica::Trace::Off);
    core::require(replica.shortage().empty(), "a small model fits");
    std::vector<std::int32_t> prompt;
    for (std::int32_t i = 0; i < 40; ++i) prompt.push_back(i * 37 % 128);
    std::vector<Logits> all{replica.prefill(1, prompt)};
    for (std::int32_t step = 0; step < 3; ++step) {
        std::vector<std::int32_t> tokens(static_cast<std::size_t>(deployment.slots()), 0);
        std::vector<std::int32_t> positions(tokens.size(), -1);
        tokens[1] = 50 + step;
        positions[1] = 40 + step;
        all.push_back(replica.decode(tokens, positions).at(1));
    }
    return all;
}

double largest_difference(const std::vector<Logits>& a, const std::vector<Logits>& b) {
    core::require(a.size() == b.size(), "both are of as many steps");
    double largest = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        largest = std::max(largest, testing::largest_difference(a[i], b[i]));
    }
    return largest;
}

// Chips sum in another order: logits of size one, some 64 roundings of 2^-24.
constexpr double kTolerance = 1e-5;

struct Trial {
    Variant variant;
    const char* mesh;
};

class PaddedValues : public ::testing::TestWithParam<Trial> {};

TEST_P(PaddedValues, are_those_of_the_network_as_it_was) {
    // Prefill and decode on the mesh against one chip without padding; and the padded network on
    // one chip, where only zeros are added: the same bits.
    const Trial& trial = GetParam();
    const Config config = config_of(trial.variant);
    const MadeCheckpoint made(config);
    const mesh::Shape shape = mesh_named(trial.mesh).shape;
    const std::int64_t rows = shape.rows > 1 ? shape.rows : shape.cols;
    const Config padded = pad_heads(config, rows);
    ASSERT_TRUE(padded.unpadded.has_value());
    const std::vector<Logits> expected = logits_of(config, made.get(), "n150");
    EXPECT_LE(largest_difference(logits_of(padded, made.get(), trial.mesh), expected), kTolerance);
    EXPECT_EQ(logits_of(padded, made.get(), "n150"), expected);
}

constexpr Variant kPlain14{.name = "heads_14_14", .heads = 14, .kv_heads = 14};
constexpr Variant kPlain5{.name = "heads_5_5", .heads = 5, .kv_heads = 5, .tied = true};
constexpr Variant kQwen28{.name = "qwen2_28_4",
                          .architecture = Architecture::Qwen2,
                          .heads = 28,
                          .kv_heads = 4,
                          .qkv_bias = true};
constexpr Variant kQwen3{.name = "qwen3_9_3",
                         .architecture = Architecture::Qwen3,
                         .heads = 9,
                         .kv_heads = 3,
                         .qk_norm = QkNorm::PerHead,
                         .tied = true};
constexpr Variant kPhi3{
    .name = "phi3_6_2", .architecture = Architecture::Phi3, .heads = 6, .kv_heads = 2};
constexpr Variant kOneKv{.name = "one_kv_head", .heads = 7, .kv_heads = 1};

INSTANTIATE_TEST_SUITE_P(
    Meshes, PaddedValues,
    ::testing::Values(Trial{kPlain14, "t3k"}, Trial{kPlain5, "n300"}, Trial{kQwen28, "t3k"},
                      Trial{kQwen3, "n150x4"}, Trial{kPhi3, "t3k"}, Trial{kOneKv, "t3k"},
                      Trial{kOneKv, "n300"}, Trial{kQwen3, "t3k:2x4"}, Trial{kQwen28, "galaxy"}),
    [](const ::testing::TestParamInfo<Trial>& one) {
        std::string name = std::string(one.param.variant.name) + "_" + one.param.mesh;
        std::replace(name.begin(), name.end(), ':', '_');
        return name;
    });

TEST(PaddedNetwork, of_a_feed_forward_are_those_of_the_network_as_it_was) {
    // silu(0) x 0 is 0 and meets zero rows of w2; with the fused projection of Phi-3 too.
    for (const Variant& variant :
         {Variant{.name = "", .heads = 8, .kv_heads = 8},
          Variant{.name = "", .architecture = Architecture::Phi3, .heads = 8, .kv_heads = 8}}) {
        const Config config = config_of(variant);
        const MadeCheckpoint made(config);
        const Config padded = pad_feed_forward(config, "", 8, 3);
        ASSERT_EQ(padded.intermediate_size, 768);
        const std::vector<Logits> expected = logits_of(config, made.get(), "n150");
        EXPECT_LE(largest_difference(logits_of(padded, made.get(), "t3k"), expected), kTolerance);
    }
}

TEST(PaddedNetwork, queries_beside_other_keys_are_told_apart) {
    // The comparison above must fail when a map is wrong: here KV heads are stored once, so that
    // half of the queries meet the next head's keys or zeros.
    const Config config = config_of(kQwen28);
    const MadeCheckpoint made(config);
    Config wrong = pad_heads(config, 8);
    for (LayerConfig& layer : wrong.layers) layer.unpadded.kv_copies = 1;
    EXPECT_GT(largest_difference(logits_of(wrong, made.get(), "n150"),
                                 logits_of(config, made.get(), "n150")),
              0.01);
}

}  // namespace
}  // namespace model::testing

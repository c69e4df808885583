// Every family of networks at the level of sizes: the graphs of the config.json files of real
// models (models/configs) hold the parameters of their checkpoints, partition on meshes their heads
// divide, and are planned to the byte; what is not computed is named.
// Parameters are those of the text part, without prediction layers; a tied LM head counts once.
#include <map>
#include <set>

#include "model/not_computed.h"
#include "model/split.h"
#include "tests/model/model_fixture.h"

namespace model::testing {
namespace {

const std::filesystem::path& configs() {
    static const std::filesystem::path folder = project_file("models/configs");
    return folder;
}

Config published(const std::string& folder) { return load_config(configs() / folder); }

std::vector<std::string> all_folders() {
    std::vector<std::string> folders;
    for (const auto& entry : std::filesystem::directory_iterator(configs())) {
        if (entry.is_directory()) folders.push_back(entry.path().filename().string());
    }
    std::sort(folders.begin(), folders.end());
    return folders;
}

Precision formats_of(const Config& config, const std::string& folder) {
    return precision_preset("performance", base_model_name(folder),
                            static_cast<std::int32_t>(config.num_hidden_layers));
}

StepShape small_step() {
    StepShape shape;
    shape.users = 32;
    shape.blocks = 32;
    return shape;
}

/// How often each value of the graph exists: a per-layer value once in every layer of its block.
std::map<tensor::ValueId, std::int64_t> uses(const tensor::Graph& graph) {
    std::map<tensor::ValueId, std::int64_t> count;
    for (const tensor::Block& block : graph.blocks) {
        for (const tensor::Node& node : block.nodes) {
            for (const tensor::ValueId id : node.inputs) {
                count[id] = graph.value(id).per_layer ? block.repeat : 1;
            }
        }
    }
    return count;
}

std::int64_t parameters(const Config& config, const tensor::Graph& graph) {
    std::int64_t sum = 0;
    for (const auto& [id, count] : uses(graph)) {
        const tensor::Value& value = graph.value(id);
        const bool tied = value.role == tensor::Role::WeightLmHead && config.tie_word_embeddings;
        const bool stored = value.kind == tensor::ValueKind::Weight;
        if (!stored || tied || value.role == tensor::Role::RopeTable) continue;
        sum += count * value.spec.shape.elements();
    }
    return sum;
}

std::int64_t parameters_of(const std::string& folder) {
    const Config config = published(folder);
    return parameters(config, build_prefill(config, formats_of(config, folder), small_step()));
}

/// The text part of a checkpoint as published.
struct Total {
    const char* folder;
    std::int64_t parameters;
};

// Parameters that the pages of the models on huggingface.co count in the safetensors files. Of
// gemma-3-27b-it 27,432,406,640 less vision tower (416,866,032) and projector (6,194,304); of
// Qwen3-0.6B and -1.7B less the copy of the embedding stored as lm_head; of DeepSeek-V3 less its
// prediction layer; falcon-40b counts its embedding once; Qwen3-VL: the text is as Qwen3-4B, -32B.
constexpr Total kTotals[] = {
    {"DeepSeek-R1-Distill-Llama-70B", 70'553'706'496},
    {"DeepSeek-V3", 671'026'419'200},
    {"EXAONE-4.0-32B", 32'003'216'384},
    {"Llama-3.1-405B", 405'853'388'800},
    {"Llama-3.1-70B-Instruct", 70'553'706'496},
    {"Llama-3.1-8B-Instruct", 8'030'261'248},
    {"Llama-3.2-1B-Instruct", 1'235'814'400},
    {"Llama-3.2-3B-Instruct", 3'212'749'824},
    {"Llama-3.3-70B-Instruct", 70'553'706'496},
    {"Mistral-7B-Instruct-v0.3", 7'248'023'552},
    {"Mixtral-8x22B-v0.1", 140'620'634'112},
    {"Mixtral-8x7B-v0.1", 46'702'792'704},
    {"Phi-3-mini-128k-instruct", 3'821'079'552},
    {"Phi-3.5-vision-instruct", 3'821'079'552},
    {"Qwen2.5-32B-Instruct", 32'763'876'352},
    {"Qwen2.5-72B-Instruct", 72'706'203'648},
    {"Qwen2.5-7B-Instruct", 7'615'616'512},
    {"Qwen2.5-Coder-32B-Instruct", 32'763'876'352},
    {"Qwen3-0.6B", 596'049'920},
    {"Qwen3-1.7B", 1'720'574'976},
    {"Qwen3-235B-A22B", 235'093'634'560},
    {"Qwen3-30B-A3B", 30'532'122'624},
    {"Qwen3-32B", 32'762'123'264},
    {"Qwen3-8B", 8'190'735'360},
    {"Qwen3-VL-32B-Instruct", 32'762'123'264},
    {"Qwen3-VL-4B-Instruct", 4'022'468'096},
    {"falcon-40b", 41'303'293'952},
    {"gemma-3-27b-it", 27'009'346'304},
    {"gpt-oss-120b", 116'829'156'672},
    {"gpt-oss-20b", 20'914'757'184},
    {"phi-4", 14'659'507'200},
};

// Known to a percent: rounded on the model card, or the whole of a checkpoint less a vision tower
// or a prediction layer whose size is rounded (Llama-3.2 vision: 10.67 and 88.59 in all with 0.89
// and 0.92 of them for the image; MiMo: 7.83 with its prediction layer).
constexpr Total kRounded[] = {
    {"Llama-3.2-11B-Vision-Instruct", 9'780'000'000},
    {"Llama-3.2-90B-Vision-Instruct", 87'670'000'000},
    {"Llama-3_3-Nemotron-Super-49B-v1", 49'870'000'000},
    {"MiMo-7B-Base", 7'620'000'000},
    {"Olmo-3.1-32B-Instruct", 32'200'000'000},
    {"Phi-mini-MoE-instruct", 7'650'000'000},
    {"Qwen3.5-27B", 26'900'000'000},
    {"gemma-4-26B-A4B", 25'200'000'000},
};

TEST(Families, weights_are_the_parameters_of_the_checkpoint_to_the_last_one) {
    // A norm or a bias of a single layer that is missing would show.
    for (const Total& row : kTotals) {
        EXPECT_EQ(parameters_of(row.folder), row.parameters) << row.folder;
    }
}

TEST(Families, weights_are_the_parameters_of_the_name_plate_where_only_that_is_known) {
    // A matrix that is missing would show.
    std::set<std::string> known;
    for (const Total& row : kTotals) known.insert(row.folder);
    for (const Total& row : kRounded) {
        known.insert(row.folder);
        const auto published_size = static_cast<double>(row.parameters);
        EXPECT_NEAR(static_cast<double>(parameters_of(row.folder)), published_size,
                    0.01 * published_size)
            << row.folder;
    }
    const std::vector<std::string> folders = all_folders();
    EXPECT_EQ(known, std::set<std::string>(folders.begin(), folders.end()));
}

// --- what is not computed ---

std::set<std::string> opaque_parts(const tensor::Graph& graph) {
    std::set<std::string> parts;
    for (const tensor::Block& block : graph.blocks) {
        for (const tensor::Node& node : block.nodes) {
            if (const auto* op = std::get_if<tensor::Opaque>(&node.op)) parts.insert(op->what);
        }
    }
    return parts;
}

const std::set<std::string>& opaque_names() {
    static const std::set<std::string> names{kLayerNorm,       kCrossAttention, kLatentAttention,
                                             kLinearAttention, kAttentionSinks, kOutputGate,
                                             kValuesFromKeys,  kLayerScales,    kFullWidthNorm};
    return names;
}

TEST(Families, what_a_graph_leaves_open_is_what_the_list_says) {
    // The list and the graph are made by different code: neither may know more than the other.
    std::set<std::string> seen;
    for (const std::string& folder : all_folders()) {
        SCOPED_TRACE(folder);
        const Config config = published(folder);
        const tensor::Graph graph = build_decode(config, formats_of(config, folder), small_step());
        std::set<std::string> listed;
        for (const std::string& part : not_computed(config)) {
            if (opaque_names().contains(part)) listed.insert(part);
        }
        EXPECT_EQ(opaque_parts(graph), listed);
        EXPECT_EQ(support(config) == Support::Runs, not_computed(config).empty());
        seen.insert(listed.begin(), listed.end());
    }
    EXPECT_EQ(seen, opaque_names());
}

TEST(Families, a_network_that_is_not_computed_is_planned_but_does_not_run) {
    // The message names the architecture, and what is missing.
    const Config config = published("Qwen3.5-27B");
    Deployment deployment(config, formats_of(config, "Qwen3.5-27B"), mesh_named("n300"), {});
    EXPECT_GT(deployment.decode()->command_count(), 100);
    const std::string text =
        error_text([&] { Replica(deployment, demo_checkpoint(), Replica::Trace::Off); });
    EXPECT_NE(text.find("got \"Qwen3_5ForConditionalGeneration\""), text.npos) << text;
    EXPECT_NE(text.find(kLinearAttention), text.npos) << text;
}

// --- layers ---

const tensor::Value* find_value(const tensor::Graph& graph, std::string_view name,
                                std::int32_t layer) {
    for (const tensor::Block& block : graph.blocks) {
        if (layer < block.first_layer || layer >= block.first_layer + block.repeat) continue;
        for (const tensor::Node& node : block.nodes) {
            for (const tensor::ValueId id : node.inputs) {
                if (graph.value(id).name == name) return &graph.value(id);
            }
        }
    }
    return nullptr;
}

std::string shape_of(const tensor::Graph& graph, std::string_view name, std::int32_t layer) {
    const tensor::Value* value = find_value(graph, name, layer);
    return value == nullptr ? "none" : value->spec.shape.text();
}

tensor::Graph decode_of(const std::string& folder) {
    const Config config = published(folder);
    return build_decode(config, formats_of(config, folder), small_step());
}

std::vector<std::string> nodes_of(const tensor::Graph& graph, std::int32_t layer) {
    std::vector<std::string> names;
    for (const tensor::Block& block : graph.blocks) {
        if (layer < block.first_layer || layer >= block.first_layer + block.repeat) continue;
        for (const tensor::Node& node : block.nodes) names.push_back(node.name);
    }
    return names;
}

TEST(Families, layers_of_one_network_have_caches_and_positions_of_their_own) {
    // Gemma 4: layers 0-4 slide with 8 heads of 256, layer 5 sees all with 2 of 512.
    const tensor::Graph graph = decode_of("gemma-4-26B-A4B");
    EXPECT_EQ(shape_of(graph, "layers.attention.k_cache", 4), "[32, 8, 1024, 256]");
    EXPECT_EQ(shape_of(graph, "layers.attention.k_cache", 5), "[32, 2, 1024, 512]");
    EXPECT_EQ(shape_of(graph, "rope.local.256.cos.transpose", 4), "[32, 1, 256]");
    EXPECT_EQ(shape_of(graph, "rope.cos.transpose", 5), "[32, 1, 512]");
    // 16 heads of 512 and 2 kv heads; values are made of keys.
    EXPECT_EQ(shape_of(graph, "layers.attention.wqkv", 5), "[2816, 9216]");
    EXPECT_EQ(shape_of(graph, "layers.attention.wqkv", 4), "[2816, 8192]");
}

TEST(Families, outputs_are_normalized_where_the_architecture_does_so) {
    // Gemma 3 before and after each block, OLMo and EXAONE after it alone.
    const std::vector<std::string> gemma = nodes_of(decode_of("gemma-3-27b-it"), 0);
    const auto norms = [](const std::vector<std::string>& nodes) {
        std::vector<std::string> found;
        for (const std::string& name : nodes) {
            if (name.starts_with("attention_") || name.starts_with("ffn_")) found.push_back(name);
        }
        return found;
    };
    EXPECT_EQ(norms(gemma), (std::vector<std::string>{"attention_norm", "attention_output_norm",
                                                      "ffn_norm", "ffn_output_norm"}));
    for (const char* folder : {"Olmo-3.1-32B-Instruct", "EXAONE-4.0-32B"}) {
        EXPECT_EQ(norms(nodes_of(decode_of(folder), 0)),
                  (std::vector<std::string>{"attention_output_norm", "ffn_output_norm"}))
            << folder;
    }
    // EXAONE turns the heads of sliding layers alone; layer 3 is the first that sees all.
    const auto turns = [](const std::vector<std::string>& nodes) {
        return std::count(nodes.begin(), nodes.end(), "attention.rope_q");
    };
    const tensor::Graph exaone = decode_of("EXAONE-4.0-32B");
    EXPECT_EQ(turns(nodes_of(exaone, 2)), 1);
    EXPECT_EQ(turns(nodes_of(exaone, 3)), 0);
}

TEST(Families, norms_of_outputs_are_gathered_and_cut_on_one_axis) {
    // distributed_norm.py ends with an all-gather; the stream takes each chip's part of it again.
    const Config config = published("gemma-3-27b-it");
    const auto labels = [&](const char* mesh) {
        Deployment deployment(config, formats_of(config, "gemma-3-27b-it"), mesh_named(mesh),
                              demo_options(1));
        const auto program = deployment.prefill(128, StepShape::Chunk::First);
        std::multiset<std::string> found;
        for (const dispatch::Command& command : program->segments.at(1).commands) {
            found.insert(command.label);
        }
        return found;
    };
    const auto eight = labels("t3k");
    for (const std::string norm : {"attention_output_norm", "ffn_output_norm"}) {
        EXPECT_EQ(eight.count(norm + ".stats.all_gather"), 1u) << norm;
        EXPECT_EQ(eight.count(norm + ".all_gather"), 1u) << norm;
        EXPECT_EQ(eight.count(norm + ".partition"), 1u) << norm;
        // 32 chips gather the statistics alone.
        EXPECT_EQ(labels("galaxy").count(norm + ".partition"), 0u) << norm;
    }
}

TEST(Families, a_falcon_without_groups_of_heads_has_one_norm_per_layer) {
    // tiiuae/falcon-7b: 7,217,189,760 parameters with the copy of its embedding (65024 x 4544).
    const Config config = parse_config(R"({"architectures": ["FalconForCausalLM"],
        "hidden_size": 4544, "num_hidden_layers": 32, "num_attention_heads": 71,
        "vocab_size": 65024, "multi_query": true, "parallel_attn": true, "bias": false,
        "new_decoder_architecture": false})",
                                       "falcon-7b");
    const tensor::Graph graph = build_decode(config, formats_of(config, "falcon-7b"), small_step());
    EXPECT_EQ(parameters(config, graph), 7'217'189'760 - 65024 * 4544);
}

TEST(Families, a_search_may_leave_a_layer_without_attention) {
    // Nemotron: block_configs[6] has no attention; its layer keeps no cache.
    const Config config = published("Llama-3_3-Nemotron-Super-49B-v1");
    const tensor::Graph graph = decode_of("Llama-3_3-Nemotron-Super-49B-v1");
    std::int32_t without = 0;
    for (std::int32_t layer = 0; layer < graph.layers; ++layer) {
        const bool none = config.layers[static_cast<std::size_t>(layer)].attention ==
                          LayerConfig::Attention::None;
        const bool cache = find_value(graph, "layers.attention.k_cache", layer) != nullptr;
        EXPECT_NE(none, cache) << layer;
        without += none ? 1 : 0;
    }
    EXPECT_GT(without, 0);
}

TEST(Families, a_network_of_which_nothing_is_left_is_an_error) {
    // Its stream would go from the embedding to the LM head through no layer.
    Config config = llama(kLlama3B);
    config.layers.resize(static_cast<std::size_t>(config.num_hidden_layers));
    for (LayerConfig& layer : config.layers) {
        layer.attention = LayerConfig::Attention::None;
        layer.feed_forward = LayerConfig::FeedForward::None;
    }
    const std::string text =
        error_text([&] { build_decode(config, formats_of(config, "made"), small_step()); });
    EXPECT_NE(text.find("block_configs"), text.npos) << text;
    // One layer is enough.
    config.layers[5].feed_forward = LayerConfig::FeedForward::Replaced;
    const tensor::Graph graph = build_decode(config, formats_of(config, "made"), small_step());
    EXPECT_EQ(graph.blocks.size(), 3U);
    EXPECT_EQ(nodes_of(graph, 5).front(), "ffn_norm");
}

TEST(Families, caches_that_are_not_of_heads_have_the_sizes_of_the_real_stack) {
    // mla1d.py: one row of kv_lora_rank + qk_rope_head_dim for all heads; setup_cache of the vision
    // demo: 4 chunks of 1601 tokens, each padded to 1632; Qwen3.5: 48 heads of 128 x 128.
    EXPECT_EQ(shape_of(decode_of("DeepSeek-V3"), "layers.attention.kvpe_cache", 7),
              "[32, 1, 1024, 576]");
    EXPECT_EQ(shape_of(decode_of("Llama-3.2-11B-Vision-Instruct"), "layers.attention.v_cache", 3),
              "[32, 8, 6528, 128]");
    const tensor::Graph qwen = decode_of("Qwen3.5-27B");
    EXPECT_EQ(shape_of(qwen, "layers.attention.rule_state", 0), "[32, 48, 128, 128]");
    EXPECT_EQ(shape_of(qwen, "layers.attention.conv_state", 0), "[3, 32, 10240]");
    EXPECT_EQ(shape_of(qwen, "layers.attention.rule_state", 3), "none");
    EXPECT_EQ(shape_of(qwen, "layers.attention.k_cache", 3), "[32, 4, 1024, 256]");
}

// --- meshes ---

/// Whether the heads of every layer go into whole heads per chip.
bool heads_divide(const Config& config, const fabric::Mesh& mesh) {
    const bool grid = mesh.shape.rows > 1 && mesh.shape.cols > 1;
    const std::int64_t chips = grid ? mesh.shape.rows : mesh.chip_count();
    for (const LayerConfig& layer : config.layers) {
        if (layer.heads % chips != 0 || layer.kv_heads % chips != 0) return false;
    }
    return split_problems(config, mesh).empty();
}

class OnMeshes : public ::testing::TestWithParam<const char*> {};

TEST_P(OnMeshes, every_network_whose_heads_divide_is_planned) {
    // Decode and prefill programs; then every buffer is placed, or the one that is not is named.
    const fabric::Mesh mesh = mesh_named(GetParam());
    int planned = 0;
    for (const std::string& folder : all_folders()) {
        SCOPED_TRACE(folder);
        const Config config = published(folder);
        if (!heads_divide(config, mesh)) continue;
        DeploymentOptions options;
        options.batch = 4;
        options.prefill_chunk = 512;  // the second chunk of a prompt is another program
        Deployment deployment(config, formats_of(config, folder), mesh, options);
        const dispatch::MemoryPlan plan = deployment.plan_memory();
        EXPECT_EQ(plan.fits(), plan.failed_buffer.empty());
        ++planned;
    }
    EXPECT_GT(planned, 20);
}

INSTANTIATE_TEST_SUITE_P(Shapes, OnMeshes,
                         ::testing::Values("n150", "n300", "t3k", "t3k:2x4", "galaxy"), mesh_text);

core::Bytes cache_bytes(const std::string& folder, const char* mesh, std::int64_t batch) {
    const Config config = published(folder);
    DeploymentOptions options;
    options.batch = batch;
    const Deployment deployment(config, formats_of(config, folder), mesh_named(mesh), options);
    core::Bytes sum{};
    for (const dispatch::Buffer& buffer : deployment.decode()->buffers) {
        if (buffer.owner != dispatch::Owner::KvCache) continue;
        sum += buffer.spec.bytes() * buffer.instances;
    }
    return sum;
}

TEST(Families, latent_rows_are_on_every_chip_and_states_are_cut_by_heads) {
    // Per chip, 8 users of 1024 positions. DeepSeek-V3: 61 layers of 32 x 18 tiles of bfp8 each.
    const std::int64_t tile = tensor::tile_bytes(tensor::DType::BFloat8_b).value;
    EXPECT_EQ(cache_bytes("DeepSeek-V3", "n150", 8).value, 61 * 8 * 32 * 18 * tile);
    EXPECT_EQ(cache_bytes("DeepSeek-V3", "t3k", 8), cache_bytes("DeepSeek-V3", "n150", 8));
    // The users of a Galaxy are spread over its four columns.
    EXPECT_EQ(cache_bytes("DeepSeek-V3", "galaxy", 8) * 4, cache_bytes("DeepSeek-V3", "n150", 8));
    EXPECT_EQ(cache_bytes("Qwen3.5-27B", "n150x4", 32) * 4, cache_bytes("Qwen3.5-27B", "n150", 32));
    EXPECT_EQ(cache_bytes("Llama-3.2-11B-Vision-Instruct", "t3k", 8) * 8,
              cache_bytes("Llama-3.2-11B-Vision-Instruct", "n150", 8));
}

}  // namespace
}  // namespace model::testing

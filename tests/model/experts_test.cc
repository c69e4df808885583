// Layers with a router and experts: their graphs, where their weights go, and that what a mesh
// computes depends on none of it.
#include <map>

#include "tests/model/agreement_fixture.h"
#include "tests/model/made_checkpoint.h"

namespace model::testing {
namespace {

using tensor::Experts;
using tensor::Role;

Config published(std::string_view folder) {
    return load_config(project_file("models/configs") / folder);
}

tensor::Graph graph_of(const Config& config, std::int64_t users = 32) {
    StepShape shape;
    shape.users = shape.blocks = users;
    const auto layers = static_cast<std::int32_t>(config.num_hidden_layers);
    return build_decode(config, precision_preset("performance", "", layers), shape);
}

const tensor::Node* node_named(const tensor::Graph& graph, std::string_view name) {
    for (const tensor::Block& block : graph.blocks) {
        for (const tensor::Node& node : block.nodes) {
            if (node.name == name) return &node;
        }
    }
    return nullptr;
}

template <class Op>
Op op_of(const tensor::Graph& graph, std::string_view name) {
    const tensor::Node* node = node_named(graph, name);
    core::require(node != nullptr && std::holds_alternative<Op>(node->op), "the node is there");
    return std::get<Op>(node->op);
}

std::vector<tensor::Value> inputs_of(const tensor::Graph& graph, std::string_view name) {
    std::vector<tensor::Value> values;
    const tensor::Node* node = node_named(graph, name);
    core::require(node != nullptr, "the node is there");
    for (const tensor::ValueId id : node->inputs) values.push_back(graph.value(id));
    return values;
}

TEST(ExpertsGraph, a_layer_of_mixtral_is_router_choice_and_experts) {
    // config.json of mistralai/Mixtral-8x7B-v0.1: 8 experts of 14336 columns, 2 for each token.
    const tensor::Graph graph = graph_of(published("Mixtral-8x7B-v0.1"));
    std::vector<std::string> names;
    for (const tensor::Node& node : graph.blocks[1].nodes) names.push_back(node.name);
    EXPECT_EQ(std::vector<std::string>(names.end() - 5, names.end()),
              (std::vector<std::string>{"ffn_norm", "feed_forward.router", "feed_forward.route",
                                        "feed_forward.experts", "feed_forward.residual_add"}));
    const std::vector<tensor::Value> in = inputs_of(graph, "feed_forward.experts");
    ASSERT_EQ(in.size(), 5u);
    EXPECT_EQ(in[1].spec.shape.text(), "[32, 8]");
    EXPECT_EQ(in[1].spec.dtype, tensor::DType::BFloat16);
    EXPECT_EQ(in[2].spec.shape.text(), "[8, 4096, 14336]");
    EXPECT_EQ(in[4].spec.shape.text(), "[8, 14336, 4096]");
    EXPECT_EQ(in[2].sources[0].tensor,
              "model.layers.{layer}.block_sparse_moe.experts.{expert}.w1.weight");
    EXPECT_EQ(in[3].sources[0].tensor,
              "model.layers.{layer}.block_sparse_moe.experts.{expert}.w3.weight");
    EXPECT_EQ(in[4].sources[0].tensor,
              "model.layers.{layer}.block_sparse_moe.experts.{expert}.w2.weight");
    const Experts experts = op_of<Experts>(graph, "feed_forward.experts");
    EXPECT_EQ(experts.experts, 8);
    EXPECT_EQ(experts.top_k, 2);
    const auto route = op_of<tensor::Route>(graph, "feed_forward.route");
    EXPECT_EQ(route.scores, tensor::Route::Scores::SoftmaxThenTopK);
    EXPECT_EQ(route.normalize, tensor::Route::Normalize::Yes);
    EXPECT_EQ(route.scale, 1.0F);
}

TEST(ExpertsGraph, each_family_has_its_own_routing_and_parts) {
    // Sizes and rules of config.json; biases and shared experts are weights that must fit too.
    const tensor::Graph qwen = graph_of(published("Qwen3-30B-A3B"));
    EXPECT_EQ(op_of<tensor::Route>(qwen, "feed_forward.route").top_k, 8);
    EXPECT_EQ(inputs_of(qwen, "feed_forward.experts")[2].sources[0].tensor,
              "model.layers.{layer}.mlp.experts.{expert}.gate_proj.weight");

    const tensor::Graph oss = graph_of(published("gpt-oss-20b"));
    EXPECT_EQ(op_of<tensor::Route>(oss, "feed_forward.route").scores,
              tensor::Route::Scores::TopKThenSoftmax);
    const std::vector<tensor::Value> biased = inputs_of(oss, "feed_forward.experts");
    ASSERT_EQ(biased.size(), 8u);
    EXPECT_EQ(biased[5].spec.shape.text(), "[32, 2880]");
    EXPECT_EQ(biased[7].role, Role::BiasExpertsDown);
    EXPECT_EQ(inputs_of(oss, "feed_forward.router").size(), 3u);

    const tensor::Graph deepseek = graph_of(published("DeepSeek-V3"));
    const auto route = op_of<tensor::Route>(deepseek, "feed_forward.route");
    EXPECT_EQ(route.scores, tensor::Route::Scores::SigmoidThenTopK);
    EXPECT_EQ(route.scale, 2.5F);
    EXPECT_EQ(inputs_of(deepseek, "feed_forward.route").size(), 2u);
    EXPECT_EQ(inputs_of(deepseek, "feed_forward.shared.w1")[1].spec.shape.text(), "[7168, 2048]");
    EXPECT_EQ(inputs_of(deepseek, "feed_forward.shared_add").size(), 2u);
    EXPECT_EQ(deepseek.blocks[1].repeat, 3);  // its first three layers are dense
    EXPECT_EQ(inputs_of(deepseek, "feed_forward.w1")[1].spec.shape.text(), "[7168, 18432]");
}

TEST(ExpertsGraph, feed_forwards_without_a_gate_have_two_matrices_or_one) {
    // Falcon's gelu between two; DeciLM's layers that kept one matrix, or nothing.
    const tensor::Graph falcon = graph_of(published("falcon-40b"));
    EXPECT_EQ(op_of<tensor::Activate>(falcon, "feed_forward.activation").activation,
              tensor::Activation::Gelu);
    EXPECT_EQ(inputs_of(falcon, "feed_forward.w1")[1].spec.shape.text(), "[8192, 32768]");
    EXPECT_EQ(inputs_of(falcon, "feed_forward.w2")[1].spec.shape.text(), "[32768, 8192]");
    EXPECT_EQ(node_named(falcon, "feed_forward.w3"), nullptr);

    Config config = published("Llama-3.2-1B-Instruct");
    config.layers.resize(2);
    config.num_hidden_layers = 2;
    config.layers[0].feed_forward = LayerConfig::FeedForward::Replaced;
    config.layers[1].feed_forward = LayerConfig::FeedForward::None;
    const tensor::Graph searched = graph_of(config);
    EXPECT_EQ(inputs_of(searched, "feed_forward.linear")[1].spec.shape.text(), "[2048, 2048]");
    EXPECT_EQ(searched.blocks[2].nodes.back().name, "attention.residual_add");
}

// --- where the weights go ---

Profile profile_of(std::string_view folder, std::string_view mesh) {
    return software_profile("tt-transformers", published(folder), mesh_named(mesh));
}

TEST(ExpertsPlacement, follows_the_published_mixtral_and_divides_whole_tiles_else) {
    // mixtral_mlp.py: ShardTensorToMesh(dim=0) over eight chips; other meshes share the columns.
    using Over = Profile::ExpertsOver;
    const Profile eight = profile_of("Mixtral-8x7B-v0.1", "t3k");
    EXPECT_EQ(eight.experts_over[1], Over::Experts);
    EXPECT_EQ(eight.expert_rows, Experts::Rows::All);
    EXPECT_EQ(placement_of(eight, Role::WeightExpertsDown, tensor::Phase::Decode)[1],
              tensor::Placement::sharded(0));
    EXPECT_EQ(weight_memory(eight, Role::WeightExpertsDown).layout,
              dispatch::MemoryLayout::DramWidthSharded);
    const Profile four = profile_of("Mixtral-8x7B-v0.1", "n150x4");
    EXPECT_EQ(four.expert_rows, Experts::Rows::Chosen);
    EXPECT_EQ(placement_of(four, Role::WeightExpertsGateUp, tensor::Phase::Decode)[1],
              tensor::Placement::sharded(2));
    EXPECT_EQ(placement_of(four, Role::WeightExpertsDown, tensor::Phase::Decode)[1],
              tensor::Placement::sharded(1));
    EXPECT_EQ(weight_memory(four, Role::WeightExpertsDown).layout,
              dispatch::MemoryLayout::Interleaved);
    // 2880 columns are 90 tiles: not over 8 chips, so 32 experts are.
    EXPECT_EQ(profile_of("gpt-oss-20b", "t3k").experts_over[1], Over::Experts);
    EXPECT_EQ(profile_of("gpt-oss-20b", "n300").experts_over[1], Over::Width);
    EXPECT_EQ(profile_of("gpt-oss-20b", "galaxy").experts_over,
              (std::array{Over::Experts, Over::Experts}));
    EXPECT_EQ(profile_of("DeepSeek-V3", "galaxy").experts_over,
              (std::array{Over::Width, Over::Experts}));
}

TEST(ExpertsPlacement, every_chip_holds_an_equal_share_of_the_experts) {
    // The experts are nearly all of the model: a copy on every chip would never fit.
    for (const char* mesh : {"n150", "n300", "n150x4", "t3k", "t3k:2x4", "galaxy", "p150x8"}) {
        SCOPED_TRACE(mesh);
        const Config config = published("Mixtral-8x7B-v0.1");
        Deployment deployment(config, precision_preset("performance", "Mixtral-8x7B", 32),
                              mesh_named(mesh), demo_options(1));
        std::int64_t local = 0;
        std::int64_t whole = 0;
        for (const dispatch::Buffer& buffer : deployment.decode()->buffers) {
            if (buffer.name.find(".experts.w") == std::string::npos) continue;
            local += buffer.instances * buffer.spec.bytes().value;
            whole += buffer.instances * buffer.global.bytes().value;
        }
        // 32 layers x 8 experts x three matrices of 4096 x 14336 values in bfp8.
        EXPECT_EQ(whole, std::int64_t{32} * 8 * (4096 / 32) * (14336 / 32) * 3 * 1088);
        EXPECT_EQ(local * deployment.mesh().chip_count(), whole);
    }
}

// --- values and readers ---

struct Layout {
    const char* mesh;
    NetworkSizes sizes;
};

constexpr NetworkSizes kBiased{0, 0, 128};

/// Six experts with top 3 and 64 or 96 columns; three with top 1; eight shared out on both axes;
/// and no experts, but biases and a gelu.
const Layout kLayouts[] = {
    {"n300", {6, 3, 64}},    {"n300", {6, 3, 96}},     {"p150x4", {3, 1, 128}},
    {"t3k", {8, 2, 96}},     {"t3k", {16, 2, 96}},     {"t3k:2x4", {8, 3, 96}},
    {"t3k:2x4", {4, 1, 64}}, {"t3k:2x4", {6, 2, 128}}, {"galaxy:4x2", {8, 2, 32}},
    {"n300", kBiased},       {"t3k:2x4", kBiased},
};

DeploymentOptions small_options() {
    DeploymentOptions options = demo_options(2, 128);
    options.block_size = 32;
    return options;
}

/// Logits of a prompt of 33 tokens, one of a single token, and a decode step of both users.
std::vector<Logits> short_run(Deployment& deployment, const Checkpoint& checkpoint) {
    Replica replica(deployment, checkpoint, Replica::Trace::On);
    core::require(replica.shortage().empty(), "a small model fits");
    std::vector<Logits> all{replica.prefill(0, made_prompt(33)),
                            replica.prefill(1, made_prompt(1))};
    std::vector<std::int32_t> tokens(static_cast<std::size_t>(deployment.slots()), 0);
    std::vector<std::int32_t> positions(tokens.size(), -1);
    tokens[0] = 71;
    tokens[1] = 72;
    positions[0] = 33;
    positions[1] = 1;
    const std::vector<Logits> step = replica.decode(tokens, positions);
    all.insert(all.end(), step.begin(), step.begin() + 2);
    return all;
}

class ExpertsOnMeshes : public ::testing::TestWithParam<Layout> {
protected:
    MadeCheckpoint files_{GetParam().sizes};
    Checkpoint checkpoint_ = files_.open();
};

INSTANTIATE_TEST_SUITE_P(Layouts, ExpertsOnMeshes, ::testing::ValuesIn(kLayouts));

TEST_P(ExpertsOnMeshes, values_are_those_of_a_single_chip) {
    // By columns, by experts or by both: only the order of float32 sums may differ. Two orders of
    // a sum differ by some 2^-24 of its largest partial sum; 2 layers of two split sums and of the
    // norms and products after them make 1e-5 of the largest logit, 2^-9 = 2e-3 would be one
    // rounding to bf16.
    const auto single = files_.on("n150", "fp32", small_options());
    const auto sharded = files_.on(GetParam().mesh, "fp32", small_options());
    const std::vector<Logits> want = short_run(*single, checkpoint_);
    const std::vector<Logits> got = short_run(*sharded, checkpoint_);
    ASSERT_EQ(want.size(), got.size());
    for (std::size_t row = 0; row < want.size(); ++row) {
        float largest = 0;
        float difference = 0;
        for (std::size_t i = 0; i < want[row].size(); ++i) {
            largest = std::max(largest, std::abs(want[row][i]));
            difference = std::max(difference, std::abs(want[row][i] - got[row][i]));
        }
        EXPECT_GT(largest, 0.1F);
        EXPECT_LE(difference, 1e-5F * largest) << row;
    }
}

TEST_P(ExpertsOnMeshes, all_readers_agree) {
    // Planned = executed peaks and addresses, scratch included; commands, bytes per hop, and the
    // multiply-adds that work() says although it does not know the routing.
    const auto deployment = files_.on(GetParam().mesh, "performance", small_options());
    std::vector<std::int32_t> positions(static_cast<std::size_t>(deployment->slots()), -1);
    positions[0] = 7;
    const Steps steps{{deployment->decode(), deployment->decode_bindings(positions),
                       made_prompt(deployment->slots())},
                      {deployment->prefill(128, StepShape::Chunk::First),
                       deployment->prefill_bindings(0, 0, 33), made_prompt(33)}};
    for (const Decode mode : {Decode::Eager, Decode::Traced}) {
        const Readings run = executed(*deployment, steps, mode, checkpoint_);
        EXPECT_EQ(memory_disagreements(planned(*deployment, steps, mode), run), Disagreements{});
        EXPECT_EQ(command_disagreements(simulated(*deployment, steps, mode), run), Disagreements{});
        EXPECT_GT(run.multiply_adds, 0);
    }
}

TEST(ExpertsScratch, is_a_buffer_that_lives_while_the_experts_run) {
    // What the op asks is allocated before it and freed after it, on every chip alike.
    const MadeCheckpoint files({8, 2, 96});
    const auto deployment = files.on("n300", "performance", small_options());
    const auto program = deployment->prefill(128, StepShape::Chunk::First);
    int found = 0;
    program->for_each([&](const dispatch::Command& command, std::int32_t) {
        const auto* op = std::get_if<dispatch::OpCommand>(&command.body);
        if (op == nullptr || !std::holds_alternative<Experts>(op->op)) return;
        ++found;
        std::vector<tensor::Spec> in;
        for (const dispatch::BufferRef ref : op->inputs) in.push_back(program->buffer(ref).spec);
        EXPECT_EQ(program->buffer(op->scratch).spec.bytes().value,
                  core::round_up(tensor::scratch(op->op, in, {}).value, 2048));
        EXPECT_EQ(std::ranges::count(command.allocates, op->scratch), 1);
        EXPECT_EQ(std::ranges::count(command.releases, op->scratch), 1);
    });
    EXPECT_EQ(found, 2);
}

}  // namespace
}  // namespace model::testing

#include "model/build.h"

#include <algorithm>

#include "tests/model/model_fixture.h"

namespace model::testing {
namespace {

std::vector<std::string> node_names(const tensor::Block& block) {
    std::vector<std::string> names;
    for (const tensor::Node& node : block.nodes) names.push_back(node.name);
    return names;
}

const tensor::Value& value_named(const tensor::Graph& graph, std::string_view name) {
    const auto found = std::ranges::find_if(graph.values, [name](const tensor::Value& value) {
        return value.name == name || value.name.ends_with("." + std::string(name));
    });
    core::require(found != graph.values.end(), "the graph has this value");
    return *found;
}

const tensor::Node& node_named(const tensor::Graph& graph, std::string_view name) {
    for (const tensor::Block& block : graph.blocks) {
        for (const tensor::Node& node : block.nodes) {
            if (node.name == name) return node;
        }
    }
    throw core::Error("no node " + std::string(name));
}

StepShape users_of(std::int64_t users) {
    StepShape shape;
    shape.users = users;
    shape.blocks = users;
    return shape;
}

Precision preset(std::string_view name) { return precision_preset(name, "Llama-3.1-8B", 32); }

TEST(BuildDecode, a_layer_reads_like_the_paper) {
    // Attention and feed-forward with their residuals, nothing about chips.
    const tensor::Graph graph = build_decode(llama(kLlama8B), preset("bf16"), users_of(32));
    EXPECT_EQ(graph.phase, tensor::Phase::Decode);
    ASSERT_EQ(graph.blocks.size(), 3u);
    // Rows of cos and sin are gathered once per step, before the layers.
    EXPECT_EQ(node_names(graph.blocks[0]),
              (std::vector<std::string>{"rope.cos.untilize", "rope.cos.rows", "rope.sin.untilize",
                                        "rope.sin.rows", "rope.cos.transpose", "rope.sin.transpose",
                                        "embedding"}));
    EXPECT_EQ(node_names(graph.blocks[1]),
              (std::vector<std::string>{
                  "attention_norm", "attention.wqkv", "attention.create_qkv_heads",
                  "attention.rope_q", "attention.rope_k", "attention.update_k",
                  "attention.update_v", "attention.sdpa", "attention.concat_heads", "attention.wo",
                  "attention.residual_add", "ffn_norm", "feed_forward.w1", "feed_forward.w3",
                  "feed_forward.mul", "feed_forward.w2", "feed_forward.residual_add"}));
    EXPECT_EQ(graph.blocks[1].repeat, 32);
    EXPECT_EQ(node_names(graph.blocks[2]), (std::vector<std::string>{"norm", "lm_head", "logits"}));
    EXPECT_EQ(graph.value(graph.outputs.at(0)).spec.shape.text(), "[32, 128256]");
}

TEST(BuildDecode, weights_have_the_shapes_and_sources_of_the_checkpoint) {
    // [K, N] from Hugging Face's [N, K]; q and k rows are permuted per head, v rows are not.
    const tensor::Graph graph = build_decode(llama(kLlama8B), preset("bf16"), users_of(1));
    const tensor::Value& wqkv = value_named(graph, "attention.wqkv");
    EXPECT_EQ(wqkv.spec.shape.text(), "[4096, 6144]");
    EXPECT_TRUE(wqkv.per_layer);
    ASSERT_EQ(wqkv.sources.size(), 3u);
    EXPECT_EQ(wqkv.sources[0].tensor, "model.layers.{layer}.self_attn.q_proj.weight");
    EXPECT_EQ(wqkv.sources[0].columns, 4096);
    EXPECT_EQ(wqkv.sources[0].rope_head_dim, 128);
    EXPECT_EQ(wqkv.sources[1].columns, 1024);
    EXPECT_EQ(wqkv.sources[1].rope_head_dim, 128);
    EXPECT_EQ(wqkv.sources[2].tensor, "model.layers.{layer}.self_attn.v_proj.weight");
    EXPECT_EQ(wqkv.sources[2].rope_head_dim, 0);
    EXPECT_EQ(value_named(graph, "feed_forward.w1").sources[0].tensor,
              "model.layers.{layer}.mlp.gate_proj.weight");
    EXPECT_EQ(value_named(graph, "feed_forward.w3").sources[0].tensor,
              "model.layers.{layer}.mlp.up_proj.weight");
    EXPECT_EQ(value_named(graph, "feed_forward.w2").spec.shape.text(), "[14336, 4096]");
}

TEST(BuildDecode, the_head_is_padded_and_may_be_the_embedding) {
    // Tied models have no lm_head.weight; the padding is columns of the stored matrix.
    Config config = llama(kLlama3B);
    StepShape shape = users_of(1);
    shape.padded_vocab = 131072;
    const tensor::Graph own = build_decode(config, preset("bf16"), shape);
    EXPECT_EQ(value_named(own, "output.lm_head").spec.shape.text(), "[3072, 131072]");
    EXPECT_EQ(value_named(own, "output.lm_head").sources[0].columns, 128256);
    EXPECT_EQ(value_named(own, "output.lm_head").sources[0].tensor, "lm_head.weight");
    config.tie_word_embeddings = true;
    const tensor::Graph tied = build_decode(config, preset("bf16"), shape);
    EXPECT_EQ(value_named(tied, "output.lm_head").sources[0].tensor, "model.embed_tokens.weight");
}

TEST(BuildDecode, formats_come_from_the_precision) {
    // The product of the gate is bfp8 in the device's modes, whatever the activations are.
    const tensor::Graph graph = build_decode(llama(kLlama8B), preset("performance"), users_of(1));
    ASSERT_EQ(graph.blocks.size(), 4u);  // layer 31 is another block
    EXPECT_EQ(graph.blocks[1].repeat, 31);
    EXPECT_EQ(graph.blocks[2].first_layer, 31);
    EXPECT_EQ(value_named(graph, "feed_forward.w1").spec.dtype, tensor::DType::BFloat4_b);
    EXPECT_EQ(value_named(graph, "attention.k_cache").spec.dtype, tensor::DType::BFloat8_b);
    EXPECT_EQ(value_named(graph, "rope.cos").spec.dtype, tensor::DType::BFloat16);
    const tensor::Node& mul = node_named(graph, "feed_forward.mul");
    EXPECT_EQ(graph.value(mul.outputs[0]).spec.dtype, tensor::DType::BFloat8_b);
    EXPECT_EQ(node_named(graph, "feed_forward.w1").fidelity_group,
              static_cast<int>(OpGroup::LiFf1Ff3));
    EXPECT_EQ(node_named(graph, "attention.wqkv").fidelity_group,
              static_cast<int>(OpGroup::LiQkvDecode));
}

TEST(BuildPrefill, casts_and_stores_keys_and_values_before_it_attends) {
    // The first chunk attends to what it just cast; later ones to the cache.
    StepShape shape = users_of(4);
    shape.rows = 1024;
    const tensor::Graph first = build_prefill(llama(kLlama8B), preset("bf16"), shape);
    const std::vector<std::string> names = node_names(first.blocks[1]);
    EXPECT_EQ(std::vector<std::string>(names.begin() + 5, names.begin() + 10),
              (std::vector<std::string>{"attention.typecast_k", "attention.typecast_v",
                                        "attention.fill_k", "attention.fill_v", "attention.sdpa"}));
    EXPECT_EQ(node_names(first.blocks[2]),
              (std::vector<std::string>{"last_rows", "norm", "lm_head", "logits"}));
    EXPECT_EQ(first.value(first.outputs.at(0)).spec.shape.text(), "[32, 128256]");
    EXPECT_EQ(node_named(first, "attention.wqkv").fidelity_group,
              static_cast<int>(OpGroup::LiQkvPrefill));

    shape.chunk = StepShape::Chunk::Later;
    const tensor::Graph later = build_prefill(llama(kLlama8B), preset("bf16"), shape);
    const tensor::Node& sdpa = node_named(later, "attention.chunked_sdpa");
    EXPECT_EQ(later.value(sdpa.inputs[1]).kind, tensor::ValueKind::State);
}

TEST(BuildPrefill, caches_are_pools_of_blocks) {
    // [blocks, kv_heads, block_size, head_dim]: 4 users of 8 blocks of 64 positions.
    StepShape shape = users_of(4);
    shape.block_size = 64;
    shape.blocks = 32;
    shape.max_context = 512;
    const tensor::Graph graph = build_prefill(llama(kLlama8B), preset("bf16"), shape);
    EXPECT_EQ(value_named(graph, "attention.v_cache").spec.shape.text(), "[32, 8, 64, 128]");
    EXPECT_EQ(value_named(graph, "rope.sin").spec.shape.text(), "[512, 128]");
}

}  // namespace
}  // namespace model::testing

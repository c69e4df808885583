#include "tensor/graph.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace tensor {
namespace {

Spec tiled(const Shape& shape) { return {shape, DType::BFloat16, Layout::Tile}; }

Graph one_block() {
    Graph graph;
    graph.blocks.push_back({.name = "layers", .nodes = {}});
    return graph;
}

TEST(Graph, nodes_make_values_with_inferred_specs_and_given_roles) {
    // The partition places values by role and shape; nobody writes them twice.
    Graph graph = one_block();
    const ValueId qkv = graph.add_value({.name = "qkv", .spec = tiled({5, 192}), .sources = {}});
    const auto heads = graph.add_node("heads", CreateQkvHeads{2, 16, Phase::Decode}, {qkv},
                                      {Role::Heads, Role::Heads, Role::Other});
    ASSERT_EQ(heads.size(), 3u);
    EXPECT_EQ(graph.value(heads[0]).spec.shape, (Shape{5, 6, 16}));
    EXPECT_EQ(graph.value(heads[2]).spec.shape, (Shape{5, 3, 16}));
    EXPECT_EQ(graph.value(heads[2]).role, Role::Other);
    EXPECT_EQ(graph.value(heads[0]).kind, ValueKind::Computed);
    ASSERT_EQ(graph.blocks[0].nodes.size(), 1u);
    EXPECT_EQ(graph.blocks[0].nodes[0].outputs, heads);
    EXPECT_EQ(graph.blocks[0].nodes[0].inputs, std::vector<ValueId>{qkv});
}

TEST(Graph, caches_stay_the_same_value) {
    // A cache that became a new value would be allocated twice.
    Graph graph = one_block();
    const ValueId cache = graph.add_value({.name = "k_cache",
                                           .spec = tiled({4, 3, 32, 16}),
                                           .kind = ValueKind::State,
                                           .sources = {}});
    const ValueId decode = graph.add_value({.name = "k", .spec = tiled({5, 3, 16}), .sources = {}});
    const ValueId prefill =
        graph.add_value({.name = "k", .spec = tiled({3, 64, 16}), .sources = {}});
    const std::size_t before = graph.values.size();
    EXPECT_EQ(graph.add_node("update", UpdateCache{}, {cache, decode}, {Role::KvCache}),
              std::vector<ValueId>{cache});
    EXPECT_EQ(graph.add_node("fill", FillCache{}, {cache, prefill}, {Role::KvCache}),
              std::vector<ValueId>{cache});
    EXPECT_EQ(graph.values.size(), before);
}

TEST(Graph, shapes_that_do_not_fit_name_the_node) {
    // "Add" alone does not tell which of sixty-four.
    Graph graph = one_block();
    const ValueId a = graph.add_value({.name = "a", .spec = tiled({5, 32}), .sources = {}});
    const ValueId b = graph.add_value({.name = "b", .spec = tiled({5, 33}), .sources = {}});
    try {
        graph.add_node("residual", Add{}, {a, b}, {Role::Residual});
        FAIL() << "shapes differ";
    } catch (const core::Error& error) {
        EXPECT_EQ(std::string(error.what()),
                  "Add: b: expected [5, 32], got [5, 33]\n"
                  "  in node \"residual\" of block \"layers\"");
    }
    EXPECT_TRUE(graph.blocks[0].nodes.empty());
}

TEST(Graph, a_node_needs_a_block_and_a_role_per_output) {
    // Both are mistakes of a builder, not of a user.
    Graph graph;
    const ValueId a = graph.add_value({.name = "a", .spec = tiled({5, 32}), .sources = {}});
    EXPECT_THROW(graph.add_node("x", Typecast{}, {a}, {Role::Other}), std::logic_error);
    graph.blocks.push_back({.name = "layers", .nodes = {}});
    EXPECT_THROW(graph.add_node("x", Typecast{}, {a}, {}), std::logic_error);
}

TEST(Op, names_are_those_of_profiler_reports) {
    // A Program's op sequence is compared with published profiles by these names.
    EXPECT_EQ(name(Op{Linear{}}), "Matmul");
    EXPECT_EQ(name(Op{RmsNormStats{}}), "LayerNormPreAllGather");
    EXPECT_EQ(name(Op{CreateQkvHeads{1, 32, Phase::Decode}}), "NLPCreateQKVHeadsDecode");
    EXPECT_EQ(name(Op{CreateQkvHeads{1, 32, Phase::Prefill}}), "NlpCreateHeads");
    EXPECT_EQ(name(Op{GatedMul{}}), "BinaryNg");
}

TEST(Work, totals_are_sums_over_operands) {
    // The simulator divides these by bandwidths.
    const Work work{.reads = {{1}, {20}}, .writes = {{300}, {4000}}};
    EXPECT_EQ(work.bytes_read().value, 21);
    EXPECT_EQ(work.bytes_written().value, 4300);
}

}  // namespace
}  // namespace tensor

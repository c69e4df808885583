// Programs of tt-transformers step by step against what its modules call, with shape, format, place
// and cores of every result. Source: tenstorrent/tt-metal models/tt_transformers/tt (decoder.py
// @01229001dc0c, attention.py, mlp.py and lm_head.py @03f118e61e1d, ccl.py and rope.py
// @013eaee3562e, model.py @00a9ba8f2518; grids by model_config.py). A step with a `why` is where
// the program differs from the calls, and says how. Views (reshape, unsqueeze) run nothing.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/model/sequence_fixture.h"

namespace model::testing {
namespace {

/// What the software calls, and the commands that stand for it.
struct Call {
    const char* published;
    Lines ours;
    const char* why = "";
};
using Calls = std::vector<Call>;

Lines lines_of(const Calls& calls) {
    Lines lines;
    for (const Call& call : calls) lines.insert(lines.end(), call.ours.begin(), call.ours.end());
    return lines;
}

DeploymentOptions users(std::int64_t batch) {
    DeploymentOptions options;
    options.batch = batch;
    options.context = 1024;
    return options;
}

// Rows of cos and sin for the users of a step, then the embedding.
Calls prologue_t3k() {
    const Lines table{"Untilize [1024, 128] bf16 DRAM_INTERLEAVED",
                      "Embeddings [32, 128] bf16 DRAM_INTERLEAVED"};
    const Lines row{"Transpose [32, 1, 128] bf16 DRAM_INTERLEAVED",
                    "InterleavedToSharded [32, 1, 128] bf16 L1_HEIGHT_SHARDED 32"};
    return {{"embedding(rot_idxs, cos): a tiled table is untilized whole", table},
            {"embedding(rot_idxs, sin)", table},
            {"transpose, interleaved_to_sharded of cos", row, "cos first, not turn and turn about"},
            {"transpose, interleaved_to_sharded of sin", row},
            {"embd(tokens)", {"Embeddings [32, 512] bf16 DRAM_INTERLEAVED"}},
            {"to_memory_config(DECODE_RESIDUAL_MEMCFG)",
             {"InterleavedToSharded [32, 512] bf16 L1_WIDTH_SHARDED 16"}}};
}

Calls attention_t3k() {
    return {
        {"1 all_gather to SHARDED_ATTN_INPUT", {"all_gather [32, 4096] bf16 L1_WIDTH_SHARDED 32"}},
        {"2 rms_norm", {"LayerNorm [32, 4096] bf16 L1_WIDTH_SHARDED 32"}},
        {"3 wqkv",
         {"Matmul [32, 768] bf16 L1_WIDTH_SHARDED 24"},
         "24 tiles: the last 8 of the 32 cores hold padding only and are not named"},
        {"4 sharded_to_interleaved", {"ShardedToInterleaved [32, 768] bf16 L1_INTERLEAVED"}},
        {"5 nlp_create_qkv_heads_decode",
         {"NLPCreateQKVHeadsDecode [32, 4, 128] bf16 L1_HEIGHT_SHARDED 32"}},
        {"7 rotary_embedding_llama q, k",
         {"RotaryEmbeddingLlama [32, 4, 128] bf16 L1_HEIGHT_SHARDED 32",
          "RotaryEmbeddingLlama [32, 1, 128] bf16 L1_HEIGHT_SHARDED 32"}},
        {"8 paged_update_cache k, v",
         {"PagedUpdateCache [32, 1, 1024, 128] bfp8 DRAM_INTERLEAVED",
          "PagedUpdateCache [32, 1, 1024, 128] bfp8 DRAM_INTERLEAVED"}},
        {"9 paged sdpa_decode to DRAM",
         {"SdpaDecode [32, 4, 128] bf16 DRAM_INTERLEAVED"},
         "4 heads where the device's tensor has 32 rows: tiles are the same"},
        {"10 to_memory_config(SCORES_BATCHED_MM_OUTPUT)",
         {"InterleavedToSharded [32, 4, 128] bf16 L1_HEIGHT_SHARDED 32"}},
        {"10 nlp_concat_heads_decode", {"NLPConcatHeadsDecode [32, 512] bf16 L1_WIDTH_SHARDED 4"}},
        {"11a to_memory_config(ATTN_ALL_GATHER_MATMUL_OUTPUT)",
         {"Reshard [32, 512] bf16 L1_WIDTH_SHARDED 1"}},
        {"11a all_gather_matmul_async to DECODE_RESIDUAL",
         {"all_gather [32, 4096] bf16 L1_WIDTH_SHARDED 8",
          "Matmul [32, 512] bf16 L1_WIDTH_SHARDED 16"},
         "one program on the device and for the clock, in two parts"},
        {"12 add", {"BinaryNg [32, 512] bf16 L1_WIDTH_SHARDED 16"}}};
}

Calls feed_forward_t3k() {
    return {
        {"13 all_gather to SHARDED_MLP_INPUT", {"all_gather [32, 4096] bf16 L1_WIDTH_SHARDED 8"}},
        {"13 rms_norm on find_grid_k_n(128, 56) = 8 cores",
         {"LayerNorm [32, 4096] bf16 L1_WIDTH_SHARDED 8"}},
        {"14 w1, w3",
         {"Matmul [32, 1792] bf16 L1_WIDTH_SHARDED 8",
          "Matmul [32, 1792] bf16 L1_WIDTH_SHARDED 8"}},
        {"15 mul with SILU", {"BinaryNg [32, 1792] bfp8 L1_WIDTH_SHARDED 8"}},
        {"16 to_memory_config(SHARDED_MLP2_INPUT)",
         {},
         "find_grid_k_n is the same both ways: the call runs nothing"},
        {"16 w2", {"Matmul [32, 4096] bf16 L1_WIDTH_SHARDED 8"}},
        {"17 reduce_scatter", {"reduce_scatter [32, 512] bf16 L1_WIDTH_SHARDED 16"}},
        {"18 add", {"BinaryNg [32, 512] bf16 L1_WIDTH_SHARDED 16"}}};
}

Calls layer_t3k() {
    Calls calls = attention_t3k();
    for (Call& call : feed_forward_t3k()) calls.push_back(std::move(call));
    return calls;
}

Calls epilogue_t3k() {
    return {
        {"all_gather to LM_HEAD_INPUT", {"all_gather [32, 4096] bf16 L1_WIDTH_SHARDED 64"}},
        {"rms_norm", {"LayerNorm [32, 4096] bf16 L1_WIDTH_SHARDED 64"}},
        {"lm_head, one split of 16032 columns", {"Matmul [32, 16032] bfp8 L1_WIDTH_SHARDED 64"}},
        {"to_memory_config(L1)", {"ShardedToInterleaved [32, 16032] bfp8 L1_INTERLEAVED"}},
        {"concat of one", {}, "concat of one tensor runs nothing"},
        {"all_gather dim 3", {"all_gather [32, 128256] bfp8 L1_INTERLEAVED"}},
        {"untilize", {"Untilize [32, 128256] bf16 L1_INTERLEAVED"}},
        {"to_memory_config(DRAM)", {"Copy [32, 128256] bf16 DRAM_INTERLEAVED"}}};
}

// All 64 cores of a row of grids compute: commands come through ethernet cores.
Deployment llama_8b_on(const char* mesh) {
    DeploymentOptions options = users(32);
    options.device.dispatch_core = mesh::DispatchCore::Ethernet;
    return deployed(kLlama8B, mesh, "Llama-3.1-8B", options);
}

TEST(Sequence, llama_8b_on_a_t3k_decodes_as_published) {
    // Every kernel the device runs is a command, where the device has it.
    const auto program = llama_8b_on("t3k").decode();
    EXPECT_EQ(sequence_of(*program, program->segments.front()), lines_of(prologue_t3k()));
    EXPECT_EQ(sequence_of(*program, program->segments.at(1)), lines_of(layer_t3k()));
    EXPECT_EQ(sequence_of(*program, program->segments.back()), lines_of(epilogue_t3k()));
}

TEST(Sequence, a_program_without_one_of_its_reshards_is_another) {
    // The comparison above sees each of them.
    const auto program = llama_8b_on("t3k").decode();
    const Lines published = lines_of(layer_t3k());
    std::size_t seen = 0;
    for (std::size_t at = 0; at < program->segments.at(1).commands.size(); ++at) {
        dispatch::Segment without = program->segments.at(1);
        const auto* op = std::get_if<dispatch::OpCommand>(&without.commands[at].body);
        if (op == nullptr || !std::holds_alternative<tensor::ToMemory>(op->op)) continue;
        ++seen;
        without.commands.erase(without.commands.begin() + static_cast<std::ptrdiff_t>(at));
        EXPECT_NE(sequence_of(*program, without), published);
    }
    EXPECT_EQ(seen, 3u);
}

TEST(Sequence, the_gather_before_wo_and_wo_are_one_program) {
    // Launched once; the product takes the parts of 8 chips as they arrive. Nothing else is fused.
    const auto program = llama_8b_on("t3k").decode();
    std::vector<std::pair<std::string, std::int32_t>> parts;
    for (const dispatch::Command& command : program->segments.at(1).commands) {
        if (command.fused.program.empty()) continue;
        EXPECT_EQ(command.fused.program, "AllGatherMatmulAsync");
        parts.emplace_back(command.label, command.fused.slices);
    }
    EXPECT_EQ(parts, (std::vector<std::pair<std::string, std::int32_t>>{
                         {"attention.concat_heads.all_gather", 1}, {"attention.wo", 8}}));
}

TEST(Sequence, one_chip_reshards_where_neighbours_use_other_cores) {
    // No collective writes a row where its reader wants it: residual on 32 cores, MLP on 64.
    const auto program = llama_8b_on("n150").decode();
    const Lines layer = sequence_of(*program, program->segments.at(1));
    const auto from = std::ranges::find(layer,
                                        "NLPConcatHeadsDecode [32, 4096] bf16 "
                                        "L1_WIDTH_SHARDED 32");
    ASSERT_NE(from, layer.end());
    EXPECT_EQ(Lines(from, layer.end()),
              (Lines{"NLPConcatHeadsDecode [32, 4096] bf16 L1_WIDTH_SHARDED 32",
                     "Matmul [32, 4096] bf16 L1_WIDTH_SHARDED 32",
                     "BinaryNg [32, 4096] bf16 L1_WIDTH_SHARDED 32",
                     "Reshard [32, 4096] bf16 L1_WIDTH_SHARDED 64",
                     "LayerNorm [32, 4096] bf16 L1_WIDTH_SHARDED 64",
                     "Matmul [32, 14336] bf16 L1_WIDTH_SHARDED 64",
                     "Matmul [32, 14336] bf16 L1_WIDTH_SHARDED 64",
                     "BinaryNg [32, 14336] bfp8 L1_WIDTH_SHARDED 64",
                     "Matmul [32, 4096] bf16 L1_WIDTH_SHARDED 64",
                     "Reshard [32, 4096] bf16 L1_WIDTH_SHARDED 32",
                     "BinaryNg [32, 4096] bf16 L1_WIDTH_SHARDED 32"}));
    // Three splits of 668 columns a core.
    EXPECT_EQ(ops_of(sequence_of(*program, program->segments.back())),
              (Lines{"Reshard", "LayerNorm", "Matmul", "ShardedToInterleaved", "Matmul",
                     "ShardedToInterleaved", "Matmul", "ShardedToInterleaved", "Concat", "Untilize",
                     "Copy"}));
}

TEST(Sequence, few_users_slice_the_rotary_rows_that_fill_a_tile) {
    // rot_idxs are padded to 32; a slice keeps the users (rope.py).
    const auto program = deployed(kLlama8B, "t3k", "Llama-3.1-8B", users(3)).decode();
    const Lines prologue = sequence_of(*program, program->segments.front());
    const auto slices = std::ranges::count(prologue, "Slice [3, 1, 128] bf16 DRAM_INTERLEAVED");
    EXPECT_EQ(slices, 2);
    EXPECT_EQ(
        std::ranges::count(prologue, "InterleavedToSharded [3, 1, 128] bf16 L1_HEIGHT_SHARDED 3"),
        2);
}

TEST(Sequence, wo_without_the_fused_gather_scatters_its_sums) {
    // dim % 2048 != 0: wo reads the cores of the heads, its partial sums are reduce-scattered.
    const auto program = deployed(kLlama3B, "t3k", "Llama-3.2-3B", users(32)).decode();
    const Lines layer = sequence_of(*program, program->segments.at(1));
    const auto from = std::ranges::find(layer,
                                        "NLPConcatHeadsDecode [32, 384] bf16 "
                                        "L1_WIDTH_SHARDED 3");
    ASSERT_NE(from, layer.end());
    EXPECT_EQ(Lines(from + 1, from + 4), (Lines{"Matmul [32, 3072] bf16 L1_WIDTH_SHARDED 3",
                                                "reduce_scatter [32, 384] bf16 L1_WIDTH_SHARDED 12",
                                                "BinaryNg [32, 384] bf16 L1_WIDTH_SHARDED 12"}));
}

Calls attention_galaxy() {
    return {
        {"to_memory_config(gather_in)",
         {"InterleavedToSharded [32, 2048] bf16 L1_WIDTH_SHARDED 32"}},
        {"1 rms_norm_pre_all_gather, all_gather, rms_norm_post_all_gather",
         {"LayerNormPreAllGather [32, 32] bf16 L1_WIDTH_SHARDED 1",
          "all_gather [32, 128] bf16 L1_WIDTH_SHARDED 4",
          "LayerNormPostAllGather [32, 2048] bf16 L1_WIDTH_SHARDED 32"},
         "gathered statistics on 4 cores, not 1"},
        {"2 wqkv", {"Matmul [32, 1280] bfp8 L1_WIDTH_SHARDED 40"}},
        {"3 all_gather", {"all_gather [4, 32, 1280] bfp8 L1_WIDTH_SHARDED 40"}},
        {"3 to_memory_config(L1)", {"ShardedToInterleaved [4, 32, 1280] bfp8 L1_INTERLEAVED"}},
        {"3 fast_reduce_nc", {"FastReduceNC [32, 1280] bfp8 L1_INTERLEAVED"}},
        {"4 matmul(slice_mat)", {"Matmul [8, 1280] bf16 L1_WIDTH_SHARDED 40"}},
        {"5 heads", {"NLPCreateQKVHeadsDecode [8, 8, 128] bf16 L1_HEIGHT_SHARDED 8"}},
        {"5 rope q, k",
         {"RotaryEmbeddingLlama [8, 8, 128] bf16 L1_HEIGHT_SHARDED 8",
          "RotaryEmbeddingLlama [8, 1, 128] bf16 L1_HEIGHT_SHARDED 8"}},
        {"5 update_cache k, v",
         {"PagedUpdateCache [8, 1, 1024, 128] bfp8 DRAM_INTERLEAVED",
          "PagedUpdateCache [8, 1, 1024, 128] bfp8 DRAM_INTERLEAVED"}},
        {"5 sdpa", {"SdpaDecode [8, 8, 128] bf16 DRAM_INTERLEAVED"}},
        {"5 to_memory_config", {"InterleavedToSharded [8, 8, 128] bf16 L1_HEIGHT_SHARDED 8"}},
        {"5 concat heads", {"NLPConcatHeadsDecode [8, 1024] bf16 L1_WIDTH_SHARDED 8"}},
        {"6 all_gather users", {"all_gather [4, 8, 1024] bf16 L1_WIDTH_SHARDED 32"}},
        {"6 to_memory_config(L1)", {"ShardedToInterleaved [4, 8, 1024] bf16 L1_INTERLEAVED"}},
        {"6 matmul(user_selection)", {"Matmul [32, 1024] bf16 L1_WIDTH_SHARDED 32"}},
        {"7 wo", {"Matmul [32, 2048] bfp8 L1_WIDTH_SHARDED 32"}},
        {"8 reduce_scatter, all_gather axis 0",
         {"reduce_scatter [32, 256] bfp8 L1_WIDTH_SHARDED 8",
          "all_gather [32, 2048] bfp8 L1_WIDTH_SHARDED 32"}},
        {"to_memory_config(skip_mem_cfg)", {"ShardedToInterleaved [32, 2048] bfp8 L1_INTERLEAVED"}},
        {"add", {"BinaryNg [32, 2048] bf16 L1_INTERLEAVED"}}};
}

Calls feed_forward_galaxy() {
    return {{"to_memory_config(gather_in)",
             {"InterleavedToSharded [32, 2048] bf16 L1_WIDTH_SHARDED 32"}},
            {"9 ff_norm",
             {"LayerNormPreAllGather [32, 32] bf16 L1_WIDTH_SHARDED 1",
              "all_gather [32, 128] bf16 L1_WIDTH_SHARDED 4",
              "LayerNormPostAllGather [32, 2048] bf16 L1_WIDTH_SHARDED 32"}},
            {"to_memory_config(MLP_ACT)", {"Reshard [32, 2048] bf16 L1_WIDTH_SHARDED 16"}},
            {"10 w1, w3; 11 reduce_scatter each",
             {"Matmul [32, 3584] bfp8 L1_WIDTH_SHARDED 28",
              "reduce_scatter [32, 896] bfp8 L1_WIDTH_SHARDED 28",
              "Matmul [32, 3584] bfp8 L1_WIDTH_SHARDED 28",
              "reduce_scatter [32, 896] bfp8 L1_WIDTH_SHARDED 28"},
             "w1 is scattered before w3 is multiplied, not after"},
            {"12 mul with SILU", {"BinaryNg [32, 896] bfp8 L1_WIDTH_SHARDED 28"}},
            {"12 all_gather", {"all_gather [32, 3584] bfp8 L1_WIDTH_SHARDED 28"}},
            {"12 to_memory_config(L1)", {"ShardedToInterleaved [32, 3584] bfp8 L1_INTERLEAVED"}},
            {"13 w2", {"Matmul [32, 2048] bfp8 L1_WIDTH_SHARDED 32"}},
            {"13 reduce_scatter, all_gather axis 0",
             {"reduce_scatter [32, 256] bfp8 L1_WIDTH_SHARDED 8",
              "all_gather [32, 2048] bfp8 L1_WIDTH_SHARDED 32"}},
            {"to_memory_config(SHARDED_ATTN_INPUT)",
             {"ShardedToInterleaved [32, 2048] bfp8 L1_INTERLEAVED"},
             "a reshard to other cores there; both move the same row once"},
            {"add", {"BinaryNg [32, 2048] bf16 L1_INTERLEAVED"}}};
}

TEST(Sequence, llama_70b_on_a_galaxy_decodes_as_published) {
    // Sums and users are gathered in shards, then interleaved for the op that reads them.
    const auto program = deployed(kLlama70B, "galaxy", "Llama-3.1-70B", users(32)).decode();
    Lines published = lines_of(attention_galaxy());
    for (std::string& line : lines_of(feed_forward_galaxy())) published.push_back(std::move(line));
    EXPECT_EQ(sequence_of(*program, program->segments.at(1)), published);
}

TEST(Sequence, prefill_casts_what_rope_and_attention_read) {
    // Queries take the activations' format before attention; on a Galaxy q and k come out of the
    // sum in bfp8 and turn in bf16.
    const auto prefill = [](const char* mesh) {
        Deployment deployment = deployed(kLlama70B, mesh, "Llama-3.1-70B", users(32));
        const auto program = deployment.prefill(1024, StepShape::Chunk::First);
        Lines ops = sequence_of(*program, program->segments.at(1));
        const auto heads = std::ranges::find_if(
            ops, [](const std::string& line) { return line.starts_with("NlpCreateHeads"); });
        return Lines(heads, std::ranges::find_if(ops, [](const std::string& line) {
                         return line.starts_with("NLPConcatHeads");
                     }));
    };
    const Lines cache{"Typecast [1, 1024, 128] bfp8 DRAM_INTERLEAVED",
                      "Typecast [1, 1024, 128] bfp8 DRAM_INTERLEAVED",
                      "PagedFillCache [32, 1, 1024, 128] bfp8 DRAM_INTERLEAVED",
                      "PagedFillCache [32, 1, 1024, 128] bfp8 DRAM_INTERLEAVED",
                      "Typecast [8, 1024, 128] bfp8 DRAM_INTERLEAVED",
                      "ScaledDotProductAttention [8, 1024, 128] bfp8 DRAM_INTERLEAVED"};
    Lines t3k{"NlpCreateHeads [8, 1024, 128] bf16 DRAM_INTERLEAVED",
              "RotaryEmbeddingLlama [8, 1024, 128] bf16 DRAM_INTERLEAVED",
              "RotaryEmbeddingLlama [1, 1024, 128] bf16 DRAM_INTERLEAVED"};
    t3k.insert(t3k.end(), cache.begin(), cache.end());
    EXPECT_EQ(prefill("t3k"), t3k);
    EXPECT_EQ(ops_of(prefill("galaxy")),
              (Lines{"NlpCreateHeads", "Typecast", "RotaryEmbeddingLlama", "Typecast",
                     "RotaryEmbeddingLlama", "Typecast", "Typecast", "PagedFillCache",
                     "PagedFillCache", "Typecast", "ScaledDotProductAttention"}));
}

}  // namespace
}  // namespace model::testing

// The op sequence of a program against the published dataflow of tenstorrent/tt-metal:
// models/tt_transformers/tt (decoder.py @01229001dc0c, attention.py, mlp.py @03f118e61e1d, ccl.py
// @013eaee3562e; where they differ the tree of 2026-05-23). Specs only, no weights.
#include "model/partition.h"

#include <algorithm>

#include "tests/model/model_fixture.h"

namespace model::testing {
namespace {

using Lines = std::vector<std::string>;

DeploymentOptions batch_of(std::int64_t users) {
    DeploymentOptions options;
    options.batch = users;
    options.context = 1024;
    return options;
}

/// "label: op" or "label: collective axis A", then the shape and format of one chip's result.
Lines lines_of(const dispatch::Program& program, const dispatch::Segment& segment) {
    Lines lines;
    for (const dispatch::Command& command : segment.commands) {
        std::string line = command.label + ": ";
        dispatch::BufferRef made;
        if (const auto* op = std::get_if<dispatch::OpCommand>(&command.body)) {
            line += tensor::name(op->op);
            made = op->outputs.front();
        } else if (const auto* move = std::get_if<dispatch::CollectiveCommand>(&command.body)) {
            line += ccl::to_text(move->collective.kind) + " axis " + std::to_string(move->axis);
            made = move->output;
        } else {
            lines.push_back(line + "host");
            continue;
        }
        const tensor::Spec& spec = program.buffer(made).spec;
        lines.push_back(line + " " + spec.shape.text() + " " + std::string(name(spec.dtype)));
    }
    return lines;
}

Lines layer_of(const dispatch::Program& program) {
    return lines_of(program, program.segments.at(1));
}

/// The same lines without shapes.
Lines names_of(Lines lines) {
    for (std::string& line : lines) line = line.substr(0, line.find(" ["));
    return lines;
}

/// By name, or by the end of a per-layer one: "attention.wqkv" of "layers.0-79.attention.wqkv".
const dispatch::Buffer& buffer_named(const dispatch::Program& program, std::string_view name) {
    const auto found = std::ranges::find_if(program.buffers, [name](const auto& buffer) {
        return buffer.name == name || buffer.name.ends_with("." + std::string(name));
    });
    core::require(found != program.buffers.end(), "the program has this buffer");
    return *found;
}

std::string shape_on_chip(const dispatch::Program& program, std::string_view name) {
    return buffer_named(program, name).spec.shape.text();
}

// --- decode along one axis (N300, T3K) ---

TEST(PartitionDecode1d, an_8_chip_ring_gathers_before_wo_where_dim_divides_2048) {
    // All-gather before each norm, reduce-scatter after w2; wo is column-parallel behind a gather
    // (dim / 32 / 8 % 8 == 0). Llama-3.1-70B on a T3K, 32 users.
    const Deployment deployment = deployed(kLlama70B, "t3k", "Llama-3.1-70B", batch_of(32));
    EXPECT_EQ(layer_of(*deployment.decode()),
              (Lines{"embedding.all_gather: all_gather axis 1 [32, 8192] bf16",
                     "attention_norm: LayerNorm [32, 8192] bf16",
                     "attention.wqkv: Matmul [32, 1280] bf16",
                     "attention.wqkv.to_interleaved: ShardedToInterleaved [32, 1280] bf16",
                     "attention.create_qkv_heads: NLPCreateQKVHeadsDecode [32, 8, 128] bf16",
                     "attention.rope_q: RotaryEmbeddingLlama [32, 8, 128] bf16",
                     "attention.rope_k: RotaryEmbeddingLlama [32, 1, 128] bf16",
                     "attention.update_k: PagedUpdateCache [32, 1, 1024, 128] bfp8",
                     "attention.update_v: PagedUpdateCache [32, 1, 1024, 128] bfp8",
                     "attention.sdpa: SdpaDecode [32, 8, 128] bf16",
                     "attention.sdpa.to_sharded: InterleavedToSharded [32, 8, 128] bf16",
                     "attention.concat_heads: NLPConcatHeadsDecode [32, 1024] bf16",
                     "attention.concat_heads.reshard: Reshard [32, 1024] bf16",
                     "attention.concat_heads.all_gather: all_gather axis 1 [32, 8192] bf16",
                     "attention.wo: Matmul [32, 1024] bf16",
                     "attention.residual_add: BinaryNg [32, 1024] bf16",
                     "attention.residual_add.all_gather: all_gather axis 1 [32, 8192] bf16",
                     "ffn_norm: LayerNorm [32, 8192] bf16",
                     "feed_forward.w1: Matmul [32, 3584] bf16",
                     "feed_forward.w3: Matmul [32, 3584] bf16",
                     "feed_forward.mul: BinaryNg [32, 3584] bfp8",
                     "feed_forward.w2: Matmul [32, 8192] bf16",
                     "feed_forward.w2.reduce_scatter: reduce_scatter axis 1 [32, 1024] bf16",
                     "feed_forward.residual_add: BinaryNg [32, 1024] bf16"}));
}

TEST(PartitionDecode1d, other_widths_reduce_scatter_after_wo) {
    // 3072 / 32 / 8 = 12 is no multiple of 8: wo is row-parallel. Llama-3.2-3B on a T3K.
    const Deployment deployment = deployed(kLlama3B, "t3k", "Llama-3.2-3B", batch_of(32));
    const Lines layer = layer_of(*deployment.decode());
    ASSERT_EQ(layer.size(), 23u);
    EXPECT_EQ(Lines(layer.begin() + 11, layer.begin() + 15),
              (Lines{"attention.concat_heads: NLPConcatHeadsDecode [32, 384] bf16",
                     "attention.wo: Matmul [32, 3072] bf16",
                     "attention.wo.reduce_scatter: reduce_scatter axis 1 [32, 384] bf16",
                     "attention.residual_add: BinaryNg [32, 384] bf16"}));
}

TEST(PartitionDecode1d, two_chips_reduce_scatter_after_wo_whatever_the_width) {
    // The fused all-gather matmul is for 8 devices; an N300 has the gathers and scatters of a line.
    const Deployment deployment = deployed(kLlama8B, "n300", "Llama-3.1-8B", batch_of(32));
    const auto program = deployment.decode();
    Lines moves;
    for (const std::string& line : layer_of(*program)) {
        if (line.find(" axis ") != std::string::npos) moves.push_back(line);
    }
    EXPECT_EQ(moves,
              (Lines{"embedding.all_gather: all_gather axis 1 [32, 4096] bf16",
                     "attention.wo.reduce_scatter: reduce_scatter axis 1 [32, 2048] bf16",
                     "attention.residual_add.all_gather: all_gather axis 1 [32, 4096] bf16",
                     "feed_forward.w2.reduce_scatter: reduce_scatter axis 1 [32, 2048] bf16"}));
}

TEST(PartitionDecode1d, ends_with_a_gathered_norm_and_gathered_logits) {
    // ttnn_decode_forward gathers and untilizes for a host that samples: it reads one chip.
    const Deployment deployment = deployed(kLlama70B, "t3k", "Llama-3.1-70B", batch_of(32));
    const auto program = deployment.decode();
    EXPECT_EQ(lines_of(*program, program->segments.back()),
              (Lines{"feed_forward.residual_add.all_gather: all_gather axis 1 [32, 8192] bf16",
                     "norm: LayerNorm [32, 8192] bf16", "lm_head: Matmul [32, 16032] bfp8",
                     "lm_head.to_interleaved: ShardedToInterleaved [32, 16032] bfp8",
                     "lm_head.all_gather: all_gather axis 1 [32, 128256] bfp8",
                     "logits: Untilize [32, 128256] bf16", "logits.copy: Copy [32, 128256] bf16"}));
    EXPECT_EQ(buffer_named(*program, "decode.logits").placement[1],
              tensor::Placement::replicated());
}

TEST(PartitionDecode1d, one_chip_has_the_same_ops_and_no_collective) {
    // The one-device graph as it stands.
    const Deployment one = deployed(kLlama8B, "n150", "Llama-3.1-8B", batch_of(32));
    Lines expected = layer_of(*deployed(kLlama8B, "n300", "Llama-3.1-8B", batch_of(32)).decode());
    // But for reshards: a collective writes where its reader is.
    const auto moves = [](const std::string& line) {
        return line.find(" axis ") != line.npos || line.find(": Reshard") != line.npos;
    };
    std::erase_if(expected, moves);
    Lines layer = layer_of(*one.decode());
    EXPECT_EQ(std::ranges::count_if(layer, moves), 2);
    std::erase_if(layer, moves);
    EXPECT_EQ(names_of(layer), names_of(expected));
}

// --- decode on the Galaxy ---

TEST(PartitionDecodeGalaxy, llama_70b_is_the_published_dataflow) {
    // Statistics of norms only; wqkv gathered and summed over the columns, then every column keeps
    // its 8 users; users gathered before wo; reduce-scatter and all-gather over the rows for
    // dim 8192; w1 and w3 scattered, their product gathered.
    const Deployment deployment = deployed(kLlama70B, "galaxy", "Llama-3.1-70B", batch_of(32));
    const Lines layer = layer_of(*deployment.decode());
    EXPECT_EQ(names_of(layer), (Lines{"embedding.to_sharded: InterleavedToSharded",
                                      "attention_norm.stats: LayerNormPreAllGather",
                                      "attention_norm.stats.all_gather: all_gather axis 1",
                                      "attention_norm: LayerNormPostAllGather",
                                      "attention.wqkv: Matmul",
                                      "attention.wqkv.all_gather: all_gather axis 1",
                                      "attention.wqkv.all_gather.to_interleaved: "
                                      "ShardedToInterleaved",
                                      "attention.wqkv.reduce: FastReduceNC",
                                      "attention.wqkv.partition: Matmul",
                                      "attention.create_qkv_heads: NLPCreateQKVHeadsDecode",
                                      "attention.rope_q: RotaryEmbeddingLlama",
                                      "attention.rope_k: RotaryEmbeddingLlama",
                                      "attention.update_k: PagedUpdateCache",
                                      "attention.update_v: PagedUpdateCache",
                                      "attention.sdpa: SdpaDecode",
                                      "attention.sdpa.to_sharded: InterleavedToSharded",
                                      "attention.concat_heads: NLPConcatHeadsDecode",
                                      "attention.concat_heads.all_gather: all_gather axis 1",
                                      "attention.concat_heads.all_gather.to_interleaved: "
                                      "ShardedToInterleaved",
                                      "attention.concat_heads.merge_rows: Matmul",
                                      "attention.wo: Matmul",
                                      "attention.wo.reduce_scatter: reduce_scatter axis 0",
                                      "attention.wo.all_gather: all_gather axis 0",
                                      "attention.wo.to_interleaved: ShardedToInterleaved",
                                      "attention.residual_add: BinaryNg",
                                      "attention.residual_add.to_sharded: InterleavedToSharded",
                                      "ffn_norm.stats: LayerNormPreAllGather",
                                      "ffn_norm.stats.all_gather: all_gather axis 1",
                                      "ffn_norm: LayerNormPostAllGather",
                                      "ffn_norm.reshard: Reshard",
                                      "feed_forward.w1: Matmul",
                                      "feed_forward.w1.reduce_scatter: reduce_scatter axis 1",
                                      "feed_forward.w3: Matmul",
                                      "feed_forward.w3.reduce_scatter: reduce_scatter axis 1",
                                      "feed_forward.mul: BinaryNg",
                                      "feed_forward.mul.all_gather: all_gather axis 1",
                                      "feed_forward.mul.to_interleaved: ShardedToInterleaved",
                                      "feed_forward.w2: Matmul",
                                      "feed_forward.w2.reduce_scatter: reduce_scatter axis 0",
                                      "feed_forward.w2.all_gather: all_gather axis 0",
                                      "feed_forward.w2.to_interleaved: ShardedToInterleaved",
                                      "feed_forward.residual_add: BinaryNg"}));
}

TEST(PartitionDecodeGalaxy, shapes_and_payloads_are_the_published_ones) {
    // Partial sums travel as bfp8, statistics as one tile per chip, the residual stays bf16.
    const Deployment deployment = deployed(kLlama70B, "galaxy", "Llama-3.1-70B", batch_of(32));
    const Lines layer = layer_of(*deployment.decode());
    for (const char* line : {"attention_norm.stats: LayerNormPreAllGather [32, 32] bf16",
                             "attention_norm.stats.all_gather: all_gather axis 1 [32, 128] bf16",
                             "attention_norm: LayerNormPostAllGather [32, 2048] bf16",
                             "attention.wqkv: Matmul [32, 1280] bfp8",
                             "attention.wqkv.all_gather: all_gather axis 1 [4, 32, 1280] bfp8",
                             "attention.wo: Matmul [32, 2048] bfp8",
                             "attention.wo.reduce_scatter: reduce_scatter axis 0 [32, 256] bfp8",
                             "attention.wo.all_gather: all_gather axis 0 [32, 2048] bfp8",
                             "feed_forward.w1: Matmul [32, 3584] bfp8",
                             "feed_forward.w1.reduce_scatter: reduce_scatter axis 1 [32, 896] bfp8",
                             "feed_forward.mul.all_gather: all_gather axis 1 [32, 3584] bfp8",
                             "feed_forward.w2: Matmul [32, 2048] bfp8",
                             "feed_forward.residual_add: BinaryNg [32, 2048] bf16"}) {
        EXPECT_NE(std::ranges::find(layer, line), layer.end()) << line;
    }
    // 8 of 32 users per column, 8 query heads and 1 KV head per row.
    const auto shape = [&](const char* label) {
        for (const std::string& line : layer) {
            if (line.starts_with(std::string(label) + ":")) {
                return line.substr(line.find('['), line.find(']') - line.find('[') + 1);
            }
        }
        return std::string();
    };
    EXPECT_EQ(shape("attention.wqkv.partition"), "[8, 1280]");
    EXPECT_EQ(shape("attention.sdpa"), "[8, 8, 128]");
    EXPECT_EQ(shape("attention.update_k"), "[8, 1, 1024, 128]");
    EXPECT_EQ(shape("attention.concat_heads.merge_rows"), "[32, 1024]");
}

TEST(PartitionDecodeGalaxy, narrower_models_gather_and_sum_everywhere) {
    // dim < 8192: w1, w3 are all-reduced over the columns, wo and w2 over the rows.
    const Deployment deployment = deployed(kLlama8B, "galaxy", "Llama-3.1-8B", batch_of(32));
    Lines moves;
    for (const std::string& line : names_of(layer_of(*deployment.decode()))) {
        if (line.find(" axis ") != line.npos || line.find("Reduce") != line.npos) {
            moves.push_back(line);
        }
    }
    EXPECT_EQ(
        moves,
        (Lines{
            "attention_norm.stats.all_gather: all_gather axis 1",
            "attention.wqkv.all_gather: all_gather axis 1", "attention.wqkv.reduce: FastReduceNC",
            "attention.concat_heads.all_gather: all_gather axis 1",
            "attention.wo.all_gather: all_gather axis 0", "attention.wo.reduce: FastReduceNC",
            "ffn_norm.stats.all_gather: all_gather axis 1",
            "feed_forward.w1.all_gather: all_gather axis 1", "feed_forward.w1.reduce: FastReduceNC",
            "feed_forward.w3.all_gather: all_gather axis 1", "feed_forward.w3.reduce: FastReduceNC",
            "feed_forward.w2.all_gather: all_gather axis 0",
            "feed_forward.w2.reduce: FastReduceNC"}));
}

TEST(PartitionDecodeGalaxy, users_that_do_not_divide_are_padded_to_whole_columns) {
    // 5 users are 8 slots, 2 per column: neither is a tile, so rows are merged after the gather.
    const Deployment deployment = deployed(kLlama70B, "galaxy", "Llama-3.1-70B", batch_of(5));
    const Lines layer = layer_of(*deployment.decode());
    EXPECT_EQ(deployment.slots(), 8);
    for (const char* line :
         {"attention.concat_heads.all_gather: all_gather axis 1 [4, 2, 1024] bf16",
          "attention.concat_heads.merge_rows: Matmul [8, 1024] bf16"}) {
        EXPECT_NE(std::ranges::find(layer, line), layer.end()) << line;
    }
}

// --- prefill ---

TEST(PartitionPrefill1d, wide_models_distribute_the_norm) {
    // dim > 4096: local statistics, gathered, applied; then the normed row is gathered.
    Deployment deployment = deployed(kLlama70B, "t3k", "Llama-3.1-70B", batch_of(32));
    const auto program = deployment.prefill(1024, StepShape::Chunk::First);
    EXPECT_EQ(layer_of(*program),
              (Lines{"attention_norm.stats: LayerNormPreAllGather [1024, 32] bf16",
                     "attention_norm.stats.all_gather: all_gather axis 1 [1024, 256] bf16",
                     "attention_norm: LayerNormPostAllGather [1024, 1024] bf16",
                     "attention_norm.all_gather: all_gather axis 1 [1024, 8192] bf16",
                     "attention.wqkv: Matmul [1024, 1280] bf16",
                     "attention.create_qkv_heads: NlpCreateHeads [8, 1024, 128] bf16",
                     "attention.rope_q: RotaryEmbeddingLlama [8, 1024, 128] bf16",
                     "attention.rope_k: RotaryEmbeddingLlama [1, 1024, 128] bf16",
                     "attention.typecast_k: Typecast [1, 1024, 128] bfp8",
                     "attention.typecast_v: Typecast [1, 1024, 128] bfp8",
                     "attention.fill_k: PagedFillCache [32, 1, 1024, 128] bfp8",
                     "attention.fill_v: PagedFillCache [32, 1, 1024, 128] bfp8",
                     "attention.typecast_q: Typecast [8, 1024, 128] bfp8",
                     "attention.sdpa: ScaledDotProductAttention [8, 1024, 128] bfp8",
                     "attention.concat_heads: NLPConcatHeads [1024, 1024] bfp8",
                     "attention.concat_heads.all_gather: all_gather axis 1 [1024, 8192] bfp8",
                     "attention.wo: Matmul [1024, 1024] bf16",
                     "attention.residual_add: BinaryNg [1024, 1024] bf16",
                     "ffn_norm.stats: LayerNormPreAllGather [1024, 32] bf16",
                     "ffn_norm.stats.all_gather: all_gather axis 1 [1024, 256] bf16",
                     "ffn_norm: LayerNormPostAllGather [1024, 1024] bf16",
                     "ffn_norm.all_gather: all_gather axis 1 [1024, 8192] bf16",
                     "feed_forward.w1: Matmul [1024, 3584] bf16",
                     "feed_forward.w3: Matmul [1024, 3584] bf16",
                     "feed_forward.mul: BinaryNg [1024, 3584] bfp8",
                     "feed_forward.w2: Matmul [1024, 8192] bf16",
                     "feed_forward.w2.reduce_scatter: reduce_scatter axis 1 [1024, 1024] bf16",
                     "feed_forward.residual_add: BinaryNg [1024, 1024] bf16"}));
}

TEST(PartitionPrefill1d, narrow_models_gather_before_the_norm_and_only_the_last_tile_gets_logits) {
    // dim <= 4096 norms like decode; the LM head sees 32 rows whatever the prompt.
    Deployment deployment = deployed(kLlama3B, "t3k", "Llama-3.2-3B", batch_of(1));
    const auto program = deployment.prefill(1024, StepShape::Chunk::First);
    const Lines layer = layer_of(*program);
    EXPECT_EQ(layer[0], "embedding.all_gather: all_gather axis 1 [1024, 3072] bf16");
    EXPECT_EQ(layer[1], "attention_norm: LayerNorm [1024, 3072] bf16");
    EXPECT_EQ(names_of(lines_of(*program, program->segments.back())),
              (Lines{"last_rows: Slice", "last_rows.all_gather: all_gather axis 1",
                     "norm: LayerNorm", "norm.to_sharded: InterleavedToSharded", "lm_head: Matmul",
                     "lm_head.to_interleaved: ShardedToInterleaved", "logits: Untilize"}));
    EXPECT_EQ(shape_on_chip(*program, "prefill_1024.logits"), "[32, 16032]");
}

TEST(PartitionPrefill1d, later_chunks_attend_to_the_cache) {
    // The first chunk attends to its own keys; later ones read what was stored before.
    Deployment deployment = deployed(kLlama8B, "t3k", "Llama-3.1-8B", batch_of(1));
    const auto first = deployment.prefill(1024, StepShape::Chunk::First);
    const auto later = deployment.prefill(1024, StepShape::Chunk::Later);
    EXPECT_EQ(later->name, "prefill_chunk_1024");
    Lines expected = names_of(layer_of(*first));
    std::ranges::replace(expected, std::string("attention.sdpa: ScaledDotProductAttention"),
                         std::string("attention.chunked_sdpa: ScaledDotProductAttention"));
    EXPECT_EQ(names_of(layer_of(*later)), expected);
}

TEST(PartitionPrefillGalaxy, a_prompt_stays_whole_on_every_column) {
    // One user's rows are not split: sums are gathered back, and nothing is sliced by user.
    Deployment deployment = deployed(kLlama70B, "galaxy", "Llama-3.1-70B", batch_of(32));
    const auto program = deployment.prefill(1024, StepShape::Chunk::First);
    const Lines layer = layer_of(*program);
    for (const std::string& line : layer) {
        EXPECT_EQ(line.find("partition: "), line.npos) << line;
        EXPECT_EQ(line.find("merge_rows"), line.npos) << line;
    }
    EXPECT_EQ(layer.size(), 35u);  // three casts among them
    EXPECT_EQ(shape_on_chip(*program, "attention.k_cache"), "[8, 1, 1024, 128]");
}

// --- what a chip holds ---

TEST(PartitionShapes, llama_70b_on_a_t3k) {
    // tt_transformers' layouts on a 1x8 mesh; wo by columns because of the gather before it.
    const auto program = deployed(kLlama70B, "t3k", "Llama-3.1-70B", batch_of(32)).decode();
    EXPECT_EQ(shape_on_chip(*program, "attention.wqkv"), "[8192, 1280]");
    EXPECT_EQ(shape_on_chip(*program, "attention.wo"), "[8192, 1024]");
    EXPECT_EQ(shape_on_chip(*program, "feed_forward.w1"), "[8192, 3584]");
    EXPECT_EQ(shape_on_chip(*program, "feed_forward.w3"), "[8192, 3584]");
    EXPECT_EQ(shape_on_chip(*program, "feed_forward.w2"), "[3584, 8192]");
    EXPECT_EQ(shape_on_chip(*program, "output.lm_head"), "[8192, 16032]");
    EXPECT_EQ(shape_on_chip(*program, "attention.k_cache"), "[32, 1, 1024, 128]");
    EXPECT_EQ(shape_on_chip(*program, "attention_norm"), "[8192]");
    EXPECT_EQ(shape_on_chip(*program, "tok_embeddings"), "[128256, 1024]");
}

TEST(PartitionShapes, llama_70b_on_a_galaxy) {
    // Heads, ffn and vocabulary over 8 rows, dim and users over 4 columns; gamma split in 4.
    const auto program = deployed(kLlama70B, "galaxy", "Llama-3.1-70B", batch_of(32)).decode();
    EXPECT_EQ(shape_on_chip(*program, "attention.wqkv"), "[2048, 1280]");
    EXPECT_EQ(shape_on_chip(*program, "attention.wo"), "[1024, 2048]");
    EXPECT_EQ(shape_on_chip(*program, "feed_forward.w1"), "[2048, 3584]");
    EXPECT_EQ(shape_on_chip(*program, "feed_forward.w2"), "[3584, 2048]");
    EXPECT_EQ(shape_on_chip(*program, "output.lm_head"), "[2048, 16384]");
    EXPECT_EQ(shape_on_chip(*program, "attention.k_cache"), "[8, 1, 1024, 128]");
    EXPECT_EQ(shape_on_chip(*program, "attention_norm.sharded"), "[2048]");
    EXPECT_EQ(shape_on_chip(*program, "tok_embeddings"), "[128256, 2048]");
}

TEST(PartitionShapes, weights_are_dram_sharded_except_on_32_chips_and_wo_behind_a_gather) {
    // The layout decides the padding: interleaved weights have none.
    const auto layout = [](const dispatch::Program& program, const char* name) {
        return dispatch::to_text(buffer_named(program, name).memory);
    };
    const auto t3k = deployed(kLlama70B, "t3k", "Llama-3.1-70B", batch_of(1)).decode();
    const auto n300 = deployed(kLlama8B, "n300", "Llama-3.1-8B", batch_of(1)).decode();
    const auto galaxy = deployed(kLlama70B, "galaxy", "Llama-3.1-70B", batch_of(1)).decode();
    for (const char* name :
         {"attention.wqkv", "feed_forward.w1", "feed_forward.w2", "feed_forward.w3"}) {
        EXPECT_EQ(layout(*t3k, name), "DRAM_WIDTH_SHARDED");
        EXPECT_EQ(layout(*galaxy, name), "DRAM_INTERLEAVED");
    }
    EXPECT_EQ(layout(*t3k, "attention.wo"), "DRAM_INTERLEAVED");
    EXPECT_EQ(layout(*n300, "attention.wo"), "DRAM_WIDTH_SHARDED");
    EXPECT_EQ(layout(*galaxy, "output.lm_head"), "DRAM_WIDTH_SHARDED");
    EXPECT_EQ(layout(*t3k, "tok_embeddings"), "DRAM_INTERLEAVED");
}

TEST(PartitionShapes, a_feed_forward_shares_its_rows_over_the_cores_that_divide_both_sides) {
    // find_grid_k_n: 5120 and 27648 / 8 columns are 160 and 108 tiles, 4 cores divide both
    // (Qwen2.5-Coder-32B on a T3K); 28672 / 8, as PAD_MLP_CORES pads, are 112 tiles on 16.
    const auto shards = [](std::int64_t hidden) {
        const LlamaSizes sizes{5120, hidden, 64, 40};
        const auto program = deployed(sizes, "t3k", "Qwen2.5-Coder-32B", batch_of(1)).decode();
        return buffer_named(*program, "feed_forward.mul").memory.shards;
    };
    EXPECT_EQ(shards(27648), 4);
    EXPECT_EQ(shards(28672), 16);
}

TEST(Partition, a_value_that_does_not_divide_is_named_with_its_numbers) {
    // The check before it (`split_problems`) covers heads; anything else must still be clear.
    Config config = llama(kLlama8B);
    config.head_dim = 96;
    const fabric::Mesh mesh = mesh_named("galaxy");
    const Profile profile = software_profile("tt-transformers", config, mesh);
    config.hidden_size = 4098;
    const Precision precision = precision_preset("bf16", "", 32);
    const std::string text = error_text([&] {
        StepShape step;
        step.users = 4;
        partition(build_decode(config, precision, step), profile, precision, mesh,
                  {.name = "decode", .worker_grid = {8, 8}});
    });
    EXPECT_NE(text.find("multiple of 4 chips, got 4098"), text.npos) << text;
}

}  // namespace
}  // namespace model::testing

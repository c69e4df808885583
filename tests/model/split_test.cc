// Whether a model splits, in the words of tt_transformers, and what works instead:
// tenstorrent/tt-metal models/tt_transformers/tt/model_config.py, tree of 2026-05-23.
#include "model/split.h"

#include "model/head_padding.h"
#include "tests/model/model_fixture.h"

namespace model::testing {
namespace {

using Texts = std::vector<std::string>;
using Kind = SplitOption::Kind;

SplitReport report_of(const Config& config, std::string_view mesh, SplitQuestion question = {}) {
    const Precision precision = precision_preset(
        "performance", question.base_model, static_cast<std::int32_t>(config.num_hidden_layers));
    return split_report(config, precision, mesh_named(mesh), question);
}

SplitQuestion named(std::string base_model) {
    SplitQuestion question;
    question.base_model = std::move(base_model);
    return question;
}

bool has(const Texts& texts, std::string_view part) {
    return std::ranges::any_of(
        texts, [part](const std::string& text) { return text.find(part) != text.npos; });
}

const SplitOption* option_of(const SplitReport& report, std::string_view text) {
    for (const SplitOption& option : report.options) {
        if (option.text == text) return &option;
    }
    return nullptr;
}

// config.json of Qwen/Qwen2.5-7B and Qwen2.5-0.5B, Mistral-Small-24B (heads x 128 is not dim).
const LlamaSizes kQwen7B{3584, 18944, 28, 28, 4};
const LlamaSizes kMistralSmall{5120, 32768, 40, 32, 8};

// --- reasons ---

TEST(SplitProblems, heads_that_do_not_divide_are_reported_with_both_numbers) {
    // Qwen2.5-7B: 28 heads and 4 KV heads run on 2 and 4 chips, not on 8.
    Config config = llama(kQwen7B);
    EXPECT_EQ(split_problems(config, mesh_named("n300")), Texts{});
    EXPECT_EQ(split_problems(config, mesh_named("n150x4")), Texts{});
    EXPECT_EQ(split_problems(config, mesh_named("t3k")),
              (Texts{"n_heads must be divisible by num_devices: 28 % 8",
                     "n_kv_heads must be divisible by num_devices: 4 % 8"}));
    // On a 2-D mesh heads go over the rows and dim over the columns.
    EXPECT_EQ(split_problems(config, mesh_named("t3k:2x4")), Texts{});
    config.hidden_size = 3586;
    EXPECT_EQ(split_problems(config, mesh_named("t3k:2x4")),
              Texts{"dim must be divisible by num_devices: 3586 % 4"});
}

TEST(SplitProblems, forty_heads_split_over_the_eight_rows_of_a_galaxy) {
    // Heads lie over rows there, not over all 32 chips.
    Config config = llama({5120, 27648, 64, 40, 8});
    EXPECT_EQ(split_problems(config, mesh_named("galaxy")), Texts{});
    EXPECT_EQ(split_problems(config, mesh_named("galaxy:1x32")).size(), 2u);
    config.num_key_value_heads = 10;
    EXPECT_EQ(split_problems(config, mesh_named("galaxy")),
              Texts{"n_kv_heads must be divisible by num_devices: 10 % 8"});
}

TEST(SplitProblems, every_divided_size_has_its_own_text) {
    // head_dim 3 makes qkv_size odd; feed-forward and dim are divided too.
    Config config = llama({30, 90, 2, 3, 3});
    config.head_dim = 3;
    EXPECT_EQ(split_problems(config, mesh_named("n150x4")),
              (Texts{"n_heads must be divisible by num_devices: 3 % 4",
                     "n_kv_heads must be divisible by num_devices: 3 % 4",
                     "qkv_size must be divisible by num_devices: 27 % 4",
                     "dim must be divisible by num_devices: 30 % 4",
                     "intermediate_size must be divisible by num_devices: 90 % 4"}));
}

TEST(SplitProblems, a_layer_that_differs_is_named) {
    // Nemotron's KV heads and Gemma 4's differ by layer; layers without attention say nothing.
    Config config = llama({8192, 28672, 6, 64, 8});
    config.layers = layers_of(config);
    config.layers[1].kv_heads = config.layers[2].kv_heads = config.layers[4].kv_heads = 4;
    config.layers[3].attention = LayerConfig::Attention::None;
    config.layers[3].heads = config.layers[3].kv_heads = config.layers[3].head_dim = 0;
    config.layers[5].intermediate_size = 4100;
    EXPECT_EQ(split_problems(config, mesh_named("t3k")),
              (Texts{"n_kv_heads must be divisible by num_devices: 4 % 8 (layers 1-2, 4)",
                     "intermediate_size must be divisible by num_devices: 4100 % 8 (layer 5)"}));
}

TEST(SplitProblems, a_latent_cache_is_kept_by_every_chip) {
    // Its one shared head is replicated: only the queries must divide (DeepSeek-V3: 128).
    Config config = llama({7168, 18432, 2, 128, 1});
    EXPECT_EQ(split_problems(config, mesh_named("t3k")),
              Texts{"n_kv_heads must be divisible by num_devices: 1 % 8"});
    config.layers = layers_of(config);
    for (LayerConfig& layer : config.layers) layer.attention = LayerConfig::Attention::Latent;
    EXPECT_EQ(split_problems(config, mesh_named("t3k")), Texts{});
}

TEST(SplitProblems, experts_are_cut_or_dealt_out_whole) {
    // 8 experts of 1792 are cut; of 100 they go one to a chip; 12 of 100 do neither on 8 chips.
    Config config = llama({4096, 14336, 1, 32, 8});
    config.layers = layers_of(config);
    LayerConfig& layer = config.layers[0];
    layer.feed_forward = LayerConfig::FeedForward::Experts;
    layer.intermediate_size = 0;
    layer.experts = 8;
    layer.experts_per_token = 2;
    layer.expert_intermediate_size = 1792;
    EXPECT_EQ(split_problems(config, mesh_named("t3k")), Texts{});
    layer.expert_intermediate_size = 100;
    EXPECT_EQ(split_problems(config, mesh_named("t3k")), Texts{});
    layer.experts = 12;
    EXPECT_EQ(split_problems(config, mesh_named("n150x4")), Texts{});
    EXPECT_EQ(split_problems(config, mesh_named("t3k")),
              Texts{"moe_intermediate_size must be divisible by num_devices: 100 % 8"});
}

TEST(SplitReport, qwen_7b_runs_on_two_or_four_devices_only) {
    // An assertion by name, also where the heads divide (one device).
    const std::string text =
        "Qwen2.5-7B and Qwen2.5-VL-7B is only supported on 2 or 4 devices, run on an N300 or use "
        "MESH_DEVICE=N150x4";
    const Config config = llama(kQwen7B);
    EXPECT_EQ(report_of(config, "n150", named("Qwen2.5-7B")).reasons, Texts{text});
    EXPECT_EQ(report_of(config, "n150", named("Qwen2.5-VL-7B")).reasons, Texts{text});
    EXPECT_EQ(report_of(config, "n150", named("another-7B")).reasons, Texts{});
    EXPECT_TRUE(report_of(config, "n300", named("Qwen2.5-7B")).splits());
    EXPECT_TRUE(report_of(config, "n150x4", named("Qwen2.5-7B")).splits());
    EXPECT_TRUE(has(report_of(config, "t3k", named("Qwen2.5-7B")).reasons, text));
}

TEST(SplitReport, numbers_of_devices_without_a_name_are_warned_of) {
    // determine_device_name() knows 1, 2, 4, 8 and 32; our runs go on with others.
    const Config config = llama(kLlama8B);
    SplitQuestion two_groups;
    two_groups.dp = 2;
    const std::string text = "Unsupported number of devices: 16 for ";
    EXPECT_TRUE(report_of(config, "galaxy", two_groups).splits());
    EXPECT_TRUE(has(report_of(config, "galaxy", two_groups).warnings, text + "wormhole_b0"));
    EXPECT_TRUE(has(report_of(config, "bh-galaxy", two_groups).warnings, text + "blackhole"));
    two_groups.limits = SplitQuestion::Limits::Strict;
    EXPECT_TRUE(has(report_of(config, "galaxy", two_groups).reasons, text + "wormhole_b0"));
    EXPECT_TRUE(report_of(config, "galaxy", two_groups).options.empty());
    EXPECT_FALSE(has(report_of(config, "galaxy").warnings, "Unsupported number of devices"));
}

TEST(SplitReport, groups_share_the_mesh) {
    // dp 4 on eight chips is two chips to a group.
    SplitQuestion question = named("Qwen2.5-7B");
    question.dp = 4;
    const SplitReport report = report_of(llama(kQwen7B), "t3k", question);
    EXPECT_TRUE(report.splits());
    EXPECT_EQ(report.tp, 2);
    EXPECT_EQ(report.dp, 4);
    EXPECT_EQ(report.shape.text(), "1x2");
    EXPECT_TRUE(report.options.empty());
    question.dp = 3;
    EXPECT_NE(error_text([&] {
                  report_of(llama(kQwen7B), "t3k", question);
              }).find("Unsupported device split: 8 devices, 3 groups"),
              std::string::npos);
}

// --- warnings and notes ---

TEST(SplitReport, a_plain_model_has_nothing_to_say) {
    // Llama-3.1-8B on the boards it is verified on.
    for (const char* mesh : {"n150", "n300", "t3k", "galaxy", "p150x4"}) {
        const SplitReport report = report_of(llama(kLlama8B), mesh, named("Llama-3.1-8B"));
        EXPECT_EQ(report.reasons, Texts{}) << mesh;
        EXPECT_EQ(report.warnings, Texts{}) << mesh;
    }
    EXPECT_EQ(report_of(llama(kLlama8B), "t3k").notes, Texts{});
    EXPECT_EQ(report_of(llama(kLlama8B), "galaxy").notes,
              Texts{"vocabulary is padded from 128256 to 131072 columns, 2816 of zeros"});
}

TEST(SplitReport, heads_narrower_than_a_tile_are_a_warning) {
    // Ours computes them; nlp_create_qkv_heads gives wrong values (tenstorrent/tt-metal #35248).
    Config config = llama({768, 2048, 2, 32, 8});
    config.head_dim = 24;
    const SplitReport report = report_of(config, "n300");
    EXPECT_TRUE(report.splits());
    EXPECT_TRUE(has(report.warnings,
                    "head_dim must be a multiple of 32: 24 % 32 (nlp_create_qkv_heads gives wrong "
                    "values)"));
}

TEST(SplitReport, shards_of_part_of_a_tile_are_warnings) {
    // dim 576 on 8 chips is 72 columns; 1552 channels are 194.
    Config config = llama({576, 1552, 2, 8, 8});
    const SplitReport report = report_of(config, "t3k");
    EXPECT_TRUE(report.splits());
    EXPECT_TRUE(
        has(report.warnings, "dim must be divisible by tile size times num_devices: 576 % 256"));
    EXPECT_TRUE(
        has(report.warnings,
            "intermediate_size must be divisible by tile size times num_devices: 1552 % 256"));
}

TEST(SplitReport, the_lm_head_needs_whole_tiles_of_dim) {
    // lm_head_core_grid; on 32 devices its first search needs multiples of 1024.
    Config config = llama({72, 256, 2, 4, 4});
    EXPECT_TRUE(has(report_of(config, "n150").warnings,
                    "Could not find a lm_head_num_rows such that self.dim(=72) % "
                    "(lm_head_num_rows * 8) == 0"));
    EXPECT_TRUE(has(report_of(llama({3584, 18944, 2, 32, 8}), "galaxy").warnings, "3584 % 1024"));
    EXPECT_FALSE(has(report_of(llama({3584, 18944, 2, 32, 8}), "t3k").warnings, "lm_head"));
}

TEST(SplitReport, heads_that_do_not_divide_the_columns_are_a_warning) {
    // The real stack divides heads by cluster_shape[1] although a Galaxy has them over its rows.
    const Config config = llama({4096, 14336, 2, 6, 2});
    const SplitReport report = report_of(config, "t3k:2x4");
    EXPECT_TRUE(report.splits());
    EXPECT_TRUE(has(report.warnings, "n_heads must be divisible by num_devices: 6 % 4"));
    EXPECT_TRUE(has(report.warnings, "n_kv_heads must be divisible by num_devices: 2 % 4"));
}

TEST(SplitReport, a_vocabulary_beyond_128k_loses_columns_on_the_real_galaxy) {
    // padded_vocab_size is 128 Ki on 32 chips whatever the vocabulary is; ours keeps every column.
    Config config = llama({5120, 27648, 2, 40, 8});
    config.vocab_size = 152064;
    EXPECT_TRUE(has(report_of(config, "galaxy").warnings, "columns from 131072 to 152064"));
    EXPECT_GE(report_of(config, "galaxy").padded_vocab, 152064);
    EXPECT_FALSE(has(report_of(config, "t3k").warnings, "131072"));
}

TEST(SplitReport, chunks_and_windows_of_the_real_stack_are_warnings) {
    // Ours runs both; a prompt that is not cut has neither limit.
    Config config = llama(kLlama8B);
    config.sliding_window = 4096;
    SplitQuestion question;
    question.context = 8192;
    question.prefill_chunk = 3000;
    const Texts both{"Sliding window not supported for chunked prefill SDPA",
                     "max_prefill_seq_len (3000) must be a multiple of 2048."};
    EXPECT_EQ(report_of(config, "n300", question).warnings, both);
    question.limits = SplitQuestion::Limits::Strict;
    const SplitReport strict = report_of(config, "n300", question);
    EXPECT_EQ(strict.reasons, both);
    EXPECT_EQ(strict.warnings, Texts{});
    EXPECT_FALSE(strict.splits());
    question.context = 2048;
    EXPECT_TRUE(report_of(config, "n300", question).splits());
}

TEST(SplitReport, batches_the_real_stack_does_not_have_are_warnings) {
    // 1, 2, 4, 8, 16 and 32; on a Galaxy 1 and 32.
    SplitQuestion question;
    question.batch = 3;
    EXPECT_EQ(report_of(llama(kLlama8B), "n300", question).warnings,
              Texts{"Batch size 3 not supported"});
    question.batch = 8;
    EXPECT_EQ(report_of(llama(kLlama8B), "n300", question).warnings, Texts{});
    EXPECT_EQ(report_of(llama(kLlama70B), "galaxy", question).warnings,
              Texts{"Galaxy runs batch 1 or 32 only, not 8"});
    question.batch = 32;
    EXPECT_EQ(report_of(llama(kLlama70B), "galaxy", question).warnings, Texts{});
}

TEST(SplitReport, fourteen_heads_run_on_two_chips) {
    // The README's example: 14 / 2 = 7 is prime.
    const Config config = llama({896, 4864, 24, 14, 2});
    EXPECT_TRUE(has(report_of(config, "t3k").warnings,
                    "14 heads and 2 KV heads run on at most 2 chips of one group: tt_transformers "
                    "does not pad heads"));
    EXPECT_FALSE(has(report_of(config, "n300").warnings, "14 heads"));
    const SplitReport padded = report_of(pad_heads(config, 8), "t3k");
    EXPECT_TRUE(padded.splits());
    EXPECT_TRUE(has(padded.warnings,
                    "tt_transformers does not pad heads: 14 heads and 2 KV heads are stored as 16 "
                    "heads and 8 KV heads"));
}

TEST(SplitReport, padded_feed_forwards_are_noted_and_divide_as_stored) {
    // Qwen2.5-72B: 29568 is 32768 on eight chips; grids are those of the stored width.
    Config config = llama({8192, 29568, 2, 64, 8});
    const SplitReport padded = report_of(config, "t3k", named("Qwen2.5-72B"));
    EXPECT_EQ(padded.padded_intermediate, 32768);
    EXPECT_TRUE(
        has(padded.notes, "intermediate_size is padded from 29568 to 32768 (PAD_MLP_CORES)"));
    EXPECT_EQ(padded.grids, (DecodeGrids{32, 64, 64, 64}));
    SplitQuestion question = named("Qwen2.5-72B");
    question.pad_mlp_cores = 0;
    const SplitReport bare = report_of(config, "t3k", question);
    EXPECT_EQ(bare.padded_intermediate, 29568);
    EXPECT_TRUE(has(bare.warnings, "29568 % 256"));
    EXPECT_EQ(bare.grids.gate_up, 1);  // 115 tiles share no factor with 256
}

TEST(SplitReport, grids_are_those_the_real_search_finds) {
    // Llama-3.1-8B: 64 cores for all matmuls, 32 for norms; on a Galaxy w2 has 8.
    EXPECT_EQ(report_of(llama(kLlama8B), "n150").grids, (DecodeGrids{32, 64, 64, 64}));
    EXPECT_EQ(report_of(llama(kLlama70B), "galaxy").grids, (DecodeGrids{32, 32, 8, 32}));
    // Qwen2.5-7B on two chips: 112 and 296 tiles share 8; padded to 304 they share 16.
    SplitQuestion question = named("Qwen2.5-7B");
    EXPECT_EQ(report_of(llama(kQwen7B), "n300", question).grids.gate_up, 16);
    question.pad_mlp_cores = 0;
    EXPECT_EQ(report_of(llama(kQwen7B), "n300", question).grids.gate_up, 8);
    EXPECT_EQ(report_of(llama(kQwen7B), "n300", question).grids.norm, 28);
    EXPECT_EQ(report_of(llama({5120, 27648, 2, 40, 8}), "n150").grids.norm, 32);
    // 34 is a prime number of tiles times two: 2 x 17 does not fit 8 x 8.
    EXPECT_EQ(report_of(llama({1088, 4096, 2, 2, 2}), "n150").grids.norm, 2);
}

// --- options ---

TEST(SplitOptions, list_groups_sub_meshes_and_padding_that_work) {
    // 14 heads on eight chips: groups of one and two chips, parts of the board, two more heads.
    const SplitReport report = report_of(llama({896, 4864, 24, 14, 14}), "t3k");
    Texts texts;
    for (const SplitOption& option : report.options) texts.push_back(option.text);
    EXPECT_EQ(texts, (Texts{"--dp 4", "--dp 8", "--mesh t3k:1x1", "--mesh t3k:1x2",
                            "--mesh t3k:2x2", "--mesh t3k:2x4", "--pad-heads"}));
    const SplitOption& groups = report.options.front();
    EXPECT_EQ(groups.kind, Kind::DataParallel);
    EXPECT_EQ(groups.tp, 2);
    EXPECT_EQ(groups.dp, 4);
    EXPECT_EQ(groups.why, "tensor parallel over 2 chips, 1x2");
    EXPECT_EQ(groups.added_weight_bytes, core::Bytes{0});
}

TEST(SplitOptions, every_one_of_them_splits) {
    // What is offered must pass the rule that refused the question.
    for (const LlamaSizes& sizes : {kQwen7B, LlamaSizes{896, 4864, 24, 14, 2},
                                    LlamaSizes{4544, 18176, 32, 71, 1}, kMistralSmall}) {
        for (const char* mesh : {"t3k", "galaxy:1x32", "p150x4", "n300"}) {
            const Config config = llama(sizes);
            for (const SplitOption& option : report_of(config, mesh).options) {
                SCOPED_TRACE(std::string(mesh) + " " + option.text);
                EXPECT_EQ(option.tp, option.shape.chips());
                const bool padded =
                    option.kind == Kind::HeadPadding || option.kind == Kind::KvReplication;
                const std::string spec = mesh_named(mesh).system.name + ":" + option.shape.text();
                EXPECT_EQ(split_problems(padded ? pad_heads(config, option.tp) : config,
                                         mesh_named(spec)),
                          Texts{});
            }
        }
    }
}

TEST(SplitOptions, padding_says_what_it_costs) {
    // Qwen2.5-7B on eight chips, without its name's assertion: 4 heads and 4 KV heads more.
    const SplitReport report = report_of(llama(kQwen7B), "t3k");
    const SplitOption* padding = option_of(report, "--pad-heads");
    ASSERT_NE(padding, nullptr);
    EXPECT_EQ(padding->kind, Kind::HeadPadding);
    EXPECT_EQ(padding->added_heads, 4);
    EXPECT_EQ(padding->added_kv_heads, 4);
    EXPECT_EQ(padding->why, "28 heads become 32, 4 KV heads 8");
    // wqkv: 12 x 128 columns of 3584; wo: 4 x 128 rows of 3584; 28 layers, tiles of 1088 bytes
    // over 8 chips. Cache: K and V of 4 x 128 values of 34 / 32 bytes over 8 chips.
    const std::int64_t tiles = (12 + 4) * (128 / 32) * (3584 / 32);
    EXPECT_EQ(padding->added_weight_bytes, core::Bytes{28 * tiles * 1088 / 8});
    EXPECT_EQ(padding->added_kv_bytes_per_token, core::Bytes{28 * 2 * 4 * 4 * 34 / 8});
    EXPECT_GT(padding->added_flops_percent, 2.0);
    EXPECT_LT(padding->added_flops_percent, 6.0);
}

TEST(SplitOptions, more_chips_than_kv_heads_replicate_them) {
    // 32 heads and 4 KV heads on 8 chips: no query is added, every KV head is kept twice.
    const Config config = llama({4096, 14336, 4, 32, 4});
    const SplitReport report = report_of(config, "t3k");
    EXPECT_EQ(report.reasons, Texts{"n_kv_heads must be divisible by num_devices: 4 % 8"});
    const SplitOption* copies = option_of(report, "--pad-heads");
    ASSERT_NE(copies, nullptr);
    EXPECT_EQ(copies->kind, Kind::KvReplication);
    EXPECT_EQ(copies->added_heads, 0);
    EXPECT_EQ(copies->added_kv_heads, 4);
    EXPECT_EQ(copies->added_kv_bytes_per_token, core::Bytes{4 * 2 * 4 * 4 * 34 / 8});
}

TEST(SplitOptions, padding_counts_the_layers_that_need_it) {
    // Gemma 4: two KV heads in its global layers, eight in the others.
    Config config = llama({2816, 2112, 6, 16, 8});
    config.layers = layers_of(config);
    config.layers[5].kv_heads = 2;
    const SplitReport report = report_of(config, "t3k");
    EXPECT_EQ(report.reasons,
              Texts{"n_kv_heads must be divisible by num_devices: 2 % 8 (layer 5)"});
    EXPECT_TRUE(has(report.warnings, "16 heads and 2 KV heads run on at most 2 chips"));
    const SplitOption* copies = option_of(report, "--pad-heads");
    ASSERT_NE(copies, nullptr);
    EXPECT_EQ(copies->kind, Kind::KvReplication);
    EXPECT_EQ(copies->why, "16 heads become 16, 2 KV heads 8 (1 of 6 layers)");
    EXPECT_EQ(copies->added_kv_heads, 6);
    EXPECT_EQ(copies->added_kv_bytes_per_token, core::Bytes{2 * 6 * 4 * 34 / 8});
}

TEST(SplitOptions, what_cannot_be_padded_is_not_offered) {
    // OLMo's norm over all heads; and a padded model is not padded again.
    Config config = llama({5120, 27648, 2, 40, 10});
    EXPECT_NE(option_of(report_of(config, "t3k"), "--pad-heads"), nullptr);
    config.qk_norm = QkNorm::FullWidth;
    EXPECT_EQ(option_of(report_of(config, "t3k"), "--pad-heads"), nullptr);
}

TEST(SplitOptions, groups_keep_their_number_when_heads_are_padded) {
    // --dp 2 of eight chips: four chips to a group, nine heads become twelve.
    Config config = llama({1152, 4096, 2, 9, 3});
    SplitQuestion question;
    question.dp = 2;
    const SplitReport report = report_of(config, "t3k", question);
    const SplitOption* padding = option_of(report, "--dp 2 --pad-heads");
    ASSERT_NE(padding, nullptr);
    EXPECT_EQ(padding->tp, 4);
    EXPECT_EQ(padding->dp, 2);
    EXPECT_EQ(padding->added_heads, 3);
    EXPECT_EQ(padding->added_kv_heads, 1);
}

}  // namespace
}  // namespace model::testing

// Attention times: laws of the mechanism, and published times of both architectures
// (tenstorrent/tt-metal: tech_reports/FlashAttention, tests/nightly/blackhole/sdpa).
#include "dispatch/attention_time.h"

#include <gtest/gtest.h>

#include "dispatch/attention_question.h"
#include "dispatch/lower.h"
#include "tests/dispatch/device_fixture.h"

namespace dispatch::testing {
namespace {

using tensor::DType;

mesh::ChipSpec chip_of(const std::string& name) {
    return mesh::load_chip(TESSERA_SOURCE_DIR "/topologies/chips/" + name + ".yaml");
}

AttentionQuestion prefill(std::int64_t heads, std::int64_t rows, std::int64_t prior = 0) {
    AttentionQuestion question;
    question.of = {heads, heads, 128, 128, DType::BFloat16, DType::BFloat8_b};
    question.rows = rows;
    question.keys = prior + rows;
    return question;
}

AttentionQuestion decode(std::int64_t users, std::int64_t keys) {
    AttentionQuestion question;
    question.kind = AttentionKind::Decode;
    question.of = {8, 1, 128, 128, DType::BFloat16, DType::BFloat8_b};
    question.batch = users;
    question.keys = keys;
    return question;
}

double us(const AttentionQuestion& question, const std::string& chip = "n150") {
    return core::to_us(attention_answer(question, chip_of(chip)).time.total());
}

TEST(Attention, chunks_follow_the_program_configs_of_tt_transformers) {
    // 64 rows, 256 from 2048 on; with tokens before them what divides their count.
    EXPECT_EQ(prefill_config(128, 0).q_chunk, 64);
    EXPECT_EQ(prefill_config(2048, 0).k_chunk, 256);
    EXPECT_EQ(prefill_config(2048, 4096 + 128).q_chunk, 128);
    EXPECT_EQ(prefill_config(2048, 4096 + 8).q_chunk, 32);
    // get_dynamic_Sk_chunk_t: a power of two of tiles, at most 8.
    EXPECT_EQ(decode_chunk({}, 1), 32);
    EXPECT_EQ(decode_chunk({}, 65), 128);
    EXPECT_EQ(decode_chunk({}, 100'000), 256);
    EXPECT_EQ(decode_chunk({.k_chunk = 512}, 100), 512);
}

TEST(Attention, a_causal_mask_halves_long_prompts_and_prior_tokens_add_to_them) {
    // 8 heads of 16384 rows: a quarter of the scores of 2 x 16384, half of the full ones.
    AttentionQuestion full = prefill(8, 16384);
    full.mask = AttentionMask::Full;
    full.chunks = AttentionChunks::Given;
    full.config.q_chunk = full.config.k_chunk = 256;
    const double causal = us(prefill(8, 16384));
    EXPECT_NEAR(us(full) / causal, 2.0 * 64 / 65, 0.05);  // chunks on the diagonal are whole
    EXPECT_NEAR(us(prefill(8, 32768)) / causal, 4, 0.1);
    // 2048 rows behind 14336: 2048 x 14336 scores more than alone.
    const double alone = us(prefill(8, 2048));
    const double later = us(prefill(8, 2048, 14336));
    EXPECT_NEAR((later - alone) / causal, 2.0 * 2048 * 14336 / (16384.0 * 16384.0), 0.02);
}

TEST(Attention, a_window_bounds_what_a_prompt_and_a_token_cost) {
    // Beyond the window time grows with rows, not with their square; a token's not at all.
    AttentionQuestion shorter = prefill(8, 16384);
    shorter.window = 1024;
    AttentionQuestion longer = prefill(8, 32768);
    longer.window = 1024;
    EXPECT_LT(us(shorter), us(prefill(8, 16384)) / 4);
    EXPECT_NEAR(us(longer) / us(shorter), 2, 0.1);
    AttentionQuestion near = decode(32, 4096);
    AttentionQuestion far = decode(32, 65536);
    near.window = far.window = 1024;
    EXPECT_DOUBLE_EQ(us(near), us(far));
}

TEST(Attention, more_work_is_never_faster_and_a_lower_fidelity_never_slower) {
    double before = 0;
    for (const std::int64_t keys : {1, 128, 512, 1024, 4096, 8192, 65536}) {
        const double now = us(decode(16, keys));
        EXPECT_GE(now, before) << keys;
        before = now;
    }
    for (const std::string chip : {"n150", "p150"}) {
        AttentionQuestion low = prefill(8, 4096);
        low.fidelity = mesh::Fidelity::LoFi;
        AttentionQuestion high = low;
        high.fidelity = mesh::Fidelity::HiFi4;
        EXPECT_LT(us(low, chip), us(high, chip));
        EXPECT_LE(us(prefill(8, 4096), chip), us(prefill(16, 4096), chip));
        AttentionQuestion tuned = prefill(8, 4096);
        tuned.chunks = AttentionChunks::Tuned;
        EXPECT_LE(us(tuned, chip), us(prefill(8, 4096), chip));
    }
}

TEST(Attention, cores_merge_pairwise_or_in_a_row) {
    // 16 cores of one head: 4 rounds of pairs, or 15 partial results after each other.
    AttentionQuestion tree = decode(1, 65536);
    AttentionQuestion row = tree;
    row.config.reduction = Reduction::Linear;
    const mesh::ChipSpec chip = chip_of("n150");
    const double merge = 7240 / 0.905e3;  // us, topologies/kernels/wormhole_b0.yaml
    EXPECT_EQ(attention_answer(tree, chip).cores, 16);
    EXPECT_NEAR(us(row) - us(tree), 11 * merge, 0.01);
}

TEST(Attention, an_op_of_a_program_takes_what_the_question_takes) {
    // The simulator and `tessera op` ask the same function.
    const mesh::ChipSpec chip = chip_of("n150");
    const auto time = [&](const tensor::Op& op, const std::vector<tensor::Spec>& in,
                          tensor::Phase phase, const tensor::Bindings& bindings) {
        const std::vector<MemoryConfig> placed(in.size());
        const KernelPlan plan = lower(op, in, tensor::infer(op, in), placed,
                                      {&chip, chip.worker_grid, phase, mesh::Fidelity::HiFi2});
        return core::to_us(op_time(op, in, bindings, plan, chip).total());
    };
    const auto spec = [](tensor::Shape shape, DType dtype) {
        return tensor::Spec{shape, dtype, tensor::Layout::Tile};
    };
    const tensor::Spec rows = spec({8, 2048, 128}, DType::BFloat8_b);
    EXPECT_DOUBLE_EQ(time(tensor::Sdpa{}, {spec({8, 2048, 128}, DType::BFloat16), rows, rows},
                          tensor::Phase::Prefill, {}),
                     us(prefill(8, 2048)));
    const tensor::Spec cache = spec({128, 1, 1024, 128}, DType::BFloat8_b);
    tensor::Bindings bindings;
    bindings.chunk_start = 2048;
    EXPECT_DOUBLE_EQ(
        time(tensor::ChunkedSdpa{}, {spec({8, 2048, 128}, DType::BFloat16), cache, cache},
             tensor::Phase::Prefill, bindings),
        us([] {
            AttentionQuestion question = prefill(8, 2048, 2048);
            question.of.kv_heads = 1;
            return question;
        }()));
    // Without positions every user has its share of the pool: 4 blocks of 1024.
    EXPECT_DOUBLE_EQ(time(tensor::SdpaDecode{}, {spec({32, 8, 128}, DType::BFloat16), cache, cache},
                          tensor::Phase::Decode, {}),
                     us(decode(32, 4096)));
}

TEST(Attention, blackhole_prefill_of_ci_is_within_5_percent) {
    // test_scaled_dot_product_attention_sprint.py: 10 heads of 128, bf16, 11x10 cores: 70.0 % of
    // the peak at 9472 rows, 57.0 % at 2368.
    const auto utilization = [](std::int64_t rows, std::int64_t q_chunk) {
        AttentionQuestion question = prefill(10, rows);
        question.of.kv = DType::BFloat16;
        question.mask = AttentionMask::Full;
        question.chunks = AttentionChunks::Given;
        question.config.q_chunk = q_chunk;
        question.config.k_chunk = 512;
        return 100 * question.full_flops() / us(question, "p150") * 1e6 / (110 * 2048 * 1.35e9);
    };
    EXPECT_NEAR(utilization(9472, 288), 70.0, 3.5);
    EXPECT_NEAR(utilization(2368, 224), 57.0, 2.9);
}

TEST(Attention, ring_prefill_of_another_model_is_within_20_percent) {
    // tech_reports/Gemma4PrefillChunkSize, global layer, no constant fitted to it: 8 heads of 512,
    // 8 chips of a ring, chunks of 64 queries and 256 keys. Rounds decide: 256 and 512 rows per
    // chip take one, 1024 two.
    const auto ring = [](std::int64_t rows, std::int64_t tokens) {
        AttentionQuestion question = prefill(8, rows);
        question.of.q_dim = question.of.v_dim = 512;
        question.keys = tokens / 8;
        question.mask = AttentionMask::Full;
        question.chunks = AttentionChunks::Given;
        question.config = {.q_chunk = 64, .k_chunk = 256, .split = WorkSplit::Flat};
        return 8 * us(question, "p150");
    };
    EXPECT_NEAR(ring(256, 49152 + 2048), 3661.9, 0.2 * 3661.9);
    EXPECT_NEAR(ring(512, 49152 + 4096), 3831.2, 0.2 * 3831.2);
    EXPECT_NEAR(ring(1024, 49152 + 8192), 8266.0, 0.2 * 8266.0);
}

TEST(Attention, galaxy_decode_and_prefill_are_within_35_percent) {
    // models/demos/llama3_70b_galaxy: 8 users, 8 query heads on 1 KV head at position 127 on 32
    // cores: 8.2 us; a prompt of 4096 tokens at HiFi4: 1714 us.
    AttentionQuestion token = decode(8, 128);
    token.cores = 32;
    EXPECT_NEAR(us(token), 8.2, 0.35 * 8.2);
    AttentionQuestion prompt = prefill(8, 4096);
    prompt.of.q = DType::BFloat8_b;
    prompt.fidelity = mesh::Fidelity::HiFi4;
    EXPECT_NEAR(us(prompt), 1714, 0.35 * 1714);
}

}  // namespace
}  // namespace dispatch::testing

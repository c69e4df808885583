#include "dispatch/lower.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "tests/dispatch/device_fixture.h"

namespace dispatch::testing {
namespace {

using mesh::BufferType;
using tensor::DType;
using tensor::Phase;
using tensor::Spec;

constexpr MemoryConfig kInterleaved{BufferType::Dram, MemoryLayout::Interleaved, 0};
constexpr MemoryConfig kDramSharded{BufferType::Dram, MemoryLayout::DramWidthSharded, 0};

class Lower : public ::testing::Test {
protected:
    LowerContext context(Phase phase = Phase::Decode) const {
        return {&chip_, {8, 8}, phase, mesh::Fidelity::LoFi};
    }
    /// x [rows, k] times a weight [k, n].
    KernelPlan matmul(std::int64_t rows, std::int64_t k, std::int64_t n, DType weight,
                      MemoryConfig placed) const {
        const std::vector<Spec> in{{{rows, k}, DType::BFloat16, tensor::Layout::Tile},
                                   {{k, n}, weight, tensor::Layout::Tile}};
        const tensor::Op op = tensor::Linear{};
        const std::vector<MemoryConfig> places{{BufferType::L1, MemoryLayout::WidthSharded, 32},
                                               placed};
        return lower(op, in, tensor::infer(op, in), places, context());
    }

    mesh::ChipSpec chip_ = small_chip();  // 12 banks, 8x8 workers
};

TEST_F(Lower, a_dram_sharded_matmul_uses_one_core_per_bank_that_holds_columns) {
    // Banks that would hold only padding get no core: 40 tile columns are 4 on each of 10 banks.
    EXPECT_EQ(matmul(32, 4096, 14336, DType::BFloat4_b, kDramSharded).cores, 12);
    EXPECT_EQ(matmul(32, 8192, 1280, DType::BFloat8_b, kDramSharded).cores, 10);
    EXPECT_EQ(matmul(32, 8192, 1024, DType::BFloat8_b, kDramSharded).cores, 11);
    EXPECT_EQ(matmul(32, 256, 64, DType::BFloat8_b, kDramSharded).cores, 2);
}

TEST_F(Lower, a_dram_sharded_matmul_streams_three_blocks_of_its_banks_columns) {
    // w1 of Llama-3.1-8B: K is 128 tiles, 4 on each of 32 cores; 38 of 448 columns per bank are
    // 5 sub-blocks of 8. Sums are bfloat16 as the output, so they share its buffer.
    const KernelPlan plan = matmul(32, 4096, 14336, DType::BFloat4_b, kDramSharded);
    ASSERT_EQ(plan.circular_buffers.size(), 3u);
    EXPECT_EQ(plan.circular_buffers[0], (CircularBuffer{"in0", 2048_B * (2 * 4)}));
    EXPECT_EQ(plan.circular_buffers[1], (CircularBuffer{"in1", 576_B * (3 * 4 * 38)}));
    EXPECT_EQ(plan.circular_buffers[2], (CircularBuffer{"out", 2048_B * 40}));
    EXPECT_EQ(plan.fidelity, mesh::Fidelity::LoFi);
}

TEST_F(Lower, sums_of_another_format_than_the_output_have_a_buffer_of_their_own) {
    // fp32 sums (HiFi4), and bfloat16 ones under a bfp8 output; one block of K has no sums.
    const std::vector<MemoryConfig> places{{BufferType::L1, MemoryLayout::WidthSharded, 4},
                                           kDramSharded};
    const auto buffers = [&](std::int64_t k, DType out, mesh::Fidelity fidelity) {
        const std::vector<Spec> in{{{32, k}}, {{k, 384}, DType::BFloat8_b}};
        const tensor::Op op = tensor::Linear{.out = out};
        LowerContext with = context();
        with.fidelity = fidelity;
        return lower(op, in, tensor::infer(op, in), places, with).circular_buffers;
    };
    const auto precise = buffers(512, DType::BFloat16, mesh::Fidelity::HiFi4);
    ASSERT_EQ(precise.size(), 4u);
    EXPECT_EQ(precise[3], (CircularBuffer{"intermediate", 4096_B}));
    const auto narrow = buffers(512, DType::BFloat8_b, mesh::Fidelity::HiFi2);
    ASSERT_EQ(narrow.size(), 4u);
    EXPECT_EQ(narrow[3], (CircularBuffer{"intermediate", 2048_B}));
    const auto whole = buffers(32, DType::BFloat8_b, mesh::Fidelity::HiFi2);
    ASSERT_EQ(whole.size(), 3u);
    EXPECT_EQ(whole[0].size, 2048_B);
    EXPECT_EQ(whole[1].size, 1088_B);
}

TEST_F(Lower, an_interleaved_matmul_of_one_tile_row_deals_columns_over_the_grid) {
    // Nothing waits for a bank: 40 columns take 40 cores, 448 take all 64.
    EXPECT_EQ(matmul(32, 2048, 1280, DType::BFloat8_b, kInterleaved).cores, 40);
    EXPECT_EQ(matmul(32, 4096, 14336, DType::BFloat4_b, kInterleaved).cores, 64);
}

TEST_F(Lower, a_matmul_of_many_rows_is_two_dimensional) {
    // 4 tile rows on 4 grid rows, 3 tile columns on 3 grid columns.
    EXPECT_EQ(matmul(128, 256, 96, DType::BFloat8_b, kInterleaved).cores, 12);
    EXPECT_EQ(matmul(4096, 256, 4096, DType::BFloat8_b, kInterleaved).cores, 64);
}

TEST_F(Lower, experts_are_placed_like_the_matmul_of_one_of_them) {
    // Eight experts of 448 columns one after the other need the cores and buffers of one.
    const Spec x{{32, 4096}};
    const std::vector<Spec> in{x,
                               {{32, 8}},
                               {{8, 4096, 14336}, DType::BFloat4_b},
                               {{8, 4096, 14336}, DType::BFloat4_b},
                               {{8, 14336, 4096}, DType::BFloat8_b}};
    const tensor::Op op = tensor::Experts{.experts = 8, .top_k = 2};
    std::vector<MemoryConfig> places(5, kInterleaved);
    places[0] = {BufferType::L1, MemoryLayout::WidthSharded, 32};
    const KernelPlan plan = lower(op, in, tensor::infer(op, in), places, context());
    const KernelPlan one = matmul(32, 4096, 14336, DType::BFloat4_b, kInterleaved);
    EXPECT_EQ(plan.cores, one.cores);
    EXPECT_EQ(plan.circular_buffers, one.circular_buffers);
    EXPECT_EQ(plan.inputs, places);
    ASSERT_EQ(plan.outputs.size(), 1u);
    EXPECT_EQ(plan.outputs[0], activation_memory(x, Phase::Decode, {8, 8}));
}

TEST_F(Lower, ops_in_place_leave_their_output_where_it_was) {
    // A cache that moved to L1 with its layer would be another cache.
    const Spec cache{{4, 2, 64, 32}, DType::BFloat8_b, tensor::Layout::Tile};
    const std::vector<Spec> one_row{cache, {{4, 2, 32}, DType::BFloat16, tensor::Layout::Tile}};
    const std::vector<MemoryConfig> places{kInterleaved, {BufferType::L1}};
    const tensor::Op update = tensor::UpdateCache{};
    EXPECT_EQ(lower(update, one_row, tensor::infer(update, one_row), places, context()).outputs,
              std::vector{kInterleaved});

    const std::vector<Spec> rows{cache, {{2, 64, 32}, DType::BFloat8_b, tensor::Layout::Tile}};
    const tensor::Op fill = tensor::FillCache{};
    const MemoryConfig in_l1{BufferType::L1};
    EXPECT_EQ(lower(fill, rows, tensor::infer(fill, rows), std::vector{in_l1, in_l1},
                    context(Phase::Prefill))
                  .outputs,
              std::vector{in_l1});
}

TEST_F(Lower, decode_attention_writes_to_dram) {
    // tenstorrent/tt-metal: models/tt_transformers/tt/attention.py leaves the output there.
    const Spec cache{{4, 2, 64, 32}, DType::BFloat8_b, tensor::Layout::Tile};
    const std::vector<Spec> in{{{4, 4, 32}, DType::BFloat16, tensor::Layout::Tile}, cache, cache};
    const tensor::Op op = tensor::SdpaDecode{1.0F};
    const std::vector<MemoryConfig> places{{BufferType::L1}, kInterleaved, kInterleaved};
    const KernelPlan plan = lower(op, in, tensor::infer(op, in), places, context());
    EXPECT_EQ(plan.outputs, std::vector{kInterleaved});
    EXPECT_EQ(plan.inputs, places);
    EXPECT_EQ(plan.cores, 64);  // 4 users x 2 KV heads, 8 cores each
}

TEST_F(Lower, cores_of_a_head_merge_one_after_the_other_in_2025_and_pairwise_later) {
    const Spec cache{{4, 2, 64, 32}, DType::BFloat8_b, tensor::Layout::Tile};
    const std::vector<Spec> in{{{4, 4, 32}, DType::BFloat16, tensor::Layout::Tile}, cache, cache};
    const tensor::Op op = tensor::SdpaDecode{1.0F};
    LowerContext of = context();
    const auto reduction = [&](Release release) {
        of.release = release;
        return lower(op, in, tensor::infer(op, in), std::vector(3, kInterleaved), of)
            .attention.reduction;
    };
    EXPECT_EQ(reduction(Release::R2025), Reduction::Linear);
    EXPECT_EQ(reduction(Release::R2026_05), Reduction::Tree);
    EXPECT_EQ(reduction(Release::R2026_09), Reduction::Tree);
}

TEST_F(Lower, a_decode_norm_runs_on_the_cores_its_row_is_sharded_over) {
    // 96 tiles: 32 cores with 3 each. In prefill every tile row is a core's.
    const Spec gamma{{3072}, DType::BFloat16, tensor::Layout::RowMajor};
    const tensor::Op op = tensor::RmsNorm{};
    const auto cores = [&](std::int64_t rows, Phase phase) {
        const std::vector<Spec> in{{{rows, 3072}, DType::BFloat16, tensor::Layout::Tile}, gamma};
        return lower(op, in, tensor::infer(op, in), std::vector(2, kInterleaved), context(phase))
            .cores;
    };
    EXPECT_EQ(cores(32, Phase::Decode), 32);
    EXPECT_EQ(cores(160, Phase::Prefill), 5);
    EXPECT_EQ(cores(4096, Phase::Prefill), 64);
}

TEST_F(Lower, knows_the_chip_and_every_place) {
    // A plan made without them would be a guess that nobody sees.
    const std::vector<Spec> in{row_of_tiles(1), row_of_tiles(1)};
    const tensor::Op op = tensor::Add{};
    EXPECT_THROW(lower(op, in, tensor::infer(op, in), std::vector{kInterleaved}, context()),
                 std::logic_error);
    EXPECT_THROW(lower(op, in, tensor::infer(op, in), std::vector(2, kInterleaved), {}),
                 std::logic_error);
}

TEST(ActivationMemory, decode_rows_are_width_sharded_in_l1_and_prefill_is_in_dram) {
    // The shards are find_grid's cores; what has no tiles or no grid stays interleaved.
    const auto memory = [](tensor::Shape shape, Phase phase, tensor::Layout layout) {
        return activation_memory({shape, DType::BFloat16, layout}, phase, {8, 8});
    };
    using enum tensor::Layout;
    EXPECT_EQ(memory({32, 8192}, Phase::Decode, Tile),
              (MemoryConfig{BufferType::L1, MemoryLayout::WidthSharded, 32}));
    EXPECT_EQ(memory({3, 1280}, Phase::Decode, Tile),
              (MemoryConfig{BufferType::L1, MemoryLayout::WidthSharded, 40}));
    EXPECT_EQ(memory({32, 8192}, Phase::Prefill, Tile), kInterleaved);
    EXPECT_EQ(memory({32, 8, 128}, Phase::Decode, Tile), (MemoryConfig{BufferType::L1}));
    EXPECT_EQ(memory({64, 8192}, Phase::Decode, Tile), (MemoryConfig{BufferType::L1}));
    EXPECT_EQ(memory({32, 8192}, Phase::Decode, RowMajor), kInterleaved);
}

TEST(NearestCoreCount, is_find_grid_of_tt_transformers) {
    // The divisor nearest 32 that is a grid; of two equally near the smaller.
    EXPECT_EQ(nearest_core_count(128, {8, 8}), 32);
    EXPECT_EQ(nearest_core_count(40, {8, 8}), 40);   // 40 is 8 away, 20 is 12 away
    EXPECT_EQ(nearest_core_count(252, {8, 8}), 28);  // 28 and 36 are both 4 away
    EXPECT_EQ(nearest_core_count(11, {8, 8}), 1);    // 11 cores are no grid of 8 by 8
    EXPECT_EQ(nearest_core_count(11, {12, 10}), 11);
    EXPECT_EQ(nearest_core_count(1, {8, 8}), 1);
}

}  // namespace
}  // namespace dispatch::testing

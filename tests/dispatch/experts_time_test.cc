// Experts with all rows are matmuls of their own (tenstorrent/tt-metal
// models/tt_transformers/tt/mixtral_mlp.py): the clock must not know a faster or a slower kind.
#include "dispatch/experts_time.h"

#include <gtest/gtest.h>

#include "dispatch/lower.h"
#include "tests/dispatch/device_fixture.h"

namespace dispatch::testing {
namespace {

using tensor::DType;
using tensor::Spec;

const MemoryConfig kBanks{mesh::BufferType::Dram, MemoryLayout::DramWidthSharded, 0};

mesh::ChipSpec n150() { return mesh::load_chip(TESSERA_SOURCE_DIR "/topologies/chips/n150.yaml"); }

Spec tiles(tensor::Shape shape, DType dtype) { return {shape, dtype, tensor::Layout::Tile}; }

/// Mixtral-8x7B's expert, or a part of its columns.
struct Question {
    std::int64_t rows = 32;
    std::int64_t columns = 14336;
    std::int64_t experts = 1;
    tensor::Experts op{.rows = tensor::Experts::Rows::All, .experts = 8, .top_k = 2};

    LowerContext context(const mesh::ChipSpec& chip) const {
        return {&chip, chip.worker_grid, rows > 32 ? tensor::Phase::Prefill : tensor::Phase::Decode,
                mesh::Fidelity::LoFi};
    }

    OpTime time() const {
        const mesh::ChipSpec chip = n150();
        const std::vector<Spec> in{tiles({rows, 4096}, DType::BFloat16),
                                   tiles({rows, experts}, DType::BFloat16),
                                   tiles({experts, 4096, columns}, DType::BFloat8_b),
                                   tiles({experts, 4096, columns}, DType::BFloat8_b),
                                   tiles({experts, columns, 4096}, DType::BFloat8_b)};
        const std::vector<MemoryConfig> placed{{}, {}, kBanks, kBanks, kBanks};
        const KernelPlan plan = lower(op, in, tensor::infer(op, in), placed, context(chip));
        return op_time(op, in, {}, plan, chip, MatmulTuning::Model);
    }

    core::Picoseconds matmul(std::int64_t k, std::int64_t n) const {
        const mesh::ChipSpec chip = n150();
        const std::vector<Spec> in{tiles({rows, k}, DType::BFloat16),
                                   tiles({k, n}, DType::BFloat8_b)};
        const std::vector<MemoryConfig> placed{{}, kBanks};
        const tensor::Op linear = tensor::Linear{};
        const KernelPlan plan = lower(linear, in, tensor::infer(linear, in), placed, context(chip));
        return op_time(linear, in, {}, plan, chip, MatmulTuning::Model).total();
    }
};

TEST(ExpertsTime, whole_experts_take_their_three_matmuls_and_little_more) {
    // Decode reads 187 MB of weights; a prompt multiplies on the whole grid, not beside the banks.
    for (const std::int64_t rows : {32, 128, 1024}) {
        SCOPED_TRACE(rows);
        const Question question{.rows = rows};
        const core::Picoseconds matmuls =
            2 * question.matmul(4096, question.columns) + question.matmul(question.columns, 4096);
        EXPECT_GT(question.time().total(), matmuls);
        EXPECT_LT(question.time().total(), matmuls * 5 / 4);
    }
}

TEST(ExpertsTime, a_decode_step_is_bound_by_reading_the_expert) {
    // No kernel reads faster than the peak of DRAM.
    const OpTime time = Question{}.time();
    const core::Bytes weights = tensor::tile_bytes(DType::BFloat8_b) * (3 * 128 * 448);
    EXPECT_EQ(time.bound(), "dram");
    EXPECT_GT(time.total(), weights / n150().dram.peak);
}

TEST(ExpertsTime, experts_of_a_chip_come_one_after_the_other) {
    const core::Picoseconds one = Question{.rows = 128}.time().total();
    const core::Picoseconds two = Question{.rows = 128, .experts = 2}.time().total();
    EXPECT_GE(two, 2 * one);
    EXPECT_LT(two, 2 * one + core::Picoseconds{20'000'000});
    EXPECT_LT(Question({.rows = 128, .columns = 7168}).time().total(), one);
}

TEST(ExpertsTime, chosen_rows_are_another_kernel) {
    Question question{.rows = 1024};
    const core::Picoseconds all = question.time().total();
    question.op.rows = tensor::Experts::Rows::Chosen;
    EXPECT_NE(question.time().total(), all);
    EXPECT_FALSE(experts_time(tensor::Add{}, {}, {}, {}, n150(), MatmulTuning::Model).has_value());
}

}  // namespace
}  // namespace dispatch::testing

// Kernels that stream pages: what the mechanism must keep, and single times that can be worked out
// by hand from the constants of a chip.
#include "dispatch/kernel_question.h"

#include <gtest/gtest.h>

#include "dispatch/kernel_op.h"
#include "mesh/kernel_spec.h"
#include "tests/dispatch/device_fixture.h"

namespace dispatch::testing {
namespace {

mesh::ChipSpec p150() { return mesh::load_chip(TESSERA_SOURCE_DIR "/topologies/chips/p150.yaml"); }
mesh::ChipSpec n150() { return mesh::load_chip(TESSERA_SOURCE_DIR "/topologies/chips/n150.yaml"); }

constexpr MemoryConfig kDram{};

MemoryConfig sharded(MemoryLayout layout, std::int32_t cores) {
    return {mesh::BufferType::L1, layout, cores};
}

KernelOperand tiles(std::int64_t rows, std::int64_t cols, MemoryConfig memory = kDram) {
    return operand({{rows, cols}, tensor::DType::BFloat16, tensor::Layout::Tile}, memory);
}

KernelOperand rows(std::int64_t rows, std::int64_t cols, MemoryConfig memory = kDram) {
    return operand({{rows, cols}, tensor::DType::BFloat16, tensor::Layout::RowMajor}, memory);
}

KernelQuestion question(KernelKind kind, KernelOperand in, KernelOperand out, std::int32_t cores) {
    return {
        .kind = kind, .in = {std::move(in)}, .out = std::move(out), .cores = cores, .pieces = 0};
}

double us(const KernelQuestion& question, const mesh::ChipSpec& chip) {
    return core::to_us(kernel_time(question, chip).total());
}

TEST(KernelTime, a_page_at_a_time_costs_a_latency_per_page) {
    // Readers wait after each batch: 16 pages in one batch wait once, one by one 16 times.
    const mesh::ChipSpec chip = p150();
    const double together = stream_cycles({Place::Dram, 16, 64, 16}, chip);
    const double apart = stream_cycles({Place::Dram, 16, 64, 1}, chip);
    const auto latency = static_cast<double>(chip.kernels->stream.dram_latency.value);
    EXPECT_DOUBLE_EQ(apart - together, 15 * latency);
}

TEST(KernelTime, what_is_in_the_cores_own_l1_is_not_moved) {
    EXPECT_EQ(stream_cycles({Place::Local, 16, 2048, 1}, p150()), 0);
}

TEST(KernelTime, reading_computing_and_writing_overlap_but_for_the_ends) {
    // Three steps of 100, 300 and 200 cycles: 3 x 300, and one read and one write around them.
    const mesh::ChipSpec chip = n150();
    KernelWork work;
    work.steps = 3;
    work.read_cycles = 100;
    work.compute_cycles = 300;
    work.write_cycles = 200;
    EXPECT_EQ(kernel_time(work, chip).total(), chip.kernels->stream.start + 1200_ns);
}

TEST(KernelTime, cores_that_start_on_the_same_banks_take_longer) {
    // 4 pages a core and 12 banks: 64 cores start on 3 of them; 5 pages a core start on all.
    const mesh::ChipSpec chip = n150();
    KernelWork work;
    work.cores = 64;
    work.dram_read = 19'000'000_B;
    work.steps = 4;
    const core::Picoseconds crowded = kernel_time(work, chip).dram;
    work.steps = 5;
    const core::Picoseconds spread = kernel_time(work, chip).dram;
    EXPECT_EQ(spread, chip.kernels->stream.start + 100_us);
    EXPECT_EQ(crowded, chip.kernels->stream.start + 175_us);  // (4 + 4 - 1) / 4
}

TEST(KernelQuestion, norms_of_a_prompt_use_as_many_cores_as_rows_of_tiles) {
    // 8 rows of tiles on 8 or on 64 cores take the same; 16 rows on 8 cores take two rounds.
    const mesh::ChipSpec chip = p150();
    const auto norm = [](std::int64_t length, std::int32_t cores) {
        return question(KernelKind::RmsNorm, tiles(length, 5376), tiles(length, 5376), cores);
    };
    EXPECT_EQ(us(norm(256, 8), chip), us(norm(256, 64), chip));
    EXPECT_GT(us(norm(512, 8), chip), 1.9 * us(norm(256, 8), chip));
}

TEST(KernelQuestion, a_norm_sharded_by_width_gathers_sums_from_its_cores) {
    // Each core has less to sum, the one that gathers has more to add: 32 cores are not faster
    // than 16 where a core has two tiles or one.
    const mesh::ChipSpec chip = n150();
    const auto norm = [](std::int32_t cores) {
        const auto x = tiles(32, 1024, sharded(MemoryLayout::WidthSharded, cores));
        return question(KernelKind::RmsNorm, x, x, cores);
    };
    const KernelWork few = kernel_work(norm(16), chip);
    const KernelWork many = kernel_work(norm(32), chip);
    EXPECT_EQ(few.steps, 2);
    EXPECT_EQ(many.steps, 1);
    EXPECT_GT(many.once_cycles, few.once_cycles);
    EXPECT_GT(us(norm(32), chip), us(norm(16), chip));
}

TEST(KernelQuestion, rows_read_one_by_one_are_slower_than_rows_in_a_batch) {
    // Padding to tiles reads row by row, plain tilizing 32 rows at once.
    const mesh::ChipSpec chip = p150();
    const auto tilize = [](KernelKind kind) {
        return question(kind, rows(7680, 256), tiles(7680, 256), 20);
    };
    EXPECT_GT(us(tilize(KernelKind::TilizePadded), chip), 2 * us(tilize(KernelKind::Tilize), chip));
}

TEST(KernelQuestion, a_row_that_is_added_to_all_rows_is_written_out_by_the_core_for_each_tile) {
    const mesh::ChipSpec chip = p150();
    KernelQuestion add = question(KernelKind::Binary, tiles(7680, 256), tiles(7680, 256), 20);
    add.in.push_back(tiles(7680, 256));
    const double whole = us(add, chip);
    add.in[1] = tiles(1, 256);
    EXPECT_GT(us(add, chip), whole);
}

TEST(KernelQuestion, running_sums_go_slice_by_slice) {
    // 12 slices of 16 tiles on 16 cores: a tile of each in turn.
    const mesh::ChipSpec chip = p150();
    const auto slices = [](std::int64_t count) {
        return operand({{count, 1, 64, 256}, tensor::DType::BFloat16, tensor::Layout::Tile}, kDram);
    };
    const KernelQuestion sums = question(KernelKind::Accumulate, slices(12), slices(12), 16);
    EXPECT_EQ(kernel_work(sums, chip).steps, 12);
    EXPECT_LT(us(question(KernelKind::Accumulate, slices(6), slices(6), 16), chip), us(sums, chip));
}

TEST(KernelQuestion, a_slice_into_shards_reads_no_more_than_it_keeps) {
    const mesh::ChipSpec chip = p150();
    const auto shard = rows(6400, 256, sharded(MemoryLayout::HeightSharded, 20));
    const KernelQuestion narrow = question(KernelKind::PaddedSlice, rows(25600, 256), shard, 20);
    const KernelQuestion wide = question(KernelKind::PaddedSlice, rows(51200, 256), shard, 20);
    EXPECT_EQ(kernel_work(narrow, chip).dram_read, shard.moved);
    EXPECT_EQ(us(narrow, chip), us(wide, chip));
    EXPECT_GT(us(question(KernelKind::PaddedSlice, rows(25600, 256),
                          rows(12800, 256, sharded(MemoryLayout::HeightSharded, 20)), 20),
                 chip),
              us(narrow, chip));
}

TEST(KernelQuestion, padding_of_a_softmax_is_masked_by_one_more_pass) {
    const mesh::ChipSpec chip = n150();
    const auto softmax = [&](std::int64_t cols) {
        return us(question(KernelKind::Softmax, tiles(32, cols), tiles(32, cols), 1), chip);
    };
    EXPECT_GT(softmax(63), softmax(64));
}

TEST(KernelQuestion, published_kernels_of_blackhole_are_near) {
    // tenstorrent/tt-perf-report: tests/data/bh20_oft.csv, 20 cores.
    const mesh::ChipSpec chip = p150();
    const auto near = [&](const KernelQuestion& asked, double measured) {
        EXPECT_NEAR(us(asked, chip) / measured, 1, 0.15);
    };
    const auto by_rows = sharded(MemoryLayout::HeightSharded, 20);
    near(question(KernelKind::Move, tiles(30720, 64, by_rows), tiles(30720, 64, by_rows), 20),
         2.674);
    near(question(KernelKind::Untilize, tiles(7680, 256), rows(7680, 256), 20), 46.97);
    near(question(KernelKind::Tilize, rows(30720, 64, by_rows), tiles(30720, 64, by_rows), 20),
         5.493);
    near(
        question(KernelKind::ShardedToInterleaved, tiles(7680, 128, by_rows), tiles(7680, 128), 20),
        8.483);
    near(question(KernelKind::Unary, tiles(122880, 64), tiles(122880, 64), 20), 190.2);
}

TEST(KernelTime, packed_heads_are_a_tile_of_rotary_where_padded_ones_are_four) {
    // 8 users of 8 heads of 128 (tenstorrent/tt-metal: models/demos/llama3_70b_galaxy/tests,
    // test_llama_ops.py with tiles and decoder_perf_targets_6u.json with rows of heads).
    const mesh::ChipSpec chip =
        mesh::load_chip(TESSERA_SOURCE_DIR "/topologies/chips/wormhole_galaxy.yaml");
    const tensor::Spec heads{{8, 8, 128}, tensor::DType::BFloat16, tensor::Layout::Tile};
    const tensor::Spec table{{8, 1, 128}, tensor::DType::BFloat16, tensor::Layout::Tile};
    const std::vector<tensor::Spec> in{heads, table, table};
    const tensor::Op rotary = tensor::RotaryEmbedding{tensor::Phase::Decode};
    KernelPlan plan;
    plan.cores = 8;
    plan.inputs.assign(3, sharded(MemoryLayout::HeightSharded, 8));
    plan.outputs = {sharded(MemoryLayout::HeightSharded, 8)};
    const auto time = [&] {
        return us(kernel_question(rotary, in, tensor::work(rotary, in, {}), plan).value(), chip);
    };
    EXPECT_NEAR(time() / 3.58, 1, 0.15);
    plan.head_rows = HeadRows::Packed;
    EXPECT_NEAR(time() / 2.234, 1, 0.15);
}

TEST(KernelQuestion, every_op_that_streams_is_a_kernel_and_matmuls_are_not) {
    const tensor::Spec x = row_of_tiles(4);
    KernelPlan plan;
    plan.inputs = {kDram, kDram};
    plan.outputs = {kDram};
    const std::vector<tensor::Spec> two{x, x};
    const tensor::Op add = tensor::Add{};
    const auto asked = kernel_question(add, two, tensor::work(add, two, {}), plan);
    ASSERT_TRUE(asked.has_value());
    EXPECT_EQ(asked->kind, KernelKind::Binary);
    EXPECT_EQ(asked->in[1].moved, x.bytes());
    const std::vector<tensor::Spec> product{
        x, {{128, 64}, tensor::DType::BFloat16, tensor::Layout::Tile}};
    const tensor::Op linear = tensor::Linear{};
    EXPECT_FALSE(
        kernel_question(linear, product, tensor::work(linear, product, {}), plan).has_value());
}

}  // namespace
}  // namespace dispatch::testing

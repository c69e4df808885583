// Matmul times: the decode kernel of one core per DRAM bank, the blocks of the worker grid, and the
// published tables (tests/data/matmul: tenstorrent/tt-metal tech_reports/GEMM_FLOPS/GEMM_FLOPS.md).
#include "dispatch/matmul_time.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "dispatch/lower.h"
#include "tests/dispatch/device_fixture.h"

namespace dispatch::testing {
namespace {

using mesh::Fidelity;
using tensor::DType;

mesh::ChipSpec chip_of(const std::string& name) {
    return mesh::load_chip(TESSERA_SOURCE_DIR "/topologies/chips/" + name + ".yaml");
}

MatmulSpecs matmul(std::int64_t m, std::int64_t k, std::int64_t n, DType x, DType weight) {
    return {{{m, k}, x, tensor::Layout::Tile},
            {{k, n}, weight, tensor::Layout::Tile},
            {{m, n}, x, tensor::Layout::Tile}};
}

const MemoryConfig kDram{};
const MemoryConfig kL1{mesh::BufferType::L1, MemoryLayout::BlockSharded, 64};
const MemoryConfig kBanks{mesh::BufferType::Dram, MemoryLayout::DramWidthSharded, 0};

KernelPlan on_grid(mesh::Grid grid, Fidelity fidelity, MemoryConfig activations) {
    KernelPlan plan;
    plan.grid = grid;
    plan.cores = grid.cores();
    plan.fidelity = fidelity;
    plan.inputs = {activations, kDram};
    plan.outputs = {activations};
    return plan;
}

/// 12 tile columns on 12 banks: every core has one, 1000 tiles deep.
OpTime a_column_per_bank(DType weight, Fidelity fidelity) {
    const mesh::ChipSpec chip = chip_of("n150");
    const std::vector<tensor::Spec> in{{{32, 32'000}, DType::BFloat16, tensor::Layout::Tile},
                                       {{32'000, 384}, weight, tensor::Layout::Tile}};
    const MemoryConfig sharded{mesh::BufferType::L1, MemoryLayout::WidthSharded, 50};
    const std::vector<MemoryConfig> placed{sharded, kBanks};
    const tensor::Op op = tensor::Linear{};
    const KernelPlan plan = lower(op, in, tensor::infer(op, in), placed,
                                  {&chip, chip.worker_grid, tensor::Phase::Decode, fidelity});
    EXPECT_EQ(plan.cores, 12);
    return op_time(op, in, {}, plan, chip);
}

TEST(BankMatmul, formats_and_fidelities_decide_between_bank_and_matrix_unit) {
    // At 20 GB/s a bank gives a bfp4 tile in 28.8 ns: HiFi2 already multiplies longer than that.
    struct Row {
        DType dtype;
        Fidelity fidelity;
        core::Picoseconds read, multiply;
        const char* bound;
    };
    const std::vector<Row> rows = {
        {DType::BFloat4_b, Fidelity::LoFi, 28'800_ps, 16_ns, "dram"},
        {DType::BFloat4_b, Fidelity::HiFi2, 28'800_ps, 32_ns, "compute"},
        {DType::BFloat4_b, Fidelity::HiFi4, 28'800_ps, 64_ns, "compute"},
        {DType::BFloat8_b, Fidelity::LoFi, 54'400_ps, 16_ns, "dram"},
        {DType::BFloat8_b, Fidelity::HiFi2, 54'400_ps, 32_ns, "dram"},
        {DType::BFloat8_b, Fidelity::HiFi4, 54'400_ps, 64_ns, "compute"},
        {DType::BFloat16, Fidelity::HiFi2, 102'400_ps, 32_ns, "dram"},
        {DType::BFloat16, Fidelity::HiFi4, 102'400_ps, 64_ns, "dram"},
    };
    for (const Row& row : rows) {
        const OpTime time = a_column_per_bank(row.dtype, row.fidelity);
        const std::string what =
            std::string(tensor::name(row.dtype)) + " " + mesh::to_text(row.fidelity);
        EXPECT_EQ(time.dram, row.read * 1000) << what;
        EXPECT_EQ(time.compute, row.multiply * 1000) << what;
        EXPECT_EQ(time.bound(), row.bound) << what;
        EXPECT_EQ(time.total(), std::max(row.read, row.multiply) * 1000) << what;
    }
}

TEST(BankMatmul, the_fullest_bank_decides) {
    // 13 columns on 12 banks are two on each of six and one on a seventh: as long as 24.
    const mesh::ChipSpec chip = chip_of("n150");
    KernelPlan plan = on_grid(chip.worker_grid, Fidelity::LoFi, kL1);
    plan.inputs[1] = kBanks;
    plan.cores = 7;
    const MatmulSpecs uneven = matmul(32, 4096, 13 * 32, DType::BFloat16, DType::BFloat8_b);
    const MatmulSpecs full = matmul(32, 4096, 24 * 32, DType::BFloat16, DType::BFloat8_b);
    const OpTime some = matmul_time(uneven, plan, {}, chip, MatmulTuning::Tuned);
    plan.cores = 12;
    EXPECT_EQ(some.total(), matmul_time(full, plan, {}, chip, MatmulTuning::Tuned).total());
}

TEST(BankMatmul, prefill_reads_the_same_weight_over_the_whole_grid) {
    // Decode's kernel takes one tile row; a chunk of 2048 tokens on 12 cores would take five times
    // as long.
    const mesh::ChipSpec chip = chip_of("n150");
    KernelPlan plan = on_grid(chip.worker_grid, Fidelity::HiFi2, kDram);
    const MatmulSpecs specs = matmul(2048, 4096, 4096, DType::BFloat16, DType::BFloat8_b);
    const OpTime interleaved = matmul_time(specs, plan, {}, chip, MatmulTuning::Tuned);
    plan.inputs[1] = kBanks;
    EXPECT_FALSE(is_dram_sharded(specs, plan));
    EXPECT_EQ(matmul_time(specs, plan, {}, chip, MatmulTuning::Tuned).total(), interleaved.total());
}

TEST(GridMatmul, ttnn_defaults_cut_the_output_as_its_rules_say) {
    // create_simple_matmul_program_config: squares of 16 tiles first; one row of squares is 1-D.
    const mesh::ChipSpec chip = chip_of("n150");
    const KernelPlan plan = on_grid({8, 8}, Fidelity::HiFi2, kDram);
    const auto blocks = [&](std::int64_t m, std::int64_t k, std::int64_t n) {
        return matmul_blocks(matmul(m, k, n, DType::BFloat16, DType::BFloat16), plan, chip,
                             MatmulTuning::OutOfBox);
    };
    EXPECT_EQ(blocks(512, 512, 512), (MatmulBlocks{Multicast::Both, 2, 2, 2, 2, 2, 2, 2}));
    EXPECT_EQ(blocks(512, 1024, 1024),
              (MatmulBlocks{Multicast::Activations, 16, 1, 16, 1, 2, 8, 1}));
    EXPECT_EQ(blocks(1024, 1024, 512), (MatmulBlocks{Multicast::Weight, 1, 16, 1, 16, 2, 1, 8}));
    EXPECT_EQ(blocks(2048, 2048, 2048), (MatmulBlocks{Multicast::Both, 8, 8, 8, 8, 8, 4, 2}));
    EXPECT_EQ(blocks(3072, 3072, 3072).passes(), 2);  // 12x12 tiles 12 deep are too much for L1
    EXPECT_EQ(blocks(32, 4096, 4096).multicast, Multicast::Activations);
}

TEST(GridMatmul, tuned_blocks_fit_and_are_never_slower_than_the_defaults) {
    // Tuning looks at a superset of what the defaults may choose, on both axes.
    const mesh::ChipSpec chip = chip_of("n150");
    const KernelPlan plan = on_grid({8, 8}, Fidelity::HiFi2, kDram);
    for (const std::int64_t m : {256, 512, 1056, 3072}) {
        for (const std::int64_t n : {512, 1024, 4128}) {
            const MatmulSpecs specs = matmul(m, 1024, n, DType::BFloat16, DType::BFloat8_b);
            const auto tuned = matmul_time(specs, plan, {}, chip, MatmulTuning::Tuned).total();
            const auto out = matmul_time(specs, plan, {}, chip, MatmulTuning::OutOfBox).total();
            EXPECT_LE(tuned, out) << m << "x" << n;
        }
    }
}

TEST(GridMatmul, partial_tiles_and_unused_cores_cost_like_whole_ones) {
    // 33 rows are two tiles; 9 tile rows on 8 rows of cores are two each, as 16 are.
    const mesh::ChipSpec chip = chip_of("n150");
    const KernelPlan plan = on_grid({8, 8}, Fidelity::HiFi4, kL1);
    const auto compute = [&](std::int64_t m, std::int64_t n) {
        return matmul_time(matmul(m, 2048, n, DType::BFloat16, DType::BFloat16), plan, {}, chip,
                           MatmulTuning::OutOfBox)
            .compute;
    };
    EXPECT_EQ(compute(9 * 32, 512), compute(16 * 32, 512));
    EXPECT_EQ(compute(15 * 32 + 1, 512), compute(16 * 32, 512));
    EXPECT_EQ(compute(512, 57 * 32), compute(512, 64 * 32));
    EXPECT_LT(compute(8 * 32, 512), compute(9 * 32, 512));
}

TEST(GridMatmul, models_take_eight_columns_rows_that_divide_k_and_batches_of_a_prompt) {
    // models/tt_transformers/tt/model_config.py: find_prefill_grid, matmul_config,
    // prefill_len_cutoff.
    const mesh::ChipSpec wormhole = chip_of("n150");
    const KernelPlan plan = on_grid({8, 8}, Fidelity::HiFi2, kDram);
    const auto blocks = [&](std::int64_t m, std::int64_t k, std::int64_t n) {
        return matmul_blocks(matmul(m, k, n, DType::BFloat16, DType::BFloat8_b), plan, wormhole,
                             MatmulTuning::Model);
    };
    EXPECT_EQ(blocks(128, 4096, 14336), (MatmulBlocks{Multicast::Both, 1, 56, 1, 56, 8, 1, 4, 1}));
    EXPECT_EQ(blocks(4096, 3584, 4096), (MatmulBlocks{Multicast::Both, 4, 16, 4, 16, 7, 1, 4, 4}));
    const KernelPlan wide = on_grid({11, 10}, Fidelity::HiFi2, kDram);
    const auto p100 = matmul_blocks(matmul(1024, 4096, 4096, DType::BFloat16, DType::BFloat8_b),
                                    wide, chip_of("p100"), MatmulTuning::Model);
    EXPECT_EQ(p100.core_cols, 19);
    EXPECT_EQ(p100.batches, 2);
}

TEST(GridMatmul, each_projection_of_a_model_has_its_config) {
    // models/tt_transformers/tt/model_config.py: XQKV_PREFILL_PROGCFG, WO_PREFILL_PROGCFG (the
    // heads of one device), PREFILL_MLP_W2_PRG_CONFIG (hidden_dim of all devices),
    // get_out_subblock_w.
    using Makes = Projection::Makes;
    const mesh::ChipSpec wormhole = chip_of("n150");
    KernelPlan plan = on_grid({8, 8}, Fidelity::HiFi2, kDram);
    const auto blocks = [&](std::int64_t m, std::int64_t k, std::int64_t n, Makes makes,
                            std::int64_t depth_tiles) {
        plan.projection.makes = makes;
        plan.projection.depth_tiles = depth_tiles;
        return matmul_blocks(matmul(m, k, n, DType::BFloat16, DType::BFloat8_b), plan, wormhole,
                             MatmulTuning::Model);
    };
    EXPECT_EQ(blocks(4096, 5120, 896, Makes::Qkv, 0),
              (MatmulBlocks{Multicast::Both, 8, 4, 8, 4, 1, 1, 1, 2}));
    EXPECT_EQ(blocks(128, 640, 5120, Makes::Output, 20).block_depth, 4);
    EXPECT_EQ(blocks(128, 8192, 1024, Makes::Output, 32).block_depth, 4);
    EXPECT_EQ(blocks(128, 9728, 3584, Makes::Down, 608).block_depth, 4);  // 304 alone: 2
    EXPECT_EQ(blocks(128, 9728, 3584, Makes::Down, 608).sub_cols, 2);
    EXPECT_EQ(blocks(128, 3584, 9472, Makes::Other, 0).sub_cols, 1);  // 37 tiles
    plan.projection.sub_blocks = Projection::SubBlocks::Single;
    EXPECT_EQ(blocks(128, 9728, 3584, Makes::Down, 608).sub_cols, 1);
}

TEST(GridMatmul, newer_models_leave_long_prompts_of_two_projections_to_minimal_matmul) {
    // tenstorrent/tt-metal PR #37739: QKV and w2 of more than 128 rows.
    const mesh::ChipSpec wormhole = chip_of("n150");
    KernelPlan plan = on_grid({8, 8}, Fidelity::HiFi2, kDram);
    const auto hops = [&](std::int64_t m, Projection::Makes makes) {
        plan.projection.makes = makes;
        return matmul_blocks(matmul(m, 4096, 4096, DType::BFloat16, DType::BFloat8_b), plan,
                             wormhole, MatmulTuning::NewerModel)
            .hops;
    };
    EXPECT_EQ(hops(128, Projection::Makes::Qkv), 0);
    EXPECT_EQ(hops(1024, Projection::Makes::Qkv), 7);
    EXPECT_EQ(hops(1024, Projection::Makes::Down), 7);
    EXPECT_EQ(hops(1024, Projection::Makes::Output), 0);
}

TEST(GridMatmul, narrow_sub_blocks_unpack_an_operand_for_every_product) {
    // Multiplying bfp4 by bf16 in LoFi: the activations go into the registers once for four
    // products, or for each.
    const mesh::ChipSpec chip = chip_of("n150");
    KernelPlan plan = on_grid({8, 8}, Fidelity::LoFi, kDram);
    const MatmulSpecs specs = matmul(1024, 4096, 4096, DType::BFloat16, DType::BFloat4_b);
    const auto compute = [&] {
        return core::to_us(matmul_time(specs, plan, {}, chip, MatmulTuning::Model).compute);
    };
    const double wide = compute();
    plan.projection.sub_blocks = Projection::SubBlocks::Single;
    EXPECT_GT(compute(), 1.8 * wide);
}

TEST(GridMatmul, few_rows_take_as_long_as_the_edge_of_the_grid_reads_the_weight) {
    // One chip's share of a Llama 70B, 128 rows (tenstorrent/tt-metal: models/demos/
    // llama3_70b_galaxy/tests/perf_targets/prefill_128.json); weights in bfp8 and bfp4.
    const mesh::ChipSpec chip = chip_of("wormhole_galaxy");
    const auto us = [&](std::int64_t k, std::int64_t n, DType weight, Fidelity fidelity) {
        const KernelPlan plan = on_grid(chip.worker_grid, fidelity, kDram);
        const MatmulSpecs specs = matmul(128, k, n, DType::BFloat8_b, weight);
        return core::to_us(matmul_time(specs, plan, {}, chip, MatmulTuning::Model).total());
    };
    EXPECT_NEAR(us(2048, 1280, DType::BFloat8_b, Fidelity::HiFi2) / 45.0, 1, 0.15);
    EXPECT_NEAR(us(1024, 2048, DType::BFloat8_b, Fidelity::HiFi2) / 37.8, 1, 0.15);
    EXPECT_NEAR(us(2048, 3584, DType::BFloat4_b, Fidelity::LoFi) / 61.4, 1, 0.15);
    EXPECT_NEAR(us(3584, 2048, DType::BFloat8_b, Fidelity::HiFi2) / 115.3, 1, 0.15);
}

struct Published {
    std::string arch, format;
    MatmulTuning tuning = MatmulTuning::Tuned;
    mesh::Grid grid;
    std::int64_t m = 0, k = 0, n = 0;
    DType dtype = DType::BFloat16;
    Fidelity fidelity = Fidelity::LoFi;
    MemoryConfig activations;
    double us = 0;
};

std::vector<Published> published(const std::string& name) {
    std::ifstream file(TESSERA_SOURCE_DIR "/tests/data/matmul/" + name);
    EXPECT_TRUE(file.good()) << name;
    const std::map<std::string, DType> dtypes{{"BFLOAT16", DType::BFloat16},
                                              {"BFLOAT8_B", DType::BFloat8_b},
                                              {"BFLOAT4_B", DType::BFloat4_b}};
    const std::map<std::string, Fidelity> fidelities{
        {"LoFi", Fidelity::LoFi}, {"HiFi2", Fidelity::HiFi2}, {"HiFi4", Fidelity::HiFi4}};
    std::vector<Published> rows;
    std::string line;
    while (std::getline(file, line)) {
        if (line.starts_with('#') || line.starts_with("config")) continue;
        std::ranges::replace(line, ',', ' ');
        std::istringstream words(line);
        std::string config, place, dtype, fidelity;
        Published row;
        words >> config >> row.grid.x >> row.grid.y >> row.m >> row.k >> row.n >> place >> dtype >>
            fidelity >> row.us;
        EXPECT_FALSE(words.fail()) << line;
        row.tuning = config == "out_of_box" ? MatmulTuning::OutOfBox : MatmulTuning::Tuned;
        row.activations = place == "L1" ? kL1 : kDram;
        row.dtype = dtypes.at(dtype);
        row.fidelity = fidelities.at(fidelity);
        row.format = config + " " + dtype + " " + fidelity;
        rows.push_back(row);
    }
    return rows;
}

/// Every third size, the smallest but one first: not looked at when constants were fitted.
std::set<std::vector<std::int64_t>> held_out(const std::vector<Published>& rows) {
    std::set<std::vector<std::int64_t>> sizes;
    for (const Published& row : rows) sizes.insert({row.m * row.k * row.n, row.m, row.k, row.n});
    std::set<std::vector<std::int64_t>> held;
    std::size_t index = 0;
    for (const auto& size : sizes) {
        if (index++ % 3 == 1) held.insert(size);
    }
    return held;
}

double error_of(const Published& row, const mesh::ChipSpec& chip) {
    const KernelPlan plan = on_grid(row.grid, row.fidelity, row.activations);
    const OpTime time =
        matmul_time(matmul(row.m, row.k, row.n, row.dtype, row.dtype), plan, {}, chip, row.tuning);
    return core::to_us(time.total() + chip.launch.traced_gap) / row.us - 1;
}

double median(std::vector<double> errors) {
    EXPECT_FALSE(errors.empty());
    if (errors.empty()) return 1;
    std::ranges::sort(errors);
    const std::size_t half = errors.size() / 2;
    return errors.size() % 2 == 1 ? errors[half] : (errors[half - 1] + errors[half]) / 2;
}

/// Absolute errors of a table by group; the groups "tuned", "held out tuned", ... are sums.
std::map<std::string, std::vector<double>> errors_of(const std::string& table,
                                                     const std::string& chip_name) {
    const mesh::ChipSpec chip = chip_of(chip_name);
    const std::vector<Published> rows = published(table);
    const auto held = held_out(rows);
    std::map<std::string, std::vector<double>> errors;
    for (const Published& row : rows) {
        const double error = std::abs(error_of(row, chip));
        const bool is_held = held.contains({row.m * row.k * row.n, row.m, row.k, row.n});
        const std::string kind = row.tuning == MatmulTuning::Tuned ? "tuned" : "out of box";
        errors[row.format].push_back(error);
        errors[kind].push_back(error);
        if (is_held) errors["held out " + kind].push_back(error);
    }
    return errors;
}

// Rows of GEMM_FLOPS.md with trace: without it the host's 20 to 180 us per call hide the device.
class PublishedMatmul : public ::testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(PublishedMatmul, times_are_within_10_percent_tuned_and_20_out_of_the_box) {
    // Medians; every format and fidelity, and the sizes the constants were not fitted to.
    const auto errors = errors_of(GetParam().first, GetParam().second);
    EXPECT_EQ(errors.size(), 8u + 4u);
    EXPECT_EQ(errors.at("tuned").size() + errors.at("out of box").size(), 72u);
    for (const auto& [group, values] : errors) {
        const bool tuned = group.find("tuned") != std::string::npos;
        EXPECT_LE(median(values), tuned ? 0.10 : 0.20) << group;
        RecordProperty(group, std::to_string(100 * median(values)));
    }
}

INSTANTIATE_TEST_SUITE_P(Tables, PublishedMatmul,
                         ::testing::Values(std::pair{"gemm_wh.csv", "n150"},
                                           std::pair{"gemm_bh.csv", "p150"}),
                         [](const auto& table) { return std::string(table.param.second); });

}  // namespace
}  // namespace dispatch::testing

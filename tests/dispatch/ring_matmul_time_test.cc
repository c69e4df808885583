// Matmuls of prefetched weights against the measured ones of one Galaxy chip.
#include "dispatch/ring_matmul_time.h"

#include <gtest/gtest.h>

#include <array>

#include "tests/dispatch/device_fixture.h"

namespace dispatch::testing {
namespace {

struct Product {
    const char* name;
    std::int64_t depth;
    std::int64_t columns;
    double measured_us;
};
// tenstorrent/tt-metal models/demos/llama3_70b_galaxy/tests/decoder_perf_targets_6u.json (tree of
// 2026-05-23): Matmul_0, Matmul_1, Matmul_2; bfp8 weights, HiFi2.
constexpr std::array kProducts{Product{"QKV_MM", 2048, 1280, 7.08},
                               Product{"DO_MM", 1024, 2048, 7.70},
                               Product{"FF2_MM", 3840, 2048, 13.97}};

double time_us(std::int64_t depth, std::int64_t columns, std::int32_t cores,
               tensor::DType rows = tensor::DType::BFloat8_b) {
    const mesh::ChipSpec chip =
        mesh::load_chip(TESSERA_SOURCE_DIR "/topologies/chips/wormhole_galaxy.yaml");
    const MatmulSpecs specs{{{32, depth}, rows},
                            {{depth, columns}, tensor::DType::BFloat8_b},
                            {{32, columns}, tensor::DType::BFloat8_b}};
    KernelPlan plan;
    plan.fidelity = mesh::Fidelity::HiFi2;
    plan.inputs.resize(2);
    plan.outputs.resize(1);
    place_on_ring(plan, specs, cores);
    return core::to_us(ring_matmul_time(specs, plan, chip).total());
}

TEST(RingMatmulTime, published_matmuls_are_met_without_a_constant_of_their_own) {
    // Start, tile cycles, a tile's way through the core at every step, padding to 24 cores.
    for (const Product& product : kProducts) {
        EXPECT_NEAR(time_us(product.depth, product.columns, 24) / product.measured_us, 1, 0.15)
            << product.name;
    }
}

TEST(RingMatmulTime, a_weight_in_dram_is_read_through_two_blocks) {
    // The ring of an LM head: 64 tiles of depth and 512 of columns on 32 cores.
    const MatmulSpecs specs{{{32, 2048}, tensor::DType::BFloat16},
                            {{2048, 16384}, tensor::DType::BFloat8_b},
                            {{32, 16384}, tensor::DType::BFloat8_b}};
    KernelPlan plan;
    plan.inputs.resize(2);
    plan.outputs.resize(1);
    plan.inputs[1].layout = MemoryLayout::DramWidthSharded;
    read_on_ring(plan, specs, 32);
    EXPECT_FALSE(is_ring(specs, plan));
    EXPECT_EQ(plan.cores, 32);
    EXPECT_EQ(plan.circular_buffer_bytes().value,
              64 * 2048 + 16 * 1088 + 16 * 2048 + 2 * 2 * 16 * 1088);
    // Matmul_0 of the model's tail in the same file: 142.7 us, 250 GB/s.
    const mesh::ChipSpec chip =
        mesh::load_chip(TESSERA_SOURCE_DIR "/topologies/chips/wormhole_galaxy.yaml");
    ASSERT_TRUE(reads_on_ring(specs, plan, chip));
    plan.fidelity = mesh::Fidelity::HiFi2;
    const OpTime time = ring_matmul_time(specs, plan, chip);
    EXPECT_EQ(time.bound(), "dram");
    EXPECT_NEAR(core::to_us(time.total()) / 142.7, 1, 0.1);
}

TEST(RingMatmulTime, shares_are_whole_tiles_of_every_core) {
    // 64 tiles of depth on 24 cores are 3 each, as 72 are.
    EXPECT_EQ(time_us(2048, 1280, 24), time_us(2304, 1536, 24));
    EXPECT_LT(time_us(2048, 1280, 24), time_us(2336, 1536, 24));
    // More cores take more steps; with enough to multiply they are faster all the same.
    EXPECT_LT(time_us(4096, 1280, 32), time_us(4096, 1280, 24));
}

TEST(RingMatmulTime, narrow_products_wait_for_the_rows_that_go_round) {
    // One tile of columns per core: passing 32 bytes a cycle takes longer than multiplying.
    EXPECT_GT(time_us(2048, 768, 24, tensor::DType::Float32),
              time_us(2048, 768, 24, tensor::DType::BFloat8_b));
    EXPECT_EQ(time_us(2048, 3072, 24, tensor::DType::BFloat16),
              time_us(2048, 3072, 24, tensor::DType::BFloat8_b));
}

}  // namespace
}  // namespace dispatch::testing

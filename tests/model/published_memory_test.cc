// Sizes that real stacks printed, read off the plan of the model they were printed for. The
// allocator's own answers are in tests/dispatch/published_memory_test.cc, what fails and what half
// of it does in fit_boundary_test.cc. "#n" is tenstorrent/tt-metal. Which test has which example:
//
//   100,000,000 B of traces: 1,200,000,000, 100,073,472 TraceRegion (tests/mesh)
//   regions of 864, 256, 146,112 and 220,004,352 B      TraceRegion
//   a page of 1024 B in 864 B; 18 pages in 147,456 B    BankAllocator.a_trace_of_*
//   7,929,856 B: 968 pages, 663,552 B per bank          TraceLayout, Banks, TraceTest
//   751,616 B and a region of 0                         TraceOverflow, TraceTest
//   a refused trace stays booked                        TraceTest.the_counter_is_raised_*
//   3072 B TRACE in 256 B (#49324)                      PublishedOutOfMemory (tests/dispatch)
//   4,894,720, 9,787,392 and 552,960 per bank           BytesPerBank, PublishedOutOfMemory
//   28,672 tiles are not 4,893,355 B per bank           BytesPerBank.counts_whole_pages_*
//   one tile takes 24,576 B of a chip                   BankAllocator, MeshDevice.one_tile_*
//   bfp8 page 1088 B; a row of 38 B takes 64 B          BytesPerBank.rounds_each_page_*
//   888,424,448 + 183,397,344 = 1,071,821,792           BankAllocator.a_fragmented_bank_*
//   clash of 974,336 and 1,089,536: short by 115,200    CircularBuffers, PublishedClash
//   1,741,152 and 1,574,080 beyond max L1               CircularBuffers, PublishedClash
//   65 shards on 64 cores                               ShardCount, MeshDevice.more_shards_*
//   first fit from below; L1 from l1_small down         BankAllocator.the_freed_*, Banks
//   one address on all chips; a sub-range frees nothing MeshDevice.a_tensor_has_one_*
//   out of memory is decided once for a mesh            MeshDevice.out_of_memory_is_*
//   L1_SMALL without a region: bank size is 0 B         BankAllocator.l1_small_*, Banks
//   banks of 1,073,741,792 and 4,272,341,376 B          Banks
//   banks of 1,048,741,792 and 881,300,448 B            here, PublishedOutOfMemory
//   texts of 2024, 2025 and 2026                        PublishedOutOfMemory, BankAllocator
//   w1 of Llama-3.1-8B: 33,619,968, 2,801,664           here, FitBoundary, PublishedOutOfMemory
//   its embedding: 1,050,673,152, 87,556,096            here, PublishedOutOfMemory
//   K cache: 71,999,488, 6,000,320 (#21904)             here, FitBoundary, PublishedOutOfMemory
//   268,435,456 and 536,870,912 (#24105, #19890)        here, FitBoundary, PublishedOutOfMemory
//   234,881,024 and 499,122,176 (#30619, #29905)        here, PublishedOutOfMemory
//   weights and 12,260,901,504 B usable of 8B           DeploymentMemory
#include <algorithm>
#include <map>

#include "model/head_padding.h"
#include "tests/model/model_fixture.h"

namespace model::testing {
namespace {

using dispatch::AllocationRequest;
using dispatch::Buffer;
using dispatch::Program;

constexpr std::int64_t kWormholeBanks = 12;

Config published(const std::string& folder) {
    return load_config(project_file("models/configs/" + folder));
}

Deployment laid_out(const Config& config, std::string_view mesh, std::string_view precision,
                    std::string_view base_model, DeploymentOptions options = {}) {
    return {config,
            precision_preset(precision, base_model,
                             static_cast<std::int32_t>(config.num_hidden_layers)),
            mesh_named(mesh), std::move(options)};
}

Deployment llama_8b(std::string_view precision, DeploymentOptions options = {}) {
    return laid_out(published("Llama-3.1-8B-Instruct"), "n150", precision, "Llama-3.1-8B",
                    std::move(options));
}

/// What the allocator is asked for: whole buffer, and each bank's share.
struct Asked {
    std::int64_t size = 0;
    std::int64_t per_bank = 0;
    bool operator==(const Asked&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Asked& asked) {
    return out << asked.size << " B, " << asked.per_bank << " B per bank";
}

Asked asked_for(const Buffer& buffer) {
    const AllocationRequest request =
        dispatch::allocation_request(buffer.spec, buffer.memory, kWormholeBanks);
    return {
        request.size.value,
        mesh::bytes_per_bank(request.pages, request.page, kWormholeBanks, core::Bytes{32}).value};
}

/// The buffer of this name or of "layers.A-B." and this name, that covers layer 0.
const Buffer& buffer_of(const Program& program, const std::string& name) {
    const auto found = std::ranges::find_if(program.buffers, [&](const Buffer& buffer) {
        return buffer.first_layer == 0 &&
               (buffer.name == name || buffer.name.ends_with("." + name));
    });
    core::require(found != program.buffers.end(), "the program has this buffer");
    return *found;
}

bool has_dram_buffer(const Program& program, Asked asked) {
    return std::ranges::any_of(program.buffers, [&](const Buffer& buffer) {
        return buffer.memory.type == mesh::BufferType::Dram && asked_for(buffer) == asked;
    });
}

TEST(PublishedSizes, w1_of_llama_8b_is_33619968_bytes_and_2801664_in_each_bank) {
    // tt-inference-server #314. 14336 columns are 448 tiles; 12 banks hold 38 tile columns each.
    Deployment deployment = llama_8b("performance");
    const Buffer& w1 = buffer_of(*deployment.decode(), "feed_forward.w1");
    EXPECT_EQ(asked_for(w1), (Asked{33'619'968, 2'801'664}));
    EXPECT_EQ(w1.instances, 31);  // layer 31 stays in bfp8

    const dispatch::MemoryPlan plan = deployment.plan_memory();
    ASSERT_TRUE(plan.fits());
    std::map<std::int64_t, int> placed;
    for (const dispatch::Placed& buffer : plan.placed) {
        const bool gate_or_up =
            buffer.name.ends_with(".feed_forward.w1") || buffer.name.ends_with(".feed_forward.w3");
        if (gate_or_up) ++placed[buffer.per_bank.value];
    }
    EXPECT_EQ(placed, (std::map<std::int64_t, int>{{2'801'664, 62}, {5'292'032, 2}}));
}

TEST(PublishedSizes, the_embedding_of_llama_8b_takes_87556096_bytes_of_each_bank) {
    // tt-forge #855 and tt-xla #5494.
    const Deployment deployment = llama_8b("performance");
    EXPECT_EQ(asked_for(buffer_of(*deployment.decode(), "tok_embeddings")),
              (Asked{1'050'673'152, 87'556'096}));
}

TEST(PublishedSizes, a_cache_of_1034_blocks_is_71999488_bytes_and_6000320_in_each_bank) {
    // #21904 prints the shape too: (1034, 8, 64, 128) in bfp8, 66,176 tokens.
    DeploymentOptions options;
    options.context = 66'176;
    options.block_size = 64;
    const Deployment deployment = llama_8b("accuracy", options);
    for (const char* name : {"attention.k_cache", "attention.v_cache"}) {
        const Buffer& cache = buffer_of(*deployment.decode(), name);
        EXPECT_EQ(cache.spec.shape, (tensor::Shape{1034, 8, 64, 128}));
        EXPECT_EQ(cache.spec.dtype, tensor::DType::BFloat8_b);
        EXPECT_EQ(asked_for(cache), (Asked{71'999'488, 6'000'320}));
        EXPECT_EQ(cache.instances, 32);
    }
}

TEST(PublishedSizes, a_chunk_through_the_feed_forward_of_llama_8b_has_the_published_sizes) {
    // tt-xla #4130 (2048 rows), #31076 and tt-mlir #6785 (4096 rows): rows x 14336 in bf16.
    DeploymentOptions options;
    options.context = 8192;
    Deployment deployment = llama_8b("performance", options);
    for (const auto& [rows, asked] :
         {std::pair{2048, Asked{58'720'256, 4'894'720}}, {4096, Asked{117'440'512, 9'787'392}}}) {
        const auto program = deployment.prefill(rows, StepShape::Chunk::First);
        for (const char* name : {"feed_forward.w1", "feed_forward.w3"}) {
            const auto made = std::ranges::find_if(program->buffers, [&](const Buffer& buffer) {
                return buffer.name == name && buffer.kind == tensor::ValueKind::Computed;
            });
            ASSERT_NE(made, program->buffers.end()) << name;
            EXPECT_EQ(asked_for(*made), asked) << name << " of " << rows;
        }
    }
}

TEST(PublishedSizes, chunks_of_32k_over_eight_chips_have_the_published_sizes) {
    // #30619: ffn 28672 / 8 (Llama 70B and 90B). #24105: ffn 32768 / 8 (Qwen2.5-72B, its 29568
    // padded to 32 cores x 32 x 8 devices, PAD_MLP_CORES of tt_transformers). #19890: the whole
    // width of 8192.
    DeploymentOptions options;
    options.context = 32768;
    Deployment llama = laid_out(published("Llama-3.1-70B-Instruct"), "t3k", "performance",
                                "Llama-3.1-70B", options);
    const auto llama_chunk = llama.prefill(32768, StepShape::Chunk::First);
    EXPECT_TRUE(has_dram_buffer(*llama_chunk, {234'881'024, 19'574'784}));
    EXPECT_TRUE(has_dram_buffer(*llama_chunk, {536'870'912, 44'740'608}));

    const Config config =
        pad_feed_forward(published("Qwen2.5-72B-Instruct"), "Qwen2.5-72B", 8, std::nullopt);
    EXPECT_EQ(config.intermediate_size, 32768);
    Deployment qwen = laid_out(config, "t3k", "performance", "Qwen2.5-72B", options);
    const auto qwen_chunk = qwen.prefill(32768, StepShape::Chunk::First);
    EXPECT_TRUE(has_dram_buffer(*qwen_chunk, {268'435'456, 22'370'304}));
    EXPECT_TRUE(has_dram_buffer(*qwen_chunk, {536'870'912, 44'740'608}));
}

TEST(PublishedSizes, all_128k_rows_at_once_make_a_product_of_499122176_bytes) {
    // #29905: 131072 x 3584 in bfp8, the product of gate and up on one of eight chips.
    DeploymentOptions options;
    options.context = 131'072;
    Deployment deployment = laid_out(published("Llama-3.3-70B-Instruct"), "t3k", "performance",
                                     "Llama-3.3-70B", options);
    const auto program = deployment.prefill(131'072, StepShape::Chunk::First);
    EXPECT_EQ(asked_for(buffer_of(*program, "feed_forward.mul")), (Asked{499'122'176, 41'594'240}));
}

TEST(PublishedSizes, a_plan_leaves_the_published_banks) {
    // #30619: 25,000,000 of each bank for traces leave 1,048,741,792; #29905: 881,300,448 are left.
    for (const auto& [region, bank] :
         {std::pair{25'000'000, 1'048'741'792}, {192'441'344, 881'300'448}, {0, 1'073'741'792}}) {
        DeploymentOptions options;
        options.device.trace_region_size = core::Bytes{region};
        const dispatch::MemoryPlan plan = llama_8b("performance", options).plan_memory();
        EXPECT_EQ(plan.dram.capacity, core::Bytes{bank} * kWormholeBanks);
        EXPECT_EQ(plan.dram.trace_region, core::Bytes{region} * kWormholeBanks);
    }
}

}  // namespace
}  // namespace model::testing

#include "model/deployment.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "tests/model/model_fixture.h"

namespace model::testing {
namespace {

using dispatch::Owner;

TEST(PaddedPrefillLength, is_get_padded_prefill_len) {
    // tenstorrent/tt-metal: models/tt_transformers/tt/common.py, tree of 2026-05-23: 128, then
    // 1024, then powers of two.
    EXPECT_EQ(padded_prefill_length(1), 128);
    EXPECT_EQ(padded_prefill_length(128), 128);
    EXPECT_EQ(padded_prefill_length(129), 1024);
    EXPECT_EQ(padded_prefill_length(1024), 1024);
    EXPECT_EQ(padded_prefill_length(1025), 2048);
    EXPECT_EQ(padded_prefill_length(2049), 4096);
    EXPECT_EQ(padded_prefill_length(131072), 131072);
}

TEST(Deployment, pads_users_to_whole_columns_of_a_2d_mesh) {
    // A column holds the caches of its own users: 5 users on 4 columns are 8 slots.
    EXPECT_EQ(demo_on(mesh_named("galaxy"), "bf16", demo_options(5))->slots(), 8);
    EXPECT_EQ(demo_on(mesh_named("t3k:2x4"), "bf16", demo_options(4))->slots(), 4);
    EXPECT_EQ(demo_on(mesh_named("t3k"), "bf16", demo_options(5))->slots(), 5);
}

TEST(Deployment, decode_bindings_give_every_column_its_users) {
    // 8 slots on 4 columns: column c has slots 2c and 2c + 1, the same in every row.
    const auto deployment = demo_on(mesh_named("galaxy"), "bf16", demo_options(5));
    const auto all = deployment->decode_bindings({10, 11, 12, 13, 14, -1, -1, -1});
    ASSERT_EQ(all.size(), 32u);
    for (std::size_t chip = 0; chip < 32; ++chip) {
        const auto col = static_cast<std::int32_t>(chip % 4);
        const auto row = static_cast<std::int32_t>(chip / 4);
        EXPECT_EQ(all[chip].coord, (std::array{row, col}));
        EXPECT_EQ(all[chip].extent, (std::array{8, 4}));
        const auto slot = static_cast<std::int32_t>(2 * col);
        EXPECT_EQ(all[chip].positions, (std::vector<std::int32_t>{slot < 5 ? 10 + slot : -1,
                                                                  slot + 1 < 5 ? 11 + slot : -1}));
    }
    EXPECT_THROW(deployment->decode_bindings({1, 2}), std::logic_error);
}

TEST(Deployment, a_prompt_fills_the_cache_of_one_column_only) {
    // User 3 is slot 1 of column 1; the other columns compute the same rows and store nothing.
    const auto grid = demo_on(mesh_named("galaxy"), "bf16", demo_options(5));
    const auto all = grid->prefill_bindings(3, 128, 17);
    for (std::size_t chip = 0; chip < 32; ++chip) {
        EXPECT_EQ(all[chip].user, chip % 4 == 1 ? 1 : -1);
        EXPECT_EQ(all[chip].chunk_start, 128);
        EXPECT_EQ(all[chip].valid_rows, 17);
    }
    const auto line = demo_on(mesh_named("n300"), "bf16", demo_options(5));
    for (const tensor::Bindings& chip : line->prefill_bindings(3, 0, 17)) EXPECT_EQ(chip.user, 3);
}

TEST(Deployment, a_paged_cache_has_a_block_for_every_page_of_a_user) {
    // 256 positions in blocks of 64 are 4 per user; a contiguous cache is one block of all.
    DeploymentOptions options = demo_options(3);
    options.block_size = 64;
    const auto paged = demo_on(mesh_named("n300"), "bf16", options);
    EXPECT_EQ(paged->blocks_per_user(), 4);
    const tensor::PageTable table = paged->decode_bindings({0, 0, 0})[0].page_table;
    EXPECT_EQ(table.block_size, 64);
    ASSERT_EQ(table.blocks.size(), 12u);
    EXPECT_EQ(std::set<std::int32_t>(table.blocks.begin(), table.blocks.end()).size(), 12u);
    options.block_size = 0;
    const auto contiguous = demo_on(mesh_named("n300"), "bf16", options);
    EXPECT_EQ(contiguous->blocks_per_user(), 1);
    EXPECT_EQ(contiguous->decode_bindings({0, 0, 0})[0].page_table.block_size, 256);
}

TEST(Deployment, a_pool_of_blocks_is_shared_by_the_users) {
    // 20 blocks of 64 for 3 users of 256 positions: 6 each, of which 4 are needed; 8 blocks give 2
    // each, and what is beyond has no block.
    DeploymentOptions options = demo_options(3);
    options.block_size = 64;
    options.max_num_blocks = 20;
    const auto roomy = demo_on(mesh_named("n300"), "bf16", options);
    EXPECT_EQ(roomy->blocks(), 20);
    EXPECT_EQ(roomy->paged_cache_max_seq_len(), 256);
    options.max_num_blocks = 8;
    const auto tight = demo_on(mesh_named("n300"), "bf16", options);
    EXPECT_EQ(tight->blocks_per_user(), 4);
    EXPECT_EQ(tight->paged_cache_max_seq_len(), 128);
    EXPECT_EQ(tight->decode_bindings({0, 0, 0})[0].page_table.blocks,
              (std::vector<std::int32_t>{0, 1, -1, -1, 2, 3, -1, -1, 4, 5, -1, -1}));
}

TEST(Deployment, a_pool_takes_the_memory_of_its_blocks_whatever_the_context_is) {
    // tt_transformers: paged pool = blocks x block_size positions, for all users together.
    DeploymentOptions options;
    options.block_size = 32;
    options.max_num_blocks = 1024;
    std::set<std::int64_t> caches;
    for (const std::int64_t context : {4096, 32768}) {
        for (const std::int64_t batch : {1, 32}) {
            options.context = context;
            options.batch = batch;
            Deployment deployment = deployed(kLlama8B, "n150", "Llama-3.1-8B", options);
            const dispatch::MemoryPlan plan = deployment.plan_memory();
            ASSERT_TRUE(plan.fits());
            caches.insert(plan.dram.live.at(Owner::KvCache).value);
        }
    }
    ASSERT_EQ(caches.size(), 1u);
    EXPECT_GE(*caches.begin(), 32768LL * 69'632);
    // On a Galaxy a quarter of the pool and an eighth of the KV heads are on a chip.
    options.batch = 32;
    Deployment galaxy = deployed(kLlama8B, "galaxy", "Llama-3.1-8B", options);
    const std::int64_t chip = galaxy.plan_memory().dram.live.at(Owner::KvCache).value;
    EXPECT_GE(chip, 32768LL * 69'632 / 32);
    EXPECT_LT(chip, 32768LL * 69'632 / 32 + 64 * 12 * 1088);
}

TEST(Deployment, users_that_need_more_blocks_than_the_pool_are_an_error) {
    // tenstorrent/tt-metal: models/tt_transformers/demo/simple_text_demo.py: g + p <= block_size x
    // blocks / batch.
    DeploymentOptions options = demo_options(3);
    options.block_size = 64;
    options.max_num_blocks = 8;
    const auto tight = demo_on(mesh_named("n300"), "bf16", options);
    EXPECT_NO_THROW(tight->require_room(100, 28));
    const std::string text = error_text([&] { tight->require_room(100, 29); });
    EXPECT_TRUE(
        text.starts_with("max_generated_tokens (29) needs to be <= than "
                         "paged_cache_max_seq_len (128.0)"))
        << text;
    // A step that would write beyond its blocks never runs.
    EXPECT_NO_THROW(tight->decode_bindings({127, -1, 0}));
    EXPECT_THROW(tight->decode_bindings({128, -1, 0}), core::Error);
    EXPECT_NO_THROW(tight->prefill_bindings(1, 0, 128));
    EXPECT_THROW(tight->prefill_bindings(1, 64, 65), core::Error);
}

TEST(Deployment, a_seed_permutes_the_blocks_of_the_pool_alike_on_every_chip) {
    DeploymentOptions options = demo_options(4, 256);
    options.block_size = 32;
    options.page_seed = 5;
    const auto deployment = demo_on(mesh_named("n300"), "bf16", options);
    const dispatch::ChipBindings chips = deployment->decode_bindings({0, 0, 0, 0});
    std::vector<std::int32_t> blocks = chips[0].page_table.blocks;
    EXPECT_EQ(chips[1].page_table.blocks, blocks);
    EXPECT_FALSE(std::is_sorted(blocks.begin(), blocks.end()));
    std::sort(blocks.begin(), blocks.end());
    std::vector<std::int32_t> all(32);
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(blocks, all);  // every block once
}

TEST(Deployment, a_pool_needs_a_block_size_and_whole_columns) {
    // Users are split over the columns of a Galaxy, and so are their blocks.
    DeploymentOptions options = demo_options(4);
    options.max_num_blocks = 16;
    EXPECT_NE(error_text([&] { demo_on(mesh_named("n300"), "bf16", options); }).find("block_size"),
              std::string::npos);
    options.block_size = 64;
    EXPECT_EQ(demo_on(mesh_named("galaxy"), "bf16", options)->paged_cache_max_seq_len(), 256);
    options.max_num_blocks = 18;
    EXPECT_NE(error_text([&] {
                  demo_on(mesh_named("galaxy"), "bf16", options);
              }).find("a multiple of 4 columns"),
              std::string::npos);
}

TEST(Deployment, semaphores_of_collectives_take_l1_of_every_core) {
    // 36 global semaphores of 4 B per core, each rounded to the block of 32 B; one chip has none.
    const auto held = [](const char* mesh) {
        return demo_on(mesh_named(mesh), "bf16", demo_options(1))->plan_memory().holdings;
    };
    const auto semaphores = [](const std::vector<dispatch::Holding>& holdings) {
        return std::ranges::find(holdings, "ccl.semaphores", &dispatch::Holding::name);
    };
    const std::vector<dispatch::Holding> two = held("n300");
    const auto found = semaphores(two);
    ASSERT_NE(found, two.end());
    EXPECT_EQ(found->owner, Owner::Collectives);
    EXPECT_EQ(found->type, mesh::BufferType::L1);
    EXPECT_EQ(found->instances, 36);
    EXPECT_EQ(found->per_bank.value, 32);
    const std::vector<dispatch::Holding> one = held("n150");
    EXPECT_EQ(semaphores(one), one.end());
}

TEST(Deployment, a_prefill_program_is_built_once) {
    // Programs are known by their address: a second one would be warmed up again.
    const auto deployment = demo_on(mesh_named("n300"), "bf16", demo_options(1));
    const auto first = deployment->prefill(128, StepShape::Chunk::First);
    EXPECT_EQ(deployment->prefill(128, StepShape::Chunk::First), first);
    EXPECT_NE(deployment->prefill(128, StepShape::Chunk::Later), first);
    EXPECT_EQ(first->name, "prefill_128");
}

TEST(Deployment, heads_that_do_not_divide_are_an_error_with_both_numbers) {
    // The demo model has 8 KV heads; half of them do not go over 8 chips.
    Config config = demo_config();
    config.num_key_value_heads = 4;
    for (LayerConfig& layer : config.layers) layer.kv_heads = 4;
    const std::string text = error_text([&] {
        Deployment(config, precision_preset("bf16", "", 4), mesh_named("t3k"), demo_options(1));
    });
    EXPECT_NE(text.find("n_kv_heads must be divisible by num_devices: 4 % 8"), text.npos) << text;
    EXPECT_NE(text.find("hint: "), text.npos) << text;
}

// --- full-size models: bytes per chip ---

dispatch::MemoryPlan plan_of_8b(std::int64_t context) {
    DeploymentOptions options;
    options.context = context;
    options.device.trace_region_size = core::Bytes{52'000'000};
    Deployment deployment = deployed(kLlama8B, "n150", "Llama-3.1-8B", options);
    return deployment.plan_memory();
}

TEST(DeploymentMemory, llama_8b_on_an_n150_has_the_published_sizes) {
    // Performance mode: 32 layers of 176,701,440 B, and layer 31 keeps w1 and w3 in bfp8. Banks
    // lose 52 MB each to traces: 12 x (2^30 - 52,000,000 - 32) B are left.
    const dispatch::MemoryPlan plan = plan_of_8b(32768);
    ASSERT_TRUE(plan.fits());
    EXPECT_EQ(plan.dram.live.at(Owner::Weights).value, 5'654'446'080 + 59'768'832);
    EXPECT_EQ(plan.dram.live.at(Owner::Embedding).value, 1'050'673'152);
    EXPECT_EQ(plan.dram.capacity.value, 12'260'901'504);
    // 69,632 B per token; each of 64 caches is rounded up to whole tiles per bank.
    const std::int64_t cache = 32768LL * 69'632;
    EXPECT_GE(plan.dram.live.at(Owner::KvCache).value, cache);
    EXPECT_LT(plan.dram.live.at(Owner::KvCache).value, cache + 64 * 12 * 1088);
}

TEST(DeploymentMemory, llama_8b_on_an_n150_fits_32k_and_not_64k) {
    // tenstorrent/tt-metal PR #34913: the KV cache of 64k tokens runs out of memory.
    EXPECT_TRUE(plan_of_8b(32768).fits());
    const dispatch::MemoryPlan plan = plan_of_8b(65536);
    ASSERT_TRUE(plan.failure.has_value());
    EXPECT_TRUE(plan.failure->text.starts_with("Out of Memory: Not enough space to allocate "))
        << plan.failure->text;
    EXPECT_NE(plan.failure->text.find("across 12 banks"), plan.failure->text.npos);
    EXPECT_NE(plan.failure->text.find("but bank size is 1021741792 B"), plan.failure->text.npos);
}

TEST(DeploymentMemory, llama_70b_fits_a_t3k_and_not_an_n300) {
    // tt_transformers' README: 70B runs on LoudBox and QuietBox with 128k tokens, never on N300.
    DeploymentOptions options;
    options.context = 131072;
    options.prefill_chunk = 32768;
    options.device.trace_region_size = core::Bytes{90'000'000};
    Deployment t3k = deployed(kLlama70B, "t3k", "Llama-3.1-70B", options);
    EXPECT_TRUE(t3k.plan_memory().fits());

    options.context = 1024;
    Deployment n300 = deployed(kLlama70B, "n300", "Llama-3.1-70B", options);
    const dispatch::MemoryPlan plan = n300.plan_memory();
    ASSERT_TRUE(plan.failure.has_value());
    EXPECT_NE(plan.failed_buffer.find("feed_forward.w1"), plan.failed_buffer.npos)
        << plan.failed_buffer;
}

// --- data-parallel groups ---

std::string shapes_of(std::string_view mesh, std::int64_t groups) {
    const auto parts = data_parallel_groups(mesh_named(mesh), groups);
    std::set<std::string> shapes;
    std::set<std::int32_t> chips;
    for (const fabric::Mesh& part : parts) {
        shapes.insert(part.shape.text());
        for (const mesh::ChipId chip : part.chips) chips.insert(chip.value);
    }
    const auto expected = static_cast<std::size_t>(mesh_named(mesh).chip_count());
    EXPECT_EQ(chips.size(), expected);  // every chip is in one group
    EXPECT_EQ(shapes.size(), 1u);
    return std::to_string(parts.size()) + " of " + *shapes.begin();
}

TEST(DataParallelGroups, split_a_mesh_into_equal_parts) {
    // Lines are cut into lines; a Galaxy is laid as 4x8 first (generator.py, 2026-05-23).
    EXPECT_EQ(shapes_of("t3k", 1), "1 of 1x8");
    EXPECT_EQ(shapes_of("t3k", 4), "4 of 1x2");
    EXPECT_EQ(shapes_of("t3k", 8), "8 of 1x1");
    EXPECT_EQ(shapes_of("galaxy", 2), "2 of 2x8");
    EXPECT_EQ(shapes_of("galaxy", 4), "4 of 1x8");
    EXPECT_EQ(shapes_of("tg", 4), "4 of 1x8");
    EXPECT_EQ(shapes_of("galaxy", 8), "8 of 1x4");
    EXPECT_EQ(shapes_of("galaxy", 16), "16 of 1x2");
    EXPECT_EQ(shapes_of("galaxy", 32), "32 of 1x1");
}

TEST(DataParallelGroups, a_part_of_a_ring_is_a_line) {
    // Half a T3K has no cable from its last chip to its first.
    for (const fabric::Mesh& half : data_parallel_groups(mesh_named("t3k"), 2)) {
        EXPECT_FALSE(half.wrap_wired[1]);
        EXPECT_EQ(fabric::usable_topology(half, 1, fabric::Topology::Ring), fabric::Topology::Line);
    }
}

TEST(DataParallelGroups, a_number_that_does_not_divide_is_refused) {
    // The text of tt_transformers' create_submeshes.
    for (const auto& [mesh, chips, groups] :
         {std::tuple{"t3k", 8, 3}, {"t3k", 8, 16}, {"t3k", 8, 0}, {"galaxy", 32, 5}}) {
        const std::string text =
            error_text([&] { data_parallel_groups(mesh_named(mesh), groups); });
        EXPECT_NE(text.find("Unsupported device split: " + std::to_string(chips) + " devices, " +
                            std::to_string(groups) + " groups"),
                  text.npos)
            << text;
    }
}

}  // namespace
}  // namespace model::testing

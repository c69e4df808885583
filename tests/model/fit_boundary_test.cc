// Where models stop fitting, as people met it: the buffer that failed on the real device fails in
// the plan, with the numbers of its text, and half of what was asked for fits. Sizes alone are in
// published_memory_test.cc. The statistics at the end of a text (allocated, free, largest) are of
// a whole software stack and not compared. All trace regions are of era A: taken from every bank.
#include <algorithm>
#include <optional>

#include "model/head_padding.h"
#include "tests/model/model_fixture.h"

namespace model::testing {
namespace {

using dispatch::Buffer;
using dispatch::MemoryPlan;
using dispatch::Owner;

struct Case {
    const char* folder;
    const char* mesh;
    const char* precision;
    const char* base_model;
};
constexpr Case kLlama8BOnN150{"Llama-3.1-8B-Instruct", "n150", "performance", "Llama-3.1-8B"};
constexpr Case kLlama8BAccurate{"Llama-3.1-8B-Instruct", "n150", "accuracy", "Llama-3.1-8B"};
constexpr Case kMistralOnN150{"Mistral-7B-Instruct-v0.3", "n150", "performance", "Mistral-7B"};
constexpr Case kLlama70BOnT3k{"Llama-3.1-70B-Instruct", "t3k", "performance", "Llama-3.1-70B"};
constexpr Case kQwen72BOnT3k{"Qwen2.5-72B-Instruct", "t3k", "performance", "Qwen2.5-72B"};

/// The network as tt_transformers stores it: the feed-forward of Qwen2.5-72B is padded from 29568
/// to 32768 columns over 8 chips (PAD_MLP_CORES, models/tt_transformers/tt/model_config.py).
Config config_of(const Case& named) {
    const Config config = load_config(project_file("models/configs/" + std::string(named.folder)));
    return pad_feed_forward(config, named.base_model, mesh_named(named.mesh).chip_count(),
                            std::nullopt);
}

Deployment laid_out(const Case& named, DeploymentOptions options) {
    const Config config = config_of(named);
    return {config,
            precision_preset(named.precision, named.base_model,
                             static_cast<std::int32_t>(config.num_hidden_layers)),
            mesh_named(named.mesh), std::move(options)};
}

DeploymentOptions asked(std::int64_t context, std::int64_t batch, std::int64_t chunk,
                        std::int64_t trace_region) {
    DeploymentOptions options;
    options.context = context;
    options.batch = batch;
    options.prefill_chunk = chunk;
    options.device.trace_region_size = core::Bytes{trace_region};
    return options;
}

MemoryPlan plan_of(const Case& named, const DeploymentOptions& options) {
    return laid_out(named, options).plan_memory();
}

std::string out_of_memory(std::int64_t size, std::int64_t per_bank, std::int64_t bank) {
    return "Out of Memory: Not enough space to allocate " + std::to_string(size) +
           " B DRAM buffer across 12 banks, where each bank needs to store " +
           std::to_string(per_bank) + " B, but bank size is " + std::to_string(bank) +
           " B (allocated: ";
}

void expect_fails_on(const MemoryPlan& plan, std::string_view buffer, const std::string& text) {
    ASSERT_TRUE(plan.failure.has_value());
    EXPECT_TRUE(plan.failed_buffer.ends_with(buffer)) << plan.failed_buffer;
    EXPECT_TRUE(plan.failure->text.starts_with(text)) << plan.failure->text;
    const mesh::BankStatistics& bank = plan.failure->statistics;
    EXPECT_EQ(bank.allocated + bank.free, bank.bank);
    EXPECT_LT(bank.largest_free_block, plan.failure->per_bank);
}

// --- one chip ---

TEST(FitBoundary, llama_8b_on_an_n150_holds_32k_tokens_of_one_user_or_of_32) {
    // vllm #289 and tt-metal PR #34913: what the served model was lowered to.
    EXPECT_TRUE(plan_of(kLlama8BOnN150, asked(32'768, 1, 4096, 52'000'000)).fits());
    EXPECT_TRUE(plan_of(kLlama8BOnN150, asked(1024, 32, 4096, 52'000'000)).fits());
}

TEST(FitBoundary, llama_8b_on_an_n150_has_no_room_for_chunks_of_4k_beside_64k_tokens) {
    // vllm #285: weights and 64k tokens fit, the first prefill does not: 371 MB are left, and the
    // rope tables and a chunk's intermediates take more than their sum.
    const MemoryPlan plan = plan_of(kLlama8BOnN150, asked(65'536, 1, 4096, 52'000'000));
    ASSERT_TRUE(plan.failure.has_value());
    EXPECT_TRUE(plan.failed_buffer.starts_with("feed_forward.")) << plan.failed_buffer;
    EXPECT_NE(plan.failure->text.find("but bank size is 1021741792 B"), std::string::npos);
    EXPECT_EQ(plan.failure->size.value % (4096 * 14336 / 1024), 0);  // a chunk x ffn
    EXPECT_GE(plan.dram.live.at(Owner::KvCache).value, 4'563'402'752);
    EXPECT_TRUE(plan_of(kLlama8BOnN150, asked(65'536 / 2, 1, 4096, 52'000'000)).fits());
}

TEST(FitBoundary, a_pool_of_64k_tokens_for_32_users_leaves_no_room_for_chunks_of_4k_either) {
    // vllm #285 and #289 as served: blocks of 64 that 32 users share, each up to the whole pool.
    const auto pooled = [](std::int64_t tokens) {
        DeploymentOptions options = asked(tokens, 32, 4096, 52'000'000);
        options.block_size = 64;
        options.max_num_blocks = tokens / 64;
        return plan_of(kLlama8BOnN150, options);
    };
    const MemoryPlan plan = pooled(65'536);
    ASSERT_TRUE(plan.failure.has_value());
    EXPECT_TRUE(plan.failed_buffer.starts_with("feed_forward.")) << plan.failed_buffer;
    EXPECT_NE(plan.failure->text.find("but bank size is 1021741792 B"), std::string::npos);
    EXPECT_TRUE(pooled(32'768).fits());
}

TEST(FitBoundary, llama_8b_with_32_users_of_4k_runs_out_at_a_w1) {
    // tt-inference-server #314: 4k x 32 without paging fails, a pool of 32k works.
    expect_fails_on(plan_of(kLlama8BOnN150, asked(4096, 32, 4096, 52'000'000)), ".feed_forward.w1",
                    out_of_memory(33'619'968, 2'801'664, 1'021'741'792));
    EXPECT_TRUE(plan_of(kLlama8BOnN150, asked(4096, 8, 4096, 52'000'000)).fits());
}

// --- a server makes its caches after it loaded the model ---

struct CacheShortage {
    std::int32_t layer = 0;
    std::string buffer;
    mesh::Failure failure;
};

using Missing = std::optional<CacheShortage>;

Missing allocate(dispatch::MeshDevice& device, const Buffer& buffer, std::int32_t layer) {
    const std::string name = dispatch::instance_name(buffer, layer - buffer.first_layer);
    auto result = device.allocate(name, buffer.owner, buffer.spec, buffer.memory);
    if (auto* failure = std::get_if<mesh::Failure>(&result)) {
        return CacheShortage{layer, name, std::move(*failure)};
    }
    return std::nullopt;
}

/// Places what a decode step keeps, caches last and layer by layer (vLLM's order: the model loads,
/// then tt_transformers/tt/generator_vllm.py allocates the caches); the first that does not fit.
Missing place_as_a_server(const Deployment& deployment) {
    dispatch::MeshDevice device(0, deployment.mesh(), deployment.options().device);
    std::int32_t layers = 0;
    for (const Buffer& buffer : deployment.decode()->buffers) {
        layers = std::max(layers, buffer.first_layer + buffer.instances);
        if (buffer.kind == tensor::ValueKind::Computed || buffer.owner == Owner::KvCache) continue;
        for (std::int32_t i = 0; i < buffer.instances; ++i) {
            if (auto missing = allocate(device, buffer, buffer.first_layer + i)) return missing;
        }
    }
    for (std::int32_t layer = 0; layer < layers; ++layer) {
        for (const Buffer& buffer : deployment.decode()->buffers) {
            const std::int32_t index = layer - buffer.first_layer;
            if (buffer.owner != Owner::KvCache || index < 0 || index >= buffer.instances) continue;
            if (auto missing = allocate(device, buffer, layer)) return missing;
        }
    }
    return std::nullopt;
}

Missing served(const Case& named, std::int64_t blocks) {
    DeploymentOptions options = asked(blocks * 64, 1, 4096, 25'000'000);
    options.block_size = 64;
    return place_as_a_server(laid_out(named, options));
}

TEST(FitBoundary, llama_8b_in_accuracy_mode_runs_out_in_the_caches_of_its_22nd_layers) {
    // tt-metal #21904: the progress bar stood at 22 of 32 layers (it is redrawn every 0.1 s, a
    // layer took 0.09 s, so one or two more were done). The bank is the demo's of that time.
    const Missing missing = served(kLlama8BAccurate, 1034);
    ASSERT_TRUE(missing.has_value());
    EXPECT_GE(missing->layer, 21);
    EXPECT_LE(missing->layer, 24);
    EXPECT_TRUE(
        missing->failure.text.starts_with(out_of_memory(71'999'488, 6'000'320, 1'048'741'792)))
        << missing->failure.text;
    EXPECT_NE(missing->buffer.find("_cache"), std::string::npos) << missing->buffer;
    EXPECT_FALSE(served(kLlama8BAccurate, 1034 / 2).has_value());
}

TEST(FitBoundary, llama_8b_in_performance_mode_has_room_for_the_same_caches) {
    // tt-metal #21904 again: the mode was the only change.
    EXPECT_FALSE(served(kLlama8BOnN150, 1034).has_value());
}

TEST(FitBoundary, mistral_7b_runs_out_in_the_caches_of_134720_tokens) {
    // tenstorrent/vllm #152, tt-inference-server #451: 2105 blocks of 64 tokens on one N150.
    const Missing missing = served(kMistralOnN150, 2105);
    ASSERT_TRUE(missing.has_value());
    EXPECT_GE(missing->layer, 9);  // the last layer that the post's log shows as done
    EXPECT_TRUE(
        missing->failure.text.starts_with(out_of_memory(146'575'360, 12'214'976, 1'048'741'792)))
        << missing->failure.text;
    EXPECT_FALSE(served(kMistralOnN150, 2105 / 4).has_value());  // the served 32k and some
}

// --- eight chips ---

TEST(FitBoundary, llama_70b_on_a_t3k_takes_128k_with_chunks_of_32k_and_not_of_64k) {
    // tt_transformers' README: 128k tokens on a T3K; its chunk table says 32k. The next chunk needs
    // 65536 x 8192 in bf16 at once.
    EXPECT_TRUE(plan_of(kLlama70BOnT3k, asked(131'072, 1, 32'768, 90'000'000)).fits());
    expect_fails_on(plan_of(kLlama70BOnT3k, asked(131'072, 1, 65'536, 90'000'000)),
                    "norm.all_gather", out_of_memory(1'073'741'824, 89'479'168, 983'741'792));
}

TEST(FitBoundary, qwen_72b_on_a_t3k_takes_chunks_of_16k_and_not_of_32k) {
    // tt-metal #24105, with tt_transformers' trace region for it (70,000,000): w1 of a chunk.
    expect_fails_on(plan_of(kQwen72BOnT3k, asked(131'072, 1, 32'768, 70'000'000)),
                    "feed_forward.w1", out_of_memory(268'435'456, 22'370'304, 1'003'741'792));
    EXPECT_TRUE(plan_of(kQwen72BOnT3k, asked(131'072, 1, 16'384, 70'000'000)).fits());
}

TEST(FitBoundary, qwen_72b_runs_out_at_the_whole_width_where_less_is_left) {
    // tt-metal #19890: 32768 x 8192 in bf16, the gathered input of a norm or of wqkv. The post does
    // not say how large the trace region was; from 80,000,000 on this is the first that fails.
    expect_fails_on(plan_of(kQwen72BOnT3k, asked(131'072, 1, 32'768, 80'000'000)),
                    "norm.all_gather", out_of_memory(536'870'912, 44'740'608, 993'741'792));
    EXPECT_TRUE(plan_of(kQwen72BOnT3k, asked(65'536, 1, 32'768, 80'000'000)).fits());
}

TEST(FitBoundary, llama_70b_fits_neither_one_chip_nor_two) {
    // tt_transformers' README: LoudBox, QuietBox and Galaxy only. The weights alone are too much.
    for (const char* mesh : {"n150", "n300"}) {
        Case named = kLlama70BOnT3k;
        named.mesh = mesh;
        const MemoryPlan plan = plan_of(named, asked(1024, 1, 1024, 0));
        ASSERT_TRUE(plan.failure.has_value()) << mesh;
        EXPECT_TRUE(plan.failed_buffer.starts_with("layers.")) << plan.failed_buffer;
        EXPECT_NE(plan.failure->text.find("but bank size is 1073741792 B"), std::string::npos);
    }
}

}  // namespace
}  // namespace model::testing

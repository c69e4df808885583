#include "model/host_memory.h"

#include <gtest/gtest.h>

#include "tests/model/model_fixture.h"

namespace model::testing {
namespace {

HostMemory of(const char* folder, std::int64_t threads = 1) {
    const Config config = load_config(project_file("models/configs") / folder);
    return host_memory(config,
                       precision_preset("performance", base_model_name(folder),
                                        static_cast<std::int32_t>(config.num_hidden_layers)),
                       threads);
}

TEST(HostMemory, counts_the_parameters_of_published_checkpoints) {
    // The "parameters" of the safetensors index on the Hub; Llama-3.2-1B ties its embeddings.
    EXPECT_EQ(of("Llama-3.1-8B-Instruct").parameters, 8'030'261'248);
    EXPECT_EQ(of("Llama-3.1-70B-Instruct").parameters, 70'553'706'496);
    EXPECT_EQ(of("Llama-3.2-1B-Instruct").parameters, 1'235'814'400);
    EXPECT_EQ(of("Qwen2.5-7B-Instruct").parameters, 7'615'616'512);
}

TEST(HostMemory, says_what_each_way_of_holding_them_takes) {
    // bf16 as stored and mapped, float32 for a careful reference run.
    const HostMemory host = of("Llama-3.1-8B-Instruct");
    EXPECT_EQ(host.checkpoint_mapped.value, 2 * 8'030'261'248);
    EXPECT_EQ(host.reference_stored.value, 2 * 8'030'261'248);
    EXPECT_EQ(host.reference_float32.value, 4 * 8'030'261'248);
}

TEST(HostMemory, converting_holds_one_stripe_per_thread) {
    // 128 rows of the bf16 embedding are 2 MiB of float32, whatever the vocabulary.
    const HostMemory one = of("Llama-3.1-8B-Instruct");
    EXPECT_EQ(one.largest_as_float32.value, 4LL * 128 * 4096);
    EXPECT_EQ(one.largest_as_tiles.value, 2LL * 128 * 4096) << one.largest_tensor;
    EXPECT_EQ(one.converting, one.largest_as_float32 + one.largest_as_tiles);
    EXPECT_EQ(of("Llama-3.1-8B-Instruct", 3).converting, one.converting * 3);
}

}  // namespace
}  // namespace model::testing

// Checkpoints that are missing, cut off, overlapping or of another shape: a message that names
// the file and the tensor, exit code 2, nothing on stdout.
#include <gtest/gtest.h>

#include "tests/cli/command.h"
#include "tests/cli/small_model.h"
#include "tests/core/temp_folder.h"

namespace {

const char* const kProjection = "model.layers.1.self_attn.q_proj.weight";

/// The error of running a model; the run must fail with exit code 2.
std::string error_of(const std::string& model, const std::string& mesh = "n150") {
    const Outcome outcome =
        tessera({"run", model, "--mesh", mesh, "--prompt", "ROMEO:", "--max-new-tokens", "2",
                 "--precision", "fp32", "--json"});
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_EQ(outcome.out, "");
    EXPECT_TRUE(outcome.err.starts_with("error: ")) << outcome.err;
    return outcome.err;
}

TEST(BadCheckpoint, the_small_model_itself_runs) {
    // Otherwise every case below could fail for another reason.
    const TempFolder folder;
    const std::string model = SmallModel().write(folder.path());
    const Json json = document({"run", model, "--mesh", "n300", "--prompt",
                                "ROMEO:", "--max-new-tokens", "4", "--precision", "fp32"});
    EXPECT_EQ(json.at("token_ids")[0].size(), 4u);
}

TEST(BadCheckpoint, a_missing_folder_is_named) {
    // The most common mistake of all.
    EXPECT_TRUE(says(error_of("/nowhere/model"), "/nowhere/model: expected a readable file"));
}

TEST(BadCheckpoint, a_folder_without_weights_says_which_files_it_needs) {
    // A config alone is enough for check and sim, not for run.
    const TempFolder folder;
    const std::string model = SmallModel().write(folder.path());
    std::filesystem::remove(folder.path() / "model.safetensors");
    EXPECT_TRUE(
        says(error_of(model), "expected weights: model.safetensors, model.safetensors.index.json"));
}

TEST(BadCheckpoint, a_truncated_file_is_found_before_it_is_read) {
    // A broken download: offsets point past the end.
    const TempFolder folder;
    const std::string model = SmallModel().write(folder.path());
    const std::filesystem::path weights = folder.path() / "model.safetensors";
    std::filesystem::resize_file(weights, std::filesystem::file_size(weights) - 1000);
    const std::string error = error_of(model);
    EXPECT_TRUE(says(error, "model.safetensors")) << error;
    EXPECT_TRUE(says(error, "lm_head.weight.data_offsets")) << error;
    std::filesystem::resize_file(weights, 100);  // within the header
    EXPECT_TRUE(says(error_of(model), "truncated")) << error;
    std::filesystem::resize_file(weights, 3);
    EXPECT_TRUE(says(error_of(model), "model.safetensors"));
}

TEST(BadCheckpoint, overlapping_tensors_are_refused) {
    // Two names for one range of bytes: at least one of them is wrong.
    const TempFolder folder;
    SmallModel small;
    StoredTensor& key = small.tensor("model.layers.1.self_attn.k_proj.weight");
    const StoredTensor& query = small.tensor(kProjection);
    key.begin = query.begin;
    key.end = query.end;
    const std::string error = error_of(small.write(folder.path()));
    EXPECT_TRUE(says(error, "model.safetensors")) << error;
    EXPECT_TRUE(says(error, "model.layers.1.self_attn.")) << error;
}

TEST(BadCheckpoint, a_dtype_that_is_no_weight_is_refused) {
    // Integers of the same size would otherwise be read as floats.
    const TempFolder folder;
    SmallModel small;
    small.tensor(kProjection).dtype = "I16";
    const std::string error = error_of(small.write(folder.path()));
    EXPECT_TRUE(says(error, "expected F32, F16 or BF16, got I16")) << error;
}

TEST(BadCheckpoint, an_unknown_dtype_is_refused) {
    // safetensors names more types than exist here.
    const TempFolder folder;
    SmallModel small;
    small.tensor(kProjection).dtype = "F4";
    const std::string error = error_of(small.write(folder.path()));
    EXPECT_TRUE(says(error, kProjection)) << error;
    EXPECT_TRUE(says(error, "F4")) << error;
}

TEST(BadCheckpoint, another_shape_than_the_config_says_is_refused) {
    // The weights of one model beside the config of another.
    const TempFolder folder;
    SmallModel small;
    small.tensor(kProjection).shape = {32, 128};
    const std::string error = error_of(small.write(folder.path()));
    EXPECT_TRUE(
        says(error, std::string(kProjection) + ": expected BF16 [64, 64], got BF16 [32, 128]"))
        << error;
    EXPECT_TRUE(says(error, "do not belong to this config.json")) << error;
}

TEST(BadCheckpoint, a_missing_tensor_is_named) {
    // A shard that was not downloaded.
    const TempFolder folder;
    SmallModel small;
    small.tensor(kProjection).name = "model.layers.1.self_attn.query.weight";
    const std::string error = error_of(small.write(folder.path()));
    EXPECT_TRUE(says(error, std::string(kProjection) + ": expected a tensor, got nothing"))
        << error;
}

TEST(BadCheckpoint, a_config_with_broken_numbers_is_refused) {
    // Numbers that would overflow sizes later are stopped where they are read.
    const TempFolder folder;
    const auto error_with = [&](const char* key, const Json& value) {
        SmallModel small;
        small.config[key] = value;
        return error_of(small.write(folder.path()));
    };
    EXPECT_TRUE(says(error_with("hidden_size", -64), "config.json: hidden_size"));
    EXPECT_TRUE(says(error_with("num_hidden_layers", 1e18), "config.json: num_hidden_layers"));
    EXPECT_TRUE(says(error_with("num_key_value_heads", 3), "num_key_value_heads"));
    EXPECT_TRUE(says(error_with("hidden_act", "tanhshrink"), "hidden_act"));
    EXPECT_TRUE(says(error_with("architectures", Json({"BertModel"})), "architectures"));
    EXPECT_TRUE(says(error_with("rms_norm_eps", "small"), "rms_norm_eps"));
}

TEST(BadCheckpoint, a_config_that_is_no_json_is_refused) {
    // The message says which file, and where in it.
    const TempFolder folder;
    const std::string model = SmallModel().write(folder.path());
    folder.write("config.json", "{\"vocab_size\": 2048,");
    EXPECT_TRUE(says(error_of(model), "config.json"));
}

TEST(BadCheckpoint, a_tokenizer_that_is_missing_or_broken_is_refused) {
    // Without it the prompt has no tokens.
    const TempFolder folder;
    const std::string model = SmallModel().write(folder.path());
    folder.write("tokenizer.json", "{}");
    EXPECT_TRUE(says(error_of(model), "tokenizer.json"));
    std::filesystem::remove(folder.path() / "tokenizer.json");
    EXPECT_TRUE(says(error_of(model), "tokenizer.json"));
}

TEST(BadCheckpoint, a_prompt_token_outside_the_vocabulary_is_refused) {
    // A tokenizer of another model: ids past the embedding table must not be looked up.
    const TempFolder folder;
    const std::string model = SmallModel({.vocab = 256}).write(folder.path());
    const std::string error = error_of(model);
    EXPECT_TRUE(says(error, "prompt token: expected an id below vocab_size 256, got ")) << error;
    EXPECT_TRUE(says(error, "the tokenizer does not belong to this config.json")) << error;
}

}  // namespace

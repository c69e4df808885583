// Folders in Meta's layout and references of tt_transformers on the command line: the same answers
// as from the files they were made from.
#include <gtest/gtest.h>

#include "model/reference.h"
#include "tests/cli/command.h"
#include "tests/cli/small_model.h"
#include "tests/core/temp_folder.h"
#include "tests/model/meta_folder.h"

namespace {

using testing_files::MetaFolder;
using testing_files::torch_file;

// The small model's sizes. Its 256 positions are not what Meta's params mean; they say so.
constexpr const char* kParams =
    R"({"dim": 64, "n_layers": 2, "n_heads": 4, "n_kv_heads": 4, "vocab_size": 2048,
        "hidden_dim": 128, "norm_eps": 1e-05, "max_position_embeddings": 256})";

/// The small model as it is and in Meta's layout, with the same tokenizer.
struct Folders {
    Folders() {
        hugging_face = SmallModel().write(folder.path() / "hf");
        std::filesystem::create_directories(meta());
        std::ofstream(meta() / "params.json") << kParams;
        std::filesystem::copy_file(kDemo + "/tokenizer.json", meta() / "tokenizer.json");
        MetaFolder{16, 2}.write(model::Checkpoint::open(hugging_face), meta());
    }
    std::filesystem::path meta() const { return folder.path() / "meta"; }

    TempFolder folder;
    std::string hugging_face;
};

TEST(Meta, run_says_the_same_in_both_layouts) {
    const Folders folders;
    const auto tokens = [](const std::string& model) {
        return document({"run", model, "--mesh", "n300", "--prompt", "ROMEO:", "--max-new-tokens",
                         "6", "--precision", "fp32"})
            .at("token_ids");
    };
    EXPECT_EQ(tokens(folders.meta().string()), tokens(folders.hugging_face));
}

TEST(Meta, params_alone_are_enough_for_check_and_sim) {
    // As config.json alone is.
    const TempFolder folder;
    folder.write("params.json", kParams);
    const std::string model = folder.path().string();
    EXPECT_EQ(document({"check", model, "--mesh", "n300", "--context", "256"}).at("fits"), true);
    EXPECT_GT(document({"sim", model, "--mesh", "n300"}).at("decode_step_ms").get<double>(), 0);
    EXPECT_EQ(document({"check", model + "/params.json", "--mesh", "n300"}).at("fits"), true);
    const Outcome run = tessera({"run", model, "--mesh", "n300", "--prompt", "x"});
    EXPECT_EQ(run.exit_code, 2);
}

TEST(Meta, weights_of_other_sizes_than_the_params_are_named) {
    const Folders folders;
    std::filesystem::remove(folders.meta() / "consolidated.01.pth");
    const Outcome run =
        tessera({"run", folders.meta().string(), "--mesh", "n150", "--prompt", "x"});
    EXPECT_EQ(run.exit_code, 2);
    EXPECT_TRUE(says(run.err, "model.embed_tokens.weight: expected BF16 [2048, 64]")) << run.err;
}

/// The demo's own reference as a .refpt: its ids and stored top-5.
std::string demo_refpt(std::int64_t positions, std::int64_t rows) {
    const model::Reference reference = model::Reference::open(kReference);
    std::string tokens;
    std::string top;
    for (std::int64_t i = 0; i < positions; ++i) {
        tokens +=
            testing_files::raw(std::int64_t{reference.input_ids()[static_cast<std::size_t>(i)]});
    }
    for (std::int64_t i = 0; i < rows; ++i) {
        for (const std::int32_t id : reference.top5(i)) top += testing_files::raw(std::int64_t{id});
    }
    return torch_file({{"reference_tokens", "LongStorage", {1, positions}, tokens, 8},
                       {"top5_tokens", "LongStorage", {rows, 5}, top, 8}});
}

TEST(Meta, a_reference_of_tt_transformers_counts_top1_and_top5) {
    // In fp32 every token is the reference's; rows P - 1 to T - 2 are compared, as in
    // tenstorrent/tt-metal: models/tt_transformers/demo/simple_text_demo.py (TokenAccuracy).
    const TempFolder folder;
    const auto file = folder.write("demo.refpt", demo_refpt(40, 39)).string();
    const std::vector<std::string> words{"eval",        kDemo, "--mesh",      "n150",
                                         "--reference", file,  "--precision", "fp32"};
    const Json json = document(words);
    EXPECT_EQ(json.at("positions"), 20);
    EXPECT_EQ(json.at("top1"), 100.0);
    EXPECT_EQ(json.at("top5"), 100.0);
    // No logits to correlate with: null, not 1.
    EXPECT_TRUE(json.at("pcc").at("logits").is_null());
    EXPECT_TRUE(json.at("max_abs_error").is_null());
    const Outcome text = tessera(words);
    EXPECT_TRUE(says(text.out, "top-1 / top-5  100.00 % / 100.00 %")) << text.out;
    EXPECT_FALSE(says(text.out, "PCC")) << text.out;
}

TEST(Meta, wrong_tokens_in_a_reference_are_counted) {
    // Otherwise 100 % could mean that nothing was compared.
    const TempFolder folder;
    const model::Reference reference = model::Reference::open(kReference);
    std::string tokens;
    std::string top;
    for (std::int64_t i = 0; i < 12; ++i) {
        tokens +=
            testing_files::raw(std::int64_t{reference.input_ids()[static_cast<std::size_t>(i)]});
        const auto best = reference.top5(i);
        // Of rows 7 to 10: right, second, absent, right.
        const std::vector<std::int64_t> made =
            i == 8   ? std::vector<std::int64_t>{best[1], best[0], best[2], best[3], best[4]}
            : i == 9 ? std::vector<std::int64_t>(5, best[4])
                     : std::vector<std::int64_t>(best.begin(), best.end());
        if (i < 11) {
            for (const std::int64_t id : made) top += testing_files::raw(id);
        }
    }
    const auto file =
        folder.write("r.refpt", torch_file({{"reference_tokens", "LongStorage", {1, 12}, tokens, 8},
                                            {"top5_tokens", "LongStorage", {11, 5}, top, 8}}));
    const Json json = document({"eval", kDemo, "--mesh", "n150", "--reference", file.string(),
                                "--precision", "fp32", "--prefill", "8"});
    EXPECT_EQ(json.at("positions"), 4);
    EXPECT_EQ(json.at("top1"), 50.0);
    EXPECT_EQ(json.at("top5"), 75.0);
}

TEST(Meta, a_reference_of_another_vocabulary_is_an_error) {
    // Token ids that the model does not have.
    const TempFolder folder;
    std::string tokens;
    for (const std::int64_t id : {1, 2, 3, 5000}) tokens += testing_files::raw(id);
    const auto file = folder.write(
        "r.refpt",
        torch_file({{"reference_tokens", "LongStorage", {1, 4}, tokens, 8},
                    {"top5_tokens", "LongStorage", {3, 5}, std::string(3 * 5 * 8, '\0'), 8}}));
    const Outcome outcome = tessera(
        {"eval", kDemo, "--mesh", "n150", "--reference", file.string(), "--precision", "fp32"});
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_TRUE(says(outcome.err, "ids below 2048, got 5000")) << outcome.err;
}

}  // namespace

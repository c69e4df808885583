#include "model/optimizations.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "core/error.h"

namespace {

using mesh::Fidelity;
using model::OpGroup;
using tensor::DType;

std::string message_of(const std::string& text) {
    try {
        model::parse_optimizations(text, 2);
    } catch (const core::Error& error) {
        return error.what();
    }
    return "no error";
}

std::filesystem::path written(const std::string& name, const std::string& text) {
    const auto folder = std::filesystem::path(testing::TempDir()) / "optimizations";
    std::filesystem::create_directories(folder);
    std::ofstream(folder / name) << text;
    return folder / name;
}

TEST(Optimizations, a_string_is_laid_over_the_default_row) {
    // The form users pass to the demo's --optimizations.
    const model::Precision precision = model::parse_optimizations(
        "precision_cfg = {ff1_3: bfp4, wqkv: bf16, activation: mixed}, "
        "fidelity_cfg = {li_ff1_3: lofi, sdpa_prefill: hifi2na}",
        3);
    ASSERT_EQ(precision.layers.size(), 3u);
    for (const model::LayerPrecision& layer : precision.layers) {
        EXPECT_EQ(layer.ff1_3, DType::BFloat4_b);
        EXPECT_EQ(layer.ff2, DType::BFloat8_b);
        EXPECT_EQ(layer.wqkv, DType::BFloat16);
        EXPECT_EQ(layer.activation, DType::BFloat16);
        EXPECT_EQ(layer.fidelity_of(OpGroup::LiFf1Ff3), Fidelity::LoFi);
        EXPECT_EQ(layer.fidelity_of(OpGroup::SdpaPrefill), Fidelity::HiFi2);
    }
}

TEST(Optimizations, one_part_alone_is_enough) {
    const auto precision = model::parse_optimizations("precision_cfg = {kv_cache: bf16}", 1);
    EXPECT_EQ(precision.layers[0].kv_cache, DType::BFloat16);
    EXPECT_EQ(precision.layers[0].fidelity_of(OpGroup::LiFf1Ff3), Fidelity::HiFi2);
}

TEST(Optimizations, errors_are_those_of_the_real_parser) {
    EXPECT_NE(message_of("bfp4 please").find("String must contain either precision_cfg or"),
              std::string::npos);
    EXPECT_NE(message_of("precision_cfg = ff1_3: bfp4}").find("Missing opening brace for"),
              std::string::npos);
    EXPECT_NE(message_of("precision_cfg = , fidelity_cfg = {}").find("Missing opening brace for"),
              std::string::npos);
    EXPECT_NE(message_of("fidelity_cfg = {li_ff2: lofi").find("Missing closing brace for"),
              std::string::npos);
    EXPECT_NE(message_of("precision_cfg = {ff1_3 bfp4}").find("missing ':' separator"),
              std::string::npos);
    EXPECT_NE(message_of("precision_cfg = {ff9: bfp4}").find("one of ff1_3, ff2"),
              std::string::npos);
    EXPECT_NE(message_of("precision_cfg = {ff2: int8}").find("got \"int8\""), std::string::npos);
}

TEST(Optimizations, a_decoder_file_overrides_the_decoders_it_lists) {
    const auto file = written("performance_decoder_config.json", R"({"decoders": {
        "1": {"precision_cfg": {"FF2": "BFP4"}, "fidelity_cfg": {"LI_FF2": "LOFI"}},
        "2": {"fidelity_cfg": {"LI_O_DECODE": "HIFI4"}}}})");
    const auto read = model::load_decoder_precision(file, "performance", 3);
    EXPECT_TRUE(read.warnings.empty());
    const auto& layers = read.precision.layers;
    // Not listed: the mode's rule, bfp4 gate and up projections.
    EXPECT_EQ(layers[0].ff1_3, DType::BFloat4_b);
    // Listed: over the default row, so bfp8 again.
    EXPECT_EQ(layers[1].ff1_3, DType::BFloat8_b);
    EXPECT_EQ(layers[1].ff2, DType::BFloat4_b);
    EXPECT_EQ(layers[1].fidelity_of(OpGroup::LiFf2), Fidelity::LoFi);
    // A part that is missing keeps the mode's.
    EXPECT_EQ(layers[2].ff1_3, DType::BFloat4_b);
    EXPECT_EQ(layers[2].fidelity_of(OpGroup::LiODecode), Fidelity::HiFi4);
}

TEST(Optimizations, a_decoder_beyond_the_model_is_a_warning) {
    // The published file of Qwen3-8B names decoder 36 of 0 to 35.
    const auto file = written("qwen.json", R"({"decoders": {"36": {"precision_cfg":
        {"FF1_FF3": "BFP8"}, "fidelity_cfg": {"LI_FF1_FF3": "HIFI2_FP16"}}}})");
    const auto read = model::load_decoder_precision(file, "performance", 36);
    ASSERT_EQ(read.warnings.size(), 1u);
    EXPECT_NE(read.warnings[0].find("decoder 36, the model has 0 to 35"), std::string::npos);
    EXPECT_EQ(read.precision.layers[35].ff1_3, DType::BFloat4_b);
}

TEST(Optimizations, bad_decoder_files_say_where) {
    const auto fails = [](const std::string& text) {
        try {
            model::load_decoder_precision(written("bad.json", text), "accuracy", 2);
        } catch (const core::Error& error) {
            return std::string(error.what());
        }
        return std::string("no error");
    };
    EXPECT_NE(fails("{}").find("Missing 'decoders' key"), std::string::npos);
    EXPECT_NE(fails(R"({"decoders": {"x": {}}})").find("numbers of decoders"), std::string::npos);
    EXPECT_NE(fails(R"({"decoders": {"0": {"precision_cfg": {"FF2": "bfp4"}}}})")
                  .find("decoders.0.precision_cfg.FF2: expected one of BFP4"),
              std::string::npos);
    EXPECT_NE(fails(R"({"decoders": {"0": 7}})").find("decoders.0"), std::string::npos);
}

TEST(Optimizations, a_decoder_file_beside_the_model_wins_over_the_preset) {
    const auto file = written("accuracy_decoder_config.json",
                              R"({"decoders": {"0": {"precision_cfg": {"WQKV": "BFP4"}}}})");
    const auto beside = model::precision_for("accuracy", file.parent_path(), 2);
    EXPECT_EQ(beside.precision.layers[0].wqkv, DType::BFloat4_b);
    EXPECT_EQ(model::precision_for("bf16", file.parent_path(), 2).precision.layers[0].wqkv,
              DType::BFloat16);
    EXPECT_EQ(model::precision_for(file.string(), "elsewhere", 2).precision.layers[0].wqkv,
              DType::BFloat4_b);
    EXPECT_EQ(model::precision_for("precision_cfg = {wo: bfp4}", "m", 2).precision.layers[1].wo,
              DType::BFloat4_b);
}

}  // namespace

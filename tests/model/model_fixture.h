// What the tests of programs and replicas share: meshes of the tree, the demo model, and the
// published shapes of Llama models as specs only.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/error.h"
#include "model/deployment.h"
#include "model/replica.h"

namespace model::testing {

inline std::filesystem::path project_file(std::string_view path) {
    return std::filesystem::path(TESSERA_SOURCE_DIR) / path;
}

/// A mesh of topologies/, by the spelling of --mesh.
inline fabric::Mesh mesh_named(std::string_view spec) {
    auto opened = fabric::open_mesh({project_file("topologies")}, spec);
    core::require(std::holds_alternative<fabric::Mesh>(opened), "the mesh of a test exists");
    return std::get<fabric::Mesh>(std::move(opened));
}

/// Sizes of a Llama; heads are 128 wide, the vocabulary is Llama 3's.
struct LlamaSizes {
    std::int64_t dim = 0;
    std::int64_t ffn = 0;
    std::int64_t layers = 0;
    std::int64_t heads = 0;
    std::int64_t kv_heads = 8;
};
// config.json of meta-llama/Llama-3.2-3B, Llama-3.1-8B, -70B and -405B.
inline constexpr LlamaSizes kLlama3B{3072, 8192, 28, 24};
inline constexpr LlamaSizes kLlama8B{4096, 14336, 32, 32};
inline constexpr LlamaSizes kLlama70B{8192, 28672, 80, 64};
inline constexpr LlamaSizes kLlama405B{16384, 53248, 126, 128};

inline Config llama(const LlamaSizes& sizes) {
    Config config;
    config.hidden_size = sizes.dim;
    config.intermediate_size = sizes.ffn;
    config.num_hidden_layers = sizes.layers;
    config.num_attention_heads = sizes.heads;
    config.num_key_value_heads = sizes.kv_heads;
    config.head_dim = 128;
    config.vocab_size = 128256;
    config.max_position_embeddings = 131072;
    config.rms_norm_eps = 1e-5;
    config.rope_theta = 500000;
    return config;
}

/// A full-size model on a mesh: programs, no weights.
inline Deployment deployed(const LlamaSizes& sizes, std::string_view mesh,
                           std::string_view base_model, DeploymentOptions options = {}) {
    const Config config = llama(sizes);
    Precision precision = precision_preset("performance", base_model,
                                           static_cast<std::int32_t>(config.num_hidden_layers));
    return {config, std::move(precision), mesh_named(mesh), std::move(options)};
}

inline const Config& demo_config() {
    static const Config config = load_config(project_file("models/tiny-shakespeare"));
    return config;
}
inline const Checkpoint& demo_checkpoint() {
    static const Checkpoint checkpoint = Checkpoint::open(project_file("models/tiny-shakespeare"));
    return checkpoint;
}

/// The demo model on a mesh, 256 positions per user unless `options` says otherwise.
inline std::unique_ptr<Deployment> demo_on(const fabric::Mesh& mesh, std::string_view precision,
                                           DeploymentOptions options) {
    const Config& config = demo_config();
    return std::make_unique<Deployment>(
        config,
        precision_preset(precision, "tiny-shakespeare",
                         static_cast<std::int32_t>(config.num_hidden_layers)),
        mesh, std::move(options));
}
inline DeploymentOptions demo_options(std::int64_t batch, std::int64_t context = 256) {
    DeploymentOptions options;
    options.batch = batch;
    options.context = context;
    options.device.trace_region_size = core::Bytes{50'000'000};
    return options;
}

/// Begin-of-text, then ids that differ from place to place and from user to user.
inline std::vector<std::int32_t> made_prompt(std::int64_t tokens, std::int32_t user = 0) {
    std::vector<std::int32_t> ids{2040};
    while (static_cast<std::int64_t>(ids.size()) < tokens) {
        const auto place = static_cast<std::int32_t>(ids.size());
        ids.push_back((place * 37 + user * 101 + 11) % 2000);
    }
    return ids;
}

/// Names cases after their mesh: "t3k_2x4".
inline std::string mesh_text(const ::testing::TestParamInfo<const char*>& info) {
    std::string text = info.param;
    std::replace(text.begin(), text.end(), ':', '_');
    return text;
}

/// The message of the core::Error that `action` throws; fails the test when it throws none.
template <class Action>
std::string error_text(Action action) {
    try {
        action();
    } catch (const core::Error& error) {
        return error.what();
    }
    ADD_FAILURE() << "expected an error, got none";
    return {};
}

}  // namespace model::testing

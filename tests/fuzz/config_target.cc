#include "tests/fuzz/config_target.h"

#include <array>
#include <cstdint>
#include <optional>
#include <variant>

#include "core/error.h"
#include "fabric/mesh.h"
#include "model/config.h"
#include "model/deployment.h"
#include "model/precision.h"

namespace fuzz {
namespace {

// One chip, eight in a ring, and a 2-D mesh: the three ways a network is laid out.
constexpr std::array kMeshes{"n150", "t3k", "galaxy"};

const fabric::Mesh& mesh_of(std::size_t choice) {
    static const std::array<fabric::Mesh, kMeshes.size()> meshes = [] {
        std::array<fabric::Mesh, kMeshes.size()> opened;
        for (std::size_t i = 0; i < kMeshes.size(); ++i) {
            opened[i] = std::get<fabric::Mesh>(
                fabric::open_mesh({TESSERA_SOURCE_DIR "/topologies"}, kMeshes[i]));
        }
        return opened;
    }();
    return meshes.at(choice);
}

// FNV-1a: the same on every machine, so that an input alone reproduces what it found.
std::uint64_t hash(std::string_view text) {
    std::uint64_t value = 14695981039346656037u;
    for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 1099511628211u;
    return value;
}

std::optional<model::Config> parsed(std::string_view text) {
    try {
        return model::parse_config(text, "config.json");
    } catch (const core::Error&) {
        return std::nullopt;
    }
}

Verdict plan(const model::Config& config, std::uint64_t choice) {
    model::DeploymentOptions options;
    options.context = config.max_position_embeddings;
    options.batch = (choice >> 8) % 2 == 0 ? 1 : 32;
    options.block_size = (choice >> 9) % 2 == 0 ? 0 : 64;
    options.device.trace_region_size = core::Bytes{50'000'000};
    const auto layers = static_cast<std::int32_t>(config.num_hidden_layers);
    const fabric::Mesh& mesh = mesh_of(choice % kMeshes.size());
    const model::Precision precision = model::precision_preset("performance", "", layers);
    try {
        model::Deployment deployment(config, precision, mesh, options);
        return deployment.plan_memory().fits() ? Verdict::Fits : Verdict::NoMemory;
    } catch (const core::Error&) {
        return Verdict::NoSplit;
    }
}

}  // namespace

Verdict judge_config(std::string_view text) {
    const std::optional<model::Config> config = parsed(text);
    return config ? plan(*config, hash(text)) : Verdict::Refused;
}

}  // namespace fuzz

#include "cli/what_if.h"

#include <array>

#include "core/error.h"
#include "model/split.h"

namespace cli {
namespace {

WhatIf estimated(std::string change, const model::Config& config, const model::Precision& precision,
                 const fabric::Mesh& mesh, const model::DeploymentOptions& options,
                 const model::EstimateOptions& run) {
    WhatIf line{std::move(change), {}, {}};
    const std::vector<std::string> problems = model::split_problems(config, mesh, options.software);
    if (!problems.empty()) {
        line.obstacle = problems.front();
        return line;
    }
    try {
        model::Deployment deployment(config, precision, mesh, options);
        const model::Estimate result = model::estimate(deployment, run);
        line.obstacle = result.shortage;
        if (result.shortage.empty()) {
            line.tokens_per_second_per_user = 1 / core::to_seconds(result.decode_step);
        }
    } catch (const core::Error& error) {
        line.obstacle = error.message();
    }
    return line;
}

// Wires and the routers that pack for them; latencies and workers stay.
fabric::Mesh with_fast_links(fabric::Mesh mesh) {
    fabric::LinkSpec& link = mesh.system.link;
    link.line_rate = link.line_rate * 2;
    link.collectives.pair_rate = link.collectives.pair_rate * 2;
    for (core::Picoseconds* packet :
         {&link.packet_gap, &link.packet_least, &link.ring_packet_gap, &link.ring_packet_least}) {
        *packet /= 2;
    }
    return mesh;
}

model::Precision with_bfp4_weights(model::Precision precision) {
    for (model::LayerPrecision& layer : precision.layers) {
        layer.ff1_3 = layer.ff2 = layer.wqkv = layer.wo = tensor::DType::BFloat4_b;
    }
    precision.lm_head = tensor::DType::BFloat4_b;
    return precision;
}

/// A system with twice the chips of the same kind of card.
struct Larger {
    std::string_view system;
    std::int32_t chips = 0;
    std::string_view larger;
};
constexpr std::array<Larger, 8> kLarger{{{"n150", 1, "n300"},
                                         {"n300", 2, "n150x4"},
                                         {"n150x4", 4, "t3k"},
                                         {"t3k", 8, "galaxy:2x8"},
                                         {"p150", 1, "p300"},
                                         {"p300", 2, "p300x2"},
                                         {"p300x2", 4, "p150x8"},
                                         {"p150x4", 4, "p150x8"}}};

std::optional<fabric::Mesh> doubled(const World& world, const fabric::Mesh& mesh) {
    for (const Larger& row : kLarger) {
        if (mesh.system.name != row.system || mesh.chip_count() != row.chips) continue;
        auto opened = fabric::open_mesh(world.catalog, row.larger);
        if (auto* found = std::get_if<fabric::Mesh>(&opened)) return std::move(*found);
    }
    return {};
}

}  // namespace

std::vector<WhatIf> what_if(const World& world, const Setup& setup,
                            const model::DeploymentOptions& deployment,
                            const model::EstimateOptions& options) {
    const fabric::Mesh& mesh = setup.group();
    std::vector<WhatIf> lines;
    if (mesh.chip_count() > 1) {
        lines.push_back(estimated("links twice as fast", setup.config, setup.precision,
                                  with_fast_links(mesh), deployment, options));
    }
    lines.push_back(estimated("all weights bfp4", setup.config, with_bfp4_weights(setup.precision),
                              mesh, deployment, options));
    if (options.groups > 1) return lines;
    if (const auto larger = doubled(world, mesh)) {
        lines.push_back(estimated("twice the chips (" + larger->system.name + ")", setup.config,
                                  setup.precision, *larger, deployment, options));
    }
    return lines;
}

}  // namespace cli

#include "model/device_name.h"

#include <fmt/format.h>

#include <array>
#include <string_view>

#include "core/error.h"

namespace model {
namespace {

constexpr std::int32_t kP100Banks = 7;  // model_config.py: dram_grid_size.x == 7

struct Name {
    std::int32_t chips;
    std::string_view wormhole;
    std::string_view blackhole;
};
constexpr std::array<Name, 5> kNames{{{1, "N150", "P150"},
                                      {2, "N300", "P300"},
                                      {4, "N150x4", "P150x4"},
                                      {8, "T3K", "P150x8"},
                                      {32, "TG", "BHGLX"}}};

}  // namespace

std::optional<std::string> device_name(const mesh::ChipSpec& chip, std::int32_t chips) {
    const bool blackhole = chip.arch == mesh::Arch::Blackhole;
    if (blackhole && chips == 1 && chip.dram.banks == kP100Banks) return "P100";
    for (const Name& name : kNames) {
        if (name.chips == chips) return std::string(blackhole ? name.blackhole : name.wormhole);
    }
    return std::nullopt;
}

std::optional<std::string> device_name(const fabric::Mesh& mesh) {
    return device_name(mesh.system.chip, mesh.chip_count());
}

std::string required_device_name(const fabric::Mesh& mesh) {
    std::optional<std::string> name = device_name(mesh);
    if (!name) {
        throw core::Error(fmt::format("Unsupported number of devices: {} for {}", mesh.chip_count(),
                                      mesh::to_text(mesh.system.chip.arch)))
            .hint("tt_transformers knows 1, 2, 4, 8 and 32 devices");
    }
    return *name;
}

mesh::DispatchCore default_dispatch_core(const fabric::Mesh& mesh) {
    const std::string& system = mesh.system.name;
    return system == "n300" || system == "t3k" ? mesh::DispatchCore::Ethernet
                                               : mesh::DispatchCore::Worker;
}

}  // namespace model

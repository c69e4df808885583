// What tt_transformers calls a mesh: tables of prefill chunks, trace regions and trace lengths are
// looked up by this name, and by the chips of one data-parallel group.
// Source: tenstorrent/tt-metal models/tt_transformers/tt/model_config.py (determine_device_name).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "fabric/mesh.h"
#include "mesh/chip_spec.h"

namespace model {

/// Wormhole: "N150", "N300", "N150x4", "T3K", "TG" for 1, 2, 4, 8, 32 chips. Blackhole: "P150"
/// ("P100" with seven DRAM banks), "P300", "P150x4", "P150x8", "BHGLX". nullopt for other counts.
std::optional<std::string> device_name(const mesh::ChipSpec& chip, std::int32_t chips);
std::optional<std::string> device_name(const fabric::Mesh& mesh);
/// The same, where there must be a name: throws core::Error with the real text,
/// "Unsupported number of devices: 16 for wormhole_b0".
std::string required_device_name(const fabric::Mesh& mesh);

/// Where tt-metal dispatches unless told otherwise: ethernet cores on N300 and T3000, worker cores
/// elsewhere (ttnn/ttnn/device.py, get_default_dispatch_core_type).
mesh::DispatchCore default_dispatch_core(const fabric::Mesh& mesh);

}  // namespace model

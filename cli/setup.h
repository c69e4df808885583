// A model on a mesh as the options say, the same for every verb: its sizes (padded where asked),
// the data-parallel groups, the precision and the device. Nothing is planned or run yet.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/options.h"
#include "dispatch/mesh_device.h"
#include "model/config.h"
#include "model/precision.h"
#include "model/trace_defaults.h"

namespace cli {

struct Setup {
    std::string base_model;  // "Llama-3.1-8B"
    std::string software;
    model::Config published;  // as read
    model::Config config;     // with --pad-heads and PAD_MLP_CORES
    std::optional<std::int64_t> pad_mlp_cores;
    fabric::Mesh mesh;  // all of it
    std::vector<fabric::Mesh> groups;
    model::Precision precision;
    dispatch::DeviceOptions device;
    model::TraceDefaults trace_defaults;
    std::string trace_region_source;  // "--trace-region", or where the default comes from
    std::vector<std::string> notes;   // for people: what was taken, what has no effect

    const fabric::Mesh& group() const { return groups.front(); }
};

/// Throws core::Error for bad input and NotPossible for a mesh that falls apart,
/// fabric::Hang for a ring that does not close under a --release that does not look. `options` is
/// changed by what --override-tt-config says.
Setup set_up(ModelOptions& options, const World& world);
/// The same, of a config and a mesh that were read already.
Setup set_up(ModelOptions& options, const World& world, const model::Config& config,
             const fabric::Mesh& mesh);

model::DeploymentOptions deployment_options(const ModelOptions& options, const Setup& setup,
                                            std::int64_t context);

/// Throws NotPossible with the reasons when the heads do not split.
void require_split(const Setup& setup);

}  // namespace cli

#include "cli/setup.h"

#include <charconv>
#include <filesystem>
#include <optional>

#include "cli/tt_config.h"
#include "core/error.h"
#include "core/files.h"
#include "fabric/hang.h"
#include "model/device_name.h"
#include "model/head_padding.h"
#include "model/optimizations.h"
#include "model/split.h"
#include "model/trace_defaults.h"

namespace cli {
namespace {

dispatch::Release release_of(const std::string& text) {
    if (text.empty() || text == "2026-05") return dispatch::Release::R2026_05;
    if (text == "2026-09") return dispatch::Release::R2026_09;
    if (text == "2025") return dispatch::Release::R2025;
    throw core::Error::mismatch("--release", "", "2025, 2026-05 or 2026-09", "\"" + text + "\"");
}

// When the region's meaning changed: mesh/trace_region.h.
mesh::TraceEra era_of(const std::string& text, dispatch::Release release) {
    if (text.empty()) {
        return release == dispatch::Release::R2026_09 ? mesh::TraceEra::C : mesh::TraceEra::A;
    }
    if (text == "A" || text == "a") return mesh::TraceEra::A;
    if (text == "B" || text == "b") return mesh::TraceEra::B;
    if (text == "C" || text == "c") return mesh::TraceEra::C;
    throw core::Error::mismatch("--trace-era", "", "A, B or C", "\"" + text + "\"");
}

mesh::DispatchCore dispatch_core_of(const std::string& text, const fabric::Mesh& mesh) {
    if (text == "worker") return mesh::DispatchCore::Worker;
    if (text == "eth") return mesh::DispatchCore::Ethernet;
    return model::default_dispatch_core(mesh);
}

void set_trace_region(Setup& setup, const ModelOptions& options, const World& world) {
    setup.trace_defaults =
        model::TraceDefaults::load(world.catalog.folder / "software" / "trace_regions.yaml");
    if (options.trace_region) {
        setup.device.trace_region_size = core::Bytes{*options.trace_region};
        setup.trace_region_source = "--trace-region";
        return;
    }
    const std::string device = model::device_name(setup.group()).value_or("");
    setup.device.trace_region_size =
        setup.trace_defaults.default_trace_region(setup.base_model, device, setup.device.release);
    setup.trace_region_source = "default of tt_transformers";
}

void apply_block(dispatch::DeviceOptions& device, const TtConfig& block) {
    if (block.worker_l1_size) device.worker_l1_size = core::Bytes{*block.worker_l1_size};
    if (block.l1_small_size) device.l1_small_size = core::Bytes{*block.l1_small_size};
    if (block.dispatch_core_axis) device.dispatch_axis = *block.dispatch_core_axis;
    if (block.dispatch_core_type) device.dispatch_core = *block.dispatch_core_type;
    if (block.num_command_queues) {
        device.queues = static_cast<std::int32_t>(*block.num_command_queues);
    }
}

// The keys of the block that other options spell too.
TtConfig take_block(ModelOptions& options, std::vector<std::string>& notes) {
    if (options.tt_config.empty()) return {};
    TtConfig block = parse_tt_config(options.tt_config);
    if (block.data_parallel) options.dp = *block.data_parallel;
    if (block.optimizations) options.precision = *block.optimizations;
    if (block.trace_region_size) options.trace_region = block.trace_region_size;
    for (const std::string& key : block.without_effect) {
        notes.push_back("--override-tt-config: " + core::printable(key) +
                        " changes nothing of this answer");
    }
    return block;
}

// model_config.py: a multiple of 8 from 8 to 64; 0 turns the padding off.
std::optional<std::int64_t> mlp_cores_of(const std::string& text) {
    if (text.empty()) return std::nullopt;
    std::int64_t cores = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), cores);
    const bool number = error == std::errc{} && end == text.data() + text.size();
    if (!number || cores < 0 || cores > 64 || cores % 8 != 0) {
        throw core::Error::mismatch("PAD_MLP_CORES", "", "0 or a multiple of 8 up to 64",
                                    core::printable(text));
    }
    return cores;
}

std::filesystem::path folder_of(const std::string& model) {
    const std::filesystem::path given = model;
    return std::filesystem::is_directory(given) ? given : given.parent_path();
}

std::int64_t heads_over(const fabric::Mesh& group) {
    const bool two_d = group.shape.rows > 1 && group.shape.cols > 1;
    return two_d ? group.shape.rows : group.chip_count();
}

// tt_transformers asks for a ring by the kind of system; before 2026-09 nothing looked whether it
// closes (tenstorrent/tt-metal: ttnn/cpp/ttnn/operations/ccl/ccl_common.cpp, PR #56235).
void require_rings(const fabric::Mesh& mesh, const std::string& release) {
    if (release.empty() || release_of(release) == dispatch::Release::R2026_09) return;
    for (const int axis : {0, 1}) {
        std::vector<std::string> broken = fabric::broken_wraps(mesh, axis);
        if (broken.empty()) continue;
        for (std::string& pair : broken) pair = "ring " + mesh.shape.text() + ": " + pair;
        throw fabric::Hang(std::move(broken),
                           "releases after 2026-05 look at the wiring and take a line");
    }
}

}  // namespace

Setup set_up(ModelOptions& options, const World& world) {
    const model::Config config = model::load_config(options.model);
    const fabric::Mesh mesh = open_mesh(world, options);
    require_rings(mesh, options.release);
    return set_up(options, world, config, mesh);
}

Setup set_up(ModelOptions& options, const World& world, const model::Config& config,
             const fabric::Mesh& mesh) {
    Setup setup;
    const TtConfig block = take_block(options, setup.notes);
    const std::filesystem::path folder = folder_of(options.model);
    setup.base_model = model::base_model_name(folder.string());
    setup.software = options.software;
    setup.mesh = mesh;
    setup.groups = model::data_parallel_groups(mesh, options.dp);
    setup.published = config;
    setup.pad_mlp_cores = model::mlp_padding_cores(
        setup.base_model, mlp_cores_of(world.pad_mlp_cores), release_of(options.release));
    setup.config = model::pad_feed_forward(config, setup.base_model, setup.group().chip_count(),
                                           setup.pad_mlp_cores);
    if (options.pad_heads) {
        if (const auto obstacle = model::padding_obstacle(config)) {
            throw NotPossible{{*obstacle}, "run it without --pad-heads on a mesh that divides"};
        }
        setup.config = model::pad_heads(setup.config, heads_over(setup.group()));
    }
    model::DecoderPrecision precision = model::precision_for(
        options.precision, folder, static_cast<std::int32_t>(config.num_hidden_layers));
    setup.precision = std::move(precision.precision);
    setup.notes.insert(setup.notes.end(), precision.warnings.begin(), precision.warnings.end());
    setup.device.release = release_of(options.release);
    setup.device.trace_era = era_of(options.trace_era, setup.device.release);
    setup.device.dispatch_core = dispatch_core_of(options.dispatch, mesh);
    apply_block(setup.device, block);
    set_trace_region(setup, options, world);
    return setup;
}

model::DeploymentOptions deployment_options(const ModelOptions& options, const Setup& setup,
                                            std::int64_t context) {
    if (options.block_size % 32 != 0) {
        throw core::Error::mismatch("--block-size", "", "a multiple of 32",
                                    std::to_string(options.block_size));
    }
    model::DeploymentOptions deployment;
    deployment.software = options.software;
    deployment.batch = options.batch;
    deployment.context = context;
    deployment.block_size = options.block_size;
    deployment.max_num_blocks = options.max_num_blocks;
    deployment.page_seed = options.page_seed;
    deployment.prefill_chunk = options.prefill_chunk;
    deployment.device = setup.device;
    return deployment;
}

void require_split(const Setup& setup) {
    for (const fabric::Mesh& group : setup.groups) {
        std::vector<std::string> problems =
            model::split_reasons(setup.config, group, setup.base_model, setup.software);
        if (!problems.empty()) {
            throw NotPossible{std::move(problems), "`tessera check` lists what divides"};
        }
    }
}

}  // namespace cli

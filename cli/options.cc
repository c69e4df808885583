#include "cli/options.h"

#include <spdlog/spdlog.h>

#include "core/error.h"

namespace cli {
namespace {

dispatch::Release release_of(const std::string& text) {
    if (text.empty() || text == "2026-05") return dispatch::Release::R2026_05;
    if (text == "2026-09") return dispatch::Release::R2026_09;
    if (text == "2025") return dispatch::Release::R2025;
    throw core::Error::mismatch("--release", "", "2025, 2026-05 or 2026-09", "\"" + text + "\"");
}

mesh::TraceEra era_of(const std::string& text) {
    if (text == "A" || text == "a") return mesh::TraceEra::A;
    if (text == "B" || text == "b") return mesh::TraceEra::B;
    if (text == "C" || text == "c") return mesh::TraceEra::C;
    throw core::Error::mismatch("--trace-era", "", "A, B or C", "\"" + text + "\"");
}

}  // namespace

void add_model_options(CLI::App& verb, ModelOptions& options, const World& world) {
    options.mesh = world.default_mesh;
    verb.add_option("model", options.model, "Folder in Hugging Face layout")
        ->required()
        ->type_name("MODEL");
    verb.add_option("--mesh", options.mesh,
                    "System (t3k, galaxy, n150, ...), NAME:RxC, or a topology file "
                    "[MESH_DEVICE]")
        ->type_name("M");
    verb.add_option("--precision", options.precision, "fp32, bf16, performance or accuracy")
        ->capture_default_str()
        ->type_name("P");
    verb.add_option("--software", options.software, "Software profile")
        ->capture_default_str()
        ->type_name("PROFILE");
    verb.add_option("--release", options.release, "Date of the software: 2025, 2026-05, 2026-09");
    verb.add_option("--batch", options.batch, "Users per data-parallel group, 1 to 32")
        ->capture_default_str()
        ->check(CLI::Range(1, 32));
    verb.add_option("--dp", options.dp, "Data-parallel groups")
        ->capture_default_str()
        ->check(CLI::Range(1, 1024));
    verb.add_option("--context", options.context, "Positions a user may reach")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 24));
    verb.add_option(
            "--block-size", options.block_size,
            "Positions per block of a paged KV cache (a multiple of 32); default: contiguous")
        ->check(CLI::Range(std::int64_t{32}, std::int64_t{1} << 24));
    verb.add_option("--prefill-chunk", options.prefill_chunk, "Largest prefill chunk, tokens")
        ->capture_default_str()
        ->check(CLI::Range(std::int64_t{32}, std::int64_t{1} << 20));
    verb.add_option("--trace-region", options.trace_region, "trace_region_size, bytes")
        ->capture_default_str()
        ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 40));
    verb.add_option("--trace-era", options.trace_era, "Meaning of trace_region_size: A, B or C")
        ->capture_default_str();
    verb.add_option_function<std::string>(
            "--log-level",
            [log = world.log](const std::string& level) {
                log->set_level(spdlog::level::from_str(level));
            },
            "trace, debug, info, warn, error or off: what is said on stderr meanwhile")
        ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "off"}));
    verb.add_option("--threads", options.threads, "Host threads; default: all cores")
        ->check(CLI::Range(1, 1024));
    verb.add_flag("--json", options.json, "One JSON document on stdout");
}

fabric::Mesh open_mesh(const World& world, const std::string& spec) {
    if (spec.empty()) {
        throw core::Error("--mesh: expected a system or a topology file, got nothing")
            .hint("pass --mesh t3k, or set MESH_DEVICE");
    }
    auto opened = fabric::open_mesh(world.catalog, spec);
    if (auto* failure = std::get_if<fabric::MeshFailure>(&opened)) {
        throw NotPossible{std::move(failure->problems), "see `tessera topo check " + spec + "`"};
    }
    return std::get<fabric::Mesh>(std::move(opened));
}

dispatch::DeviceOptions device_options(const ModelOptions& options) {
    dispatch::DeviceOptions device;
    device.release = release_of(options.release);
    device.trace_region_size = core::Bytes{options.trace_region};
    device.trace_era = era_of(options.trace_era);
    return device;
}

model::DeploymentOptions deployment_options(const ModelOptions& options, std::int64_t context) {
    if (options.block_size % 32 != 0) {
        throw core::Error::mismatch("--block-size", "", "a multiple of 32",
                                    std::to_string(options.block_size));
    }
    model::DeploymentOptions deployment;
    deployment.software = options.software;
    deployment.batch = options.batch;
    deployment.context = context;
    deployment.block_size = options.block_size;
    deployment.prefill_chunk = options.prefill_chunk;
    deployment.device = device_options(options);
    return deployment;
}

model::Precision precision_of(const ModelOptions& options, const model::Config& config) {
    return model::precision_preset(options.precision, model::base_model_name(options.model),
                                   static_cast<std::int32_t>(config.num_hidden_layers));
}

}  // namespace cli

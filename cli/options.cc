#include "cli/options.h"

#include <spdlog/spdlog.h>

#include "core/error.h"

namespace cli {

void add_model_options(CLI::App& verb, ModelOptions& options, const World& world) {
    options.mesh = world.default_mesh;
    verb.add_option("model", options.model, "Folder in Hugging Face or Meta layout")
        ->required()
        ->type_name("MODEL");
    verb.add_option("--mesh", options.mesh,
                    "System (t3k, galaxy, n150, ...), NAME:RxC, or a topology file "
                    "[MESH_DEVICE]")
        ->type_name("M");
    verb.add_option("--precision", options.precision,
                    "fp32, bf16, performance, accuracy, \"precision_cfg = {ff1_3: bfp4, ...}, "
                    "fidelity_cfg = {...}\", or a decoder JSON")
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
    verb.add_option("--max-num-blocks", options.max_num_blocks,
                    "Blocks of the paged pool, all users of a group; default: what they need")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 24));
    verb.add_option("--page-table-seed", options.page_seed,
                    "Blocks of the pool in a random order, as the demo's; default: in order");
    verb.add_option("--prefill-chunk", options.prefill_chunk, "Largest prefill chunk, tokens")
        ->capture_default_str()
        ->check(CLI::Range(std::int64_t{32}, std::int64_t{1} << 20));
    verb.add_option("--trace-region", options.trace_region,
                    "trace_region_size, bytes; default: the software's for the model and mesh")
        ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 40));
    verb.add_option("--trace-era", options.trace_era,
                    "Meaning of trace_region_size: A (of every bank), B or C (of all banks); "
                    "default: that of the release");
    verb.add_option("--dispatch", options.dispatch,
                    "Cores that dispatch: worker or eth; default: the system's")
        ->check(CLI::IsMember({"worker", "eth"}));
    verb.add_option("--override-tt-config", options.tt_config,
                    "JSON as tt-inference-server takes it; wins over the other options")
        ->type_name("JSON");
    verb.add_flag("--pad-heads", options.pad_heads,
                  "Add zero heads where heads or KV heads do not divide");
    add_reroute(verb, options.reroute);
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

void add_weight_cache_option(CLI::App& verb, ModelOptions& options, const World& world) {
    if (!world.cache_path.empty()) options.weight_cache = world.cache_path;
    verb.add_option("--weight-cache", options.weight_cache,
                    "Folder that keeps weights as the chips store them, for the next start; off "
                    "[TT_CACHE_PATH]")
        ->capture_default_str()
        ->type_name("DIR");
}

void add_reroute(CLI::App& verb, bool& reroute) {
    verb.add_flag("--reroute", reroute,
                  "What if traffic went around cut cables and stopped routers (no release does)");
}

fabric::Mesh open_mesh(const World& world, const ModelOptions& options) {
    return open_mesh(world, options.mesh, rerouting_of(options.reroute));
}

fabric::Rerouting rerouting_of(bool asked) {
    return asked ? fabric::Rerouting::WhatIf : fabric::Rerouting::Off;
}

fabric::Mesh open_mesh(const World& world, const std::string& spec, fabric::Rerouting rerouting) {
    if (spec.empty()) {
        throw core::Error("--mesh: expected a system or a topology file, got nothing")
            .hint("pass --mesh t3k, or set MESH_DEVICE");
    }
    auto opened = fabric::open_mesh(world.catalog, spec, rerouting);
    if (auto* failure = std::get_if<fabric::MeshFailure>(&opened)) {
        throw NotPossible{std::move(failure->problems), "see `tessera topo check " + spec + "`"};
    }
    return std::get<fabric::Mesh>(std::move(opened));
}

}  // namespace cli

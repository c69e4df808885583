// Options that several verbs share, spelled and checked once.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/log.h"
#include "fabric/mesh.h"
#include "model/config.h"
#include "model/deployment.h"

namespace cli {

/// The world as main hands it in.
struct World {
    fabric::Catalog catalog;         // topology data
    std::string default_mesh;        // MESH_DEVICE, or empty
    std::string pad_mlp_cores = {};  // PAD_MLP_CORES, or empty
    std::string cache_path = {};     // TT_CACHE_PATH, or empty
    std::shared_ptr<spdlog::logger> log = make_log();
};

/// Exit codes of the command line contract.
enum class Answer : int { Yes = 0, No = 1, BadInput = 2 };

struct ModelOptions {
    std::string model;  // folder (or config.json)
    std::string mesh;
    std::string precision = "performance";
    std::string software = "tt-transformers";
    std::string release;    // "2025", "2026-05", "2026-09"; empty: the verb's default
    std::string trace_era;  // "A", "B", "C"; empty: the release's
    std::string dispatch;   // "worker", "eth"; empty: the system's default
    std::string tt_config;  // JSON of --override-tt-config
    std::int64_t batch = 1;
    std::int64_t dp = 1;
    std::int64_t context = 0;  // 0: chosen by the verb
    std::int64_t block_size = 0;
    std::int64_t max_num_blocks = 0;         // 0: as many as the users need
    std::optional<std::uint64_t> page_seed;  // absent: blocks in order
    std::int64_t prefill_chunk = 4096;
    std::optional<std::int64_t> trace_region;  // absent: the software's default for the model
    std::string weight_cache = "off";          // folder of the verbs that load weights
    bool pad_heads = false;
    bool reroute = false;
    int threads = 0;  // 0: all cores
    bool json = false;
};

/// Adds MODEL, --mesh, --precision, ... to a verb.
void add_model_options(CLI::App& verb, ModelOptions& options, const World& world);

/// Adds --reroute.
void add_reroute(CLI::App& verb, bool& reroute);
fabric::Rerouting rerouting_of(bool asked);

/// Adds --weight-cache to a verb that loads weights.
void add_weight_cache_option(CLI::App& verb, ModelOptions& options, const World& world);

/// Opens --mesh; a mesh that falls apart is thrown as NotPossible.
fabric::Mesh open_mesh(const World& world, const std::string& spec,
                       fabric::Rerouting rerouting = fabric::Rerouting::Off);
fabric::Mesh open_mesh(const World& world, const ModelOptions& options);

/// "The answer is no", with its reasons: exit code 1.
struct NotPossible {
    std::vector<std::string> reasons;
    std::string hint;
};

/// A verb: its help entry, and what it does when chosen.
struct Verb {
    CLI::App* app = nullptr;
    std::function<Answer()> act;
};

Verb make_run(CLI::App& app, const World& world);
Verb make_demo(CLI::App& app, const World& world);
Verb make_eval(CLI::App& app, const World& world);
Verb make_check(CLI::App& app, const World& world);
Verb make_sim(CLI::App& app, const World& world);
Verb make_topo(CLI::App& app, const World& world);
Verb make_ccl(CLI::App& app, const World& world);
Verb make_op(CLI::App& app, const World& world);
Verb make_validate(CLI::App& app, const World& world);

/// The folder of topology data this binary was built with.
const char* default_topologies();

/// The whole command line: parses, acts, prints errors; the exit code.
int run_command_line(int argc, const char* const* argv, const World& world);

}  // namespace cli

// tessera ccl: how long does a collective take.
#include <fmt/format.h>

#include <algorithm>

#include "ccl/closed_form.h"
#include "ccl/estimate.h"
#include "ccl/validation.h"
#include "cli/options.h"
#include "cli/report.h"
#include "core/error.h"
#include "core/format.h"

namespace cli {
namespace {

struct CclOptions {
    std::string op;
    std::string mesh;
    std::int64_t bytes = 0;
    std::int64_t page = 2048;
    std::int64_t packet = 0;  // 0: of the published tables
    int axis = -1;            // -1: the whole mesh
    std::int32_t links = 0;   // 0: all
    std::string topology;
    std::string release = "2026-09";
    std::string fabric_config;
    bool reroute = false;
    bool json = false;
};

ccl::Question question_of(const CclOptions& options) {
    ccl::Question question;
    question.kind = *ccl::parse_kind(options.op);
    question.total = core::Bytes{options.bytes};
    question.page = core::Bytes{options.page};
    if (options.axis >= 0) question.axis = options.axis;
    if (options.links > 0) question.links = options.links;
    if (options.packet > 0) question.packet_payload = core::Bytes{options.packet};
    if (options.topology == "ring") question.topology = fabric::Topology::Ring;
    if (options.topology == "line") question.topology = fabric::Topology::Line;
    if (options.release != "2026-09") {
        question.one_shot = ccl::OneShot::Absent;
        question.wiring_check = ccl::WiringCheck::Absent;
    }
    if (options.fabric_config == "FABRIC_1D") question.fabric_config = fabric::FabricConfig::Line;
    if (options.fabric_config == "FABRIC_1D_RING") {
        question.fabric_config = fabric::FabricConfig::Ring;
    }
    return question;
}

const char* text_of(fabric::Topology topology) {
    return topology == fabric::Topology::Ring ? "ring" : "line";
}

double giga_per_second(core::Bytes size, core::Picoseconds time) {
    return static_cast<double>(size.value) * 1e-9 / core::to_seconds(time);
}

/// The published bottleneck over all links and directions it is shared by.
double link_bandwidth(const ccl::Run& run) {
    const std::int64_t ways =
        std::int64_t{run.request.links} * ccl::directions(run.request.topology);
    return giga_per_second(run.bottleneck, run.time) / static_cast<double>(ways);
}

std::optional<ccl::ErrorGroup> error_of(const World& world, const fabric::Mesh& mesh,
                                        const ccl::Estimate& estimate, const ccl::Run& run) {
    // The tables have one packet size, one tile size and the algorithms of their day.
    const bool as_measured =
        mesh.system.wiring.stopped.empty() &&
        estimate.packet_payload == mesh.system.link.collectives.tuned_payload &&
        run.request.page == core::Bytes{2048} && run.algorithm != ccl::Algorithm::GatherAndSum &&
        run.algorithm == ccl::usual_algorithm(run.request, ccl::OneShot::Present);
    if (!as_measured) return std::nullopt;
    return ccl::nearest_group(
        ccl::load_error_groups(world.catalog.folder / "validation" / "ccl.yaml"),
        mesh.system.chip.arch, run.request);
}

Json error_json(const std::optional<ccl::ErrorGroup>& group) {
    if (!group) return "extrapolated";
    return {{"group", group->text()},
            {"rows", group->rows},
            {"median_ape_pct", group->median_pct},
            {"p90_ape_pct", group->p90_pct}};
}

std::string error_text(const std::optional<ccl::ErrorGroup>& group) {
    if (!group) return "extrapolated";
    return fmt::format("off by {:.1f} % (median; {:.1f} % for nine of ten) in {} measurements: {}",
                       group->median_pct, group->p90_pct, group->rows, group->text());
}

Json workers_json(const ccl::Run& run) {
    if (!run.workers) return nullptr;
    return {{"per_link_and_direction", run.workers->per_direction},
            {"mux", run.workers->mux},
            {"cores", run.workers->most_cores(run.request.links, run.request.ranks)}};
}

std::string workers_text(const ccl::Run& run, const ccl::Workers& workers) {
    return fmt::format("{} per link and direction{}: {} cores", workers.per_direction,
                       workers.mux ? " and a mux" : "",
                       workers.most_cores(run.request.links, run.request.ranks));
}

Json run_json(const World& world, const fabric::Mesh& mesh, const ccl::Estimate& estimate,
              const ccl::Run& run) {
    return {{"axis", run.axis},
            {"chips", run.request.ranks},
            {"topology", text_of(run.request.topology)},
            {"links", run.request.links},
            {"algorithm", ccl::to_text(run.algorithm)},
            {"bytes", run.request.total.value},
            {"time_us", core::to_us(run.time)},
            {"bottleneck_bytes", run.bottleneck.value},
            {"busiest_hop_bytes", run.busiest_hop.value},
            {"linkbw_GBps", link_bandwidth(run)},
            {"workers", workers_json(run)},
            {"error", error_json(error_of(world, mesh, estimate, run))}};
}

std::vector<std::string> notes_of(const fabric::Mesh& mesh, const ccl::Estimate& estimate) {
    std::vector<std::string> notes = mesh.problems;
    notes.insert(notes.end(), estimate.notes.begin(), estimate.notes.end());
    return notes;
}

/// Over two axes: the run that takes longer.
const ccl::Run& longest(const ccl::Estimate& estimate) {
    return *std::max_element(estimate.runs.begin(), estimate.runs.end(),
                             [](const ccl::Run& a, const ccl::Run& b) { return a.time < b.time; });
}

/// Chips the bus bandwidth is stated for: all that take part.
std::int32_t chips_of(const ccl::Estimate& estimate) {
    std::int32_t chips = 1;
    for (const ccl::Run& run : estimate.runs) chips *= run.request.ranks;
    return chips;
}

Json to_json(const World& world, const CclOptions& options, const fabric::Mesh& mesh,
             const ccl::Estimate& estimate) {
    const ccl::Run& run = longest(estimate);
    const double algorithm_rate = giga_per_second(core::Bytes{options.bytes}, estimate.time());
    Json document = envelope("ccl", world, "tt-metal");
    document["release"] = options.release;
    document["op"] = options.op;
    document["mesh"] = options.mesh;
    document["arch"] = mesh::to_text(mesh.system.chip.arch);
    document["bytes"] = options.bytes;
    document["packet_bytes"] = estimate.packet_payload.value;
    document["topology"] = text_of(run.request.topology);
    document["links"] = run.request.links;
    document["time_us"] = core::to_us(estimate.time());
    document["algbw_GBps"] = algorithm_rate;
    document["busbw_GBps"] = algorithm_rate * ccl::bus_factor(run.request.kind, chips_of(estimate));
    document["linkbw_GBps"] = link_bandwidth(run);
    document["bottleneck_bytes"] = run.bottleneck.value;
    document["error"] = error_json(error_of(world, mesh, estimate, run));
    document["runs"] = Json::array();
    for (const ccl::Run& one : estimate.runs) {
        document["runs"].push_back(run_json(world, mesh, estimate, one));
    }
    document["notes"] = notes_of(mesh, estimate);
    return document;
}

void print(const World& world, const CclOptions& options, const fabric::Mesh& mesh,
           const ccl::Estimate& estimate) {
    for (const ccl::Run& run : estimate.runs) {
        fmt::print("{} of {} along axis {}: {} of {}, {} link{}, {}\n", options.op,
                   core::to_text(run.request.total), run.axis, text_of(run.request.topology),
                   run.request.ranks, run.request.links, run.request.links == 1 ? "" : "s",
                   ccl::to_text(run.algorithm));
        fmt::print("  {:<12}{:.2f} us\n", "time", core::to_us(run.time));
        fmt::print("  {:<12}{}, {:.2f} GB/s per link and direction\n", "bottleneck",
                   core::to_text(run.bottleneck), link_bandwidth(run));
        if (run.workers) fmt::print("  {:<12}{}\n", "workers", workers_text(run, *run.workers));
        fmt::print("  {:<12}{}\n", "error", error_text(error_of(world, mesh, estimate, run)));
    }
    if (estimate.runs.size() > 1) fmt::print("total {:.2f} us\n", core::to_us(estimate.time()));
    for (const std::string& note : notes_of(mesh, estimate)) fmt::print("note: {}\n", note);
}

Answer act(const CclOptions& options, const World& world) {
    const fabric::Mesh mesh = open_mesh(world, options.mesh, rerouting_of(options.reroute));
    const ccl::Estimate estimate = ccl::estimate(mesh, question_of(options));
    if (options.json) {
        print_json(to_json(world, options, mesh, estimate));
    } else {
        print(world, options, mesh, estimate);
    }
    return Answer::Yes;
}

void add_options(CLI::App& verb, CclOptions& options) {
    verb.add_option("op", options.op,
                    "all_gather, reduce_scatter, all_reduce, all_to_all, broadcast or "
                    "point_to_point (first chip to last)")
        ->required()
        ->type_name("OP")
        ->check(CLI::IsMember({"all_gather", "reduce_scatter", "all_reduce", "all_to_all",
                               "broadcast", "point_to_point"}));
    verb.add_option("--mesh", options.mesh,
                    "System (t3k, galaxy, n150, ...), NAME:RxC, or a topology file "
                    "[MESH_DEVICE]")
        ->type_name("M");
    verb.add_option("--bytes", options.bytes,
                    "What all chips hold in the end (all_gather), what each puts in (the others)")
        ->required()
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40));
    verb.add_option("--axis", options.axis, "0: along the rows, 1: the columns; default: all chips")
        ->check(CLI::Range(0, 1));
    verb.add_option("--topology", options.topology, "ring or line; default: ring where wired")
        ->check(CLI::IsMember({"ring", "line"}));
    verb.add_option("--links", options.links, "Links per neighbour; default: all usable")
        ->check(CLI::Range(1, 64));
    verb.add_option("--page", options.page, "Bytes of a tile")
        ->capture_default_str()
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20));
    verb.add_option("--packet", options.packet,
                    "Payload of a fabric packet, bytes; default: that of the published tables")
        ->check(CLI::Range(std::int64_t{16}, std::int64_t{1} << 20));
    verb.add_option("--release", options.release,
                    "Date of the software: before 2026-09 no one-shot reduce-scatter, and a ring "
                    "on an axis that does not close hangs")
        ->capture_default_str()
        ->check(CLI::IsMember({"2025", "2026-05", "2026-09"}));
    verb.add_option("--fabric-config", options.fabric_config,
                    "FABRIC_1D (no deadlock avoidance) or FABRIC_1D_RING; default: as the topology")
        ->check(CLI::IsMember({"FABRIC_1D", "FABRIC_1D_RING"}));
    add_reroute(verb, options.reroute);
    verb.add_flag("--json", options.json, "One JSON document on stdout");
}

}  // namespace

Verb make_ccl(CLI::App& app, const World& world) {
    auto options = std::make_shared<CclOptions>();
    options->mesh = world.default_mesh;
    CLI::App* verb = app.add_subcommand("ccl", "How long does a collective take");
    add_options(*verb, *options);
    verb->footer("Example: tessera ccl all_gather --mesh t3k --bytes 1048576 --topology ring");
    return {verb, [options, &world] { return act(*options, world); }};
}

}  // namespace cli

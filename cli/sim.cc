// tessera sim: how fast is it, and what holds it back.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "cli/exports.h"
#include "cli/options.h"
#include "cli/report.h"
#include "cli/setup.h"
#include "core/digest.h"
#include "core/format.h"
#include "model/estimate.h"
#include "model/split.h"

namespace cli {
namespace {

struct SimOptions {
    ModelOptions model;
    std::int64_t isl = 128;
    std::int64_t osl = 128;
    std::string trace = "on";
    SimExports exports;
};

using Clock = std::chrono::steady_clock;

std::string largest(const std::map<std::string, core::Picoseconds>& times) {
    const auto most =
        std::max_element(times.begin(), times.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    return most == times.end() ? "" : most->first;
}

double per_second(core::Picoseconds step) {
    return step.count() > 0 ? 1.0 / core::to_seconds(step) : 0.0;
}

Json to_json(const SimOptions& options, const World& world, const model::Estimate& estimate,
             const fabric::Mesh& group, double host_seconds) {
    Json document = envelope("sim", world, options.model.software);
    document["mesh"] = options.model.mesh;
    document["precision"] = options.model.precision;
    document["ttft_ms"] = core::to_ms(estimate.time_to_first_token);
    document["decode_step_ms"] = core::to_ms(estimate.decode_step);
    const double user = per_second(estimate.decode_step);
    document["tokens_per_second_per_user"] = user;
    document["tokens_per_second"] =
        user * static_cast<double>(options.model.batch * options.model.dp);
    document["roofline_tokens_per_second_per_user"] = per_second(estimate.roofline_step);
    document["bottleneck"] = largest(estimate.by_bound);
    document["breakdown_ms"] = Json::object();
    for (const auto& [kind, time] : estimate.breakdown) {
        document["breakdown_ms"][kind] = core::to_ms(time);
    }
    document["accuracy"] = "extrapolated";
    document["events"] = estimate.events;
    core::Digest digest;
    digest.add(static_cast<std::int64_t>(estimate.digest));
    document["digest"] = digest.hex();
    document["problems"] = group.problems;
    document["host_seconds"] = host_seconds;
    return document;
}

void print(const SimOptions& options, const model::Estimate& estimate) {
    const double user = per_second(estimate.decode_step);
    fmt::print("(extrapolated: first model, not calibrated)\n");
    fmt::print("{:<28}{}\n", "time to first token", core::to_text(estimate.time_to_first_token));
    fmt::print("{:<28}{}\n", "decode step", core::to_text(estimate.decode_step));
    fmt::print("{:<28}{:.2f}\n", "tokens per second per user", user);
    fmt::print("{:<28}{:.2f}\n", "tokens per second",
               user * static_cast<double>(options.model.batch * options.model.dp));
    fmt::print("{:<28}{:.2f}\n", "roofline per user", per_second(estimate.roofline_step));
    fmt::print("{:<28}{}\n", "bottleneck", largest(estimate.by_bound));
    fmt::print("one decode step on a chip, by op\n");
    std::vector<std::pair<std::string, core::Picoseconds>> kinds(estimate.breakdown.begin(),
                                                                 estimate.breakdown.end());
    std::stable_sort(kinds.begin(), kinds.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
    for (const auto& [kind, time] : kinds) {
        fmt::print("  {:<26}{}\n", kind, core::to_text(time));
    }
}

Answer act(const SimOptions& options, const World& world) {
    const Clock::time_point begin = Clock::now();
    ModelOptions timed = options.model;
    if (timed.release.empty()) timed.release = "2026-09";
    const Setup setup = set_up(timed, world);
    require_split(setup);
    model::require_runs(setup.config, "config.json");
    const std::int64_t context = options.model.context > 0
                                     ? options.model.context
                                     : core::round_up(options.isl + options.osl, std::int64_t{32});
    model::Deployment deployment(setup.config, setup.precision, setup.group(),
                                 deployment_options(timed, setup, context));
    model::Recording recording;
    const model::Estimate estimate =
        model::estimate(deployment, {options.isl, options.osl,
                                     options.trace == "on" ? model::EstimateOptions::Trace::On
                                                           : model::EstimateOptions::Trace::Off,
                                     options.exports.any() ? &recording : nullptr});
    if (options.exports.any()) {
        const std::string title =
            fmt::format("{} on {}, {} users, {} prompt tokens", setup.base_model,
                        options.model.mesh, options.model.batch, options.isl);
        export_all(options.exports,
                   {title, deployment.mesh(), deployment.options().device, recording, estimate});
    }
    if (!estimate.shortage.empty()) {
        throw NotPossible{{estimate.shortage}, "`tessera check` plans it"};
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    if (options.model.json) {
        print_json(to_json(options, world, estimate, setup.group(), seconds));
    } else {
        for (const std::string& problem : setup.mesh.problems) fmt::print("note: {}\n", problem);
        print(options, estimate);
    }
    return Answer::Yes;
}

}  // namespace

Verb make_sim(CLI::App& app, const World& world) {
    auto options = std::make_shared<SimOptions>();
    CLI::App* verb = app.add_subcommand("sim", "How fast, and what is the bottleneck");
    add_model_options(*verb, options->model, world);
    verb->add_option("--isl", options->isl, "Prompt tokens")
        ->capture_default_str()
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 22));
    verb->add_option("--osl", options->osl, "Generated tokens")
        ->capture_default_str()
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 22));
    verb->add_option("--trace", options->trace, "on or off")
        ->capture_default_str()
        ->check(CLI::IsMember({"on", "off"}));
    add_export_options(*verb, options->exports);
    verb->footer(
        "Example: tessera sim Llama-3.1-70B-Instruct --mesh galaxy --batch 32 --isl 128 "
        "--osl 128");
    return {verb, [options, &world] { return act(*options, world); }};
}

}  // namespace cli

// tessera sim: how fast is it, and what holds it back.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "cli/exports.h"
#include "cli/options.h"
#include "cli/report.h"
#include "cli/setup.h"
#include "cli/what_if.h"
#include "core/digest.h"
#include "core/format.h"
#include "model/device_name.h"
#include "model/estimate.h"
#include "model/roofline.h"
#include "model/speed_errors.h"
#include "model/split.h"

namespace cli {
namespace {

struct SimOptions {
    ModelOptions model;
    std::int64_t isl = 128;
    std::int64_t osl = 128;
    std::string trace = "on";
    std::string queues = "1";
    std::string sampling = "usual";
    bool what_if = false;
    SimExports exports;
};

using Clock = std::chrono::steady_clock;

std::string largest(const model::Parts& times) {
    const auto most =
        std::max_element(times.begin(), times.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    return most == times.end() ? "" : most->first;
}

double per_second(core::Picoseconds step) {
    return step.count() > 0 ? 1.0 / core::to_seconds(step) : 0.0;
}

/// What was asked and what came out.
struct Result {
    model::Estimate estimate;
    std::optional<double> theoretical;  // published rule, tokens per second of a user
    std::vector<model::SpeedErrors> errors;
    std::vector<WhatIf> what_if;
    fabric::Mesh group;
    double host_seconds = 0;

    double rate() const { return per_second(estimate.decode_step); }
};

Json parts_json(const model::Parts& parts) {
    Json json = Json::object();
    for (const auto& [kind, time] : parts) json[kind] = core::to_ms(time);
    return json;
}

Json theoretical_json(const Result& result) {
    if (!result.theoretical) return nullptr;
    const double share = result.rate() / *result.theoretical;
    return {{"tokens_per_second_per_user", *result.theoretical},
            {"reached_pct", 100 * share},
            {"bounty_tier", model::bounty_tier(share)}};
}

std::string error_text(const model::SpeedErrors& errors) {
    return fmt::format(
        "{} off by {:.1f} % (median; {:.1f} % for nine of ten) in {} measurements: "
        "{} {}",
        errors.value, errors.median_pct, errors.p90_pct, errors.rows, errors.device,
        errors.section);
}

std::string accuracy_text(const Result& result) {
    std::string text;
    for (const model::SpeedErrors& errors : result.errors) {
        text += (text.empty() ? "" : "; ") + error_text(errors);
    }
    return text.empty() ? "extrapolated" : text;
}

Json what_if_json(const Result& result) {
    Json json = Json::array();
    for (const WhatIf& line : result.what_if) {
        Json entry{{"change", line.change}, {"tokens_per_second_per_user", nullptr}};
        if (line.tokens_per_second_per_user) {
            entry["tokens_per_second_per_user"] = *line.tokens_per_second_per_user;
        }
        entry["obstacle"] = line.obstacle;
        json.push_back(std::move(entry));
    }
    return json;
}

// A stream that leaves DRAM hardly a pause sets the pace, whatever else is going on.
std::string bottleneck(const model::Estimate& estimate) {
    const bool paced = estimate.prefetcher && estimate.prefetcher->busy * 10 > estimate.chips * 9;
    return paced ? "prefetcher" : largest(estimate.by_bound);
}

double users_of(const SimOptions& options) {
    return static_cast<double>(options.model.batch * options.model.dp);
}

Json to_json(const SimOptions& options, const World& world, const Result& result) {
    const model::Estimate& estimate = result.estimate;
    Json document = envelope("sim", world, options.model.software);
    document["mesh"] = options.model.mesh;
    document["precision"] = options.model.precision;
    document["ttft_ms"] = core::to_ms(estimate.time_to_first_token);
    document["decode_step_ms"] = core::to_ms(estimate.decode_step);
    document["first_step_ms"] = core::to_ms(estimate.first_step);
    document["tokens_per_second_per_user"] = result.rate();
    document["tokens_per_second"] = result.rate() * users_of(options);
    document["roofline_tokens_per_second_per_user"] = per_second(estimate.roofline_step);
    document["theoretical"] = theoretical_json(result);
    document["bottleneck"] = bottleneck(estimate);
    document["sampling"] = estimate.sampler == model::SampledOn::Host ? "host" : "device";
    document["prefill"] = estimate.is_prefill_traced    ? "traced"
                          : estimate.is_prefill_batched ? "batched"
                                                        : "one by one";
    document["breakdown_ms"] = parts_json(estimate.breakdown);
    document["layers_ms"] = parts_json(estimate.by_layer);
    document["host_ms"] = parts_json(estimate.host);
    if (estimate.prefetcher) {
        document["prefetcher_ms"] = {{"busy", core::to_ms(estimate.prefetcher->busy)},
                                     {"waited_for", core::to_ms(estimate.prefetcher->waited)}};
    }
    document["what_if"] = what_if_json(result);
    document["accuracy"] = accuracy_text(result);
    document["events"] = estimate.events;
    core::Digest digest;
    digest.add(static_cast<std::int64_t>(estimate.digest));
    document["digest"] = digest.hex();
    document["problems"] = result.group.problems;
    document["host_seconds"] = result.host_seconds;
    return document;
}

void print_parts(const model::Parts& parts) {
    std::vector<std::pair<std::string, core::Picoseconds>> kinds(parts.begin(), parts.end());
    std::stable_sort(kinds.begin(), kinds.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
    for (const auto& [kind, time] : kinds) fmt::print("  {:<26}{}\n", kind, core::to_text(time));
}

// Layers that take as long as each other are one line.
void print_layers(const model::Parts& layers) {
    std::map<core::Picoseconds, std::vector<std::string>> alike;
    for (const auto& [name, time] : layers) alike[time].push_back(name);
    for (auto at = alike.rbegin(); at != alike.rend(); ++at) {
        const std::size_t count = at->second.size();
        const std::string name =
            count == 1 ? at->second.front() : fmt::format("{} layers, each", count);
        fmt::print("  {:<26}{}\n", name, core::to_text(at->first));
    }
}

void print_theoretical(const Result& result) {
    if (!result.theoretical) return;
    const double share = result.rate() / *result.theoretical;
    fmt::print("{:<28}{:.2f} (published rule), {:.0f} % of it reached, bounty tier: {}\n",
               "theoretical per user", *result.theoretical, 100 * share, model::bounty_tier(share));
}

void print_what_if(const Result& result) {
    for (const WhatIf& line : result.what_if) {
        const std::string rate =
            line.tokens_per_second_per_user
                ? fmt::format("{:.2f} tokens per second per user", *line.tokens_per_second_per_user)
                : "no: " + line.obstacle;
        fmt::print("with {:<32}{}\n", line.change, rate);
    }
}

void print(const SimOptions& options, const Result& result) {
    const model::Estimate& estimate = result.estimate;
    fmt::print("{:<28}{}\n", "time to first token", core::to_text(estimate.time_to_first_token));
    fmt::print("{:<28}{}\n", "decode step", core::to_text(estimate.decode_step));
    fmt::print("{:<28}{:.2f}\n", "tokens per second per user", result.rate());
    fmt::print("{:<28}{:.2f}\n", "tokens per second", result.rate() * users_of(options));
    fmt::print("{:<28}{:.2f} ({} at the full rate of DRAM)\n", "roofline per user",
               per_second(estimate.roofline_step), core::to_text(estimate.step_bytes));
    print_theoretical(result);
    fmt::print("{:<28}{}\n", "bottleneck", bottleneck(estimate));
    fmt::print("{:<28}{}\n", "accuracy", accuracy_text(result));
    if (estimate.prefetcher) {
        fmt::print("{:<28}keeps DRAM busy for {}, products wait {} for it\n", "prefetcher",
                   core::to_text(estimate.prefetcher->busy),
                   core::to_text(estimate.prefetcher->waited));
    }
    fmt::print("one decode step on a chip, by op\n");
    print_parts(estimate.breakdown);
    fmt::print("by layer\n");
    print_layers(estimate.by_layer);
    fmt::print("on the host\n");
    print_parts(estimate.host);
    print_what_if(result);
}

model::EstimateOptions run_of(const SimOptions& options, const World& world, const Setup& setup) {
    using Run = model::EstimateOptions;
    Run run;
    run.isl = options.isl;
    run.osl = options.osl;
    run.trace = options.trace == "on" ? Run::Trace::On : Run::Trace::Off;
    run.queues = options.queues == "2" ? Run::Queues::Two : Run::Queues::One;
    if (options.sampling == "host") run.sampling = Run::Sampling::Host;
    if (options.sampling == "device") run.sampling = Run::Sampling::Device;
    run.groups = options.model.dp;
    run.traced_prefills = setup.trace_defaults.prefill_lengths(
        setup.base_model, model::device_name(setup.group()).value_or(""), setup.device.release);
    run.host = model::load_host_costs(world.catalog.folder / "software" / "host_costs.yaml",
                                      options.model.software);
    return run;
}

void compare(Result& result, const SimOptions& options, const World& world, const Setup& setup) {
    const std::filesystem::path folder = world.catalog.folder / "validation";
    if (const auto parameters = model::nominal_parameters(setup.base_model)) {
        result.theoretical = model::theoretical_rate(
            model::load_target_rule(folder / "targets.yaml"), *parameters, setup.group());
    }
    if (options.model.dp > 1 || options.trace == "off") return;
    const model::SpeedRun run{model::device_name(setup.group()).value_or(""),
                              options.model.precision, options.model.batch, options.isl,
                              setup.config.hidden_size};
    const auto groups = model::load_speed_errors(folder / "speed.yaml");
    for (const char* value : {"tok_s_user", "ttft_ms"}) {
        if (auto errors = model::errors_of(groups, value, run)) {
            result.errors.push_back(std::move(*errors));
        }
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
    const model::DeploymentOptions laid = deployment_options(timed, setup, context);
    model::Deployment deployment(setup.config, setup.precision, setup.group(), laid);
    const model::EstimateOptions run = run_of(options, world, setup);
    Result result;
    result.group = setup.group();
    model::Recording recording;
    model::EstimateOptions recorded = run;
    if (options.exports.any()) recorded.record = &recording;
    result.estimate = model::estimate(deployment, recorded);
    if (options.exports.any()) {
        const std::string title =
            fmt::format("{} on {}, {} users, {} prompt tokens", setup.base_model,
                        options.model.mesh, options.model.batch, options.isl);
        export_all(options.exports, {title, deployment.mesh(), deployment.options().device,
                                     recording, result.estimate});
    }
    if (!result.estimate.shortage.empty()) {
        throw NotPossible{{result.estimate.shortage}, "`tessera check` plans it"};
    }
    compare(result, options, world, setup);
    if (options.what_if) result.what_if = what_if(world, setup, laid, run);
    result.host_seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    if (options.model.json) {
        print_json(to_json(options, world, result));
    } else {
        for (const std::string& problem : setup.mesh.problems) fmt::print("note: {}\n", problem);
        print(options, result);
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
    verb->add_option("--queues", options->queues, "2: tokens are read while the next step runs")
        ->capture_default_str()
        ->check(CLI::IsMember({"1", "2"}));
    verb->add_option("--sampling", options->sampling, "host, device, or as the release does")
        ->capture_default_str()
        ->check(CLI::IsMember({"usual", "host", "device"}));
    add_export_options(*verb, options->exports);
    verb->add_flag("--what-if", options->what_if,
                   "The same with faster links, smaller weights, more chips");
    verb->footer(
        "Example: tessera sim Llama-3.1-70B-Instruct --mesh galaxy --batch 32 --isl 128 "
        "--osl 128");
    return {verb, [options, &world] { return act(*options, world); }};
}

}  // namespace cli

// tessera eval: how close is a run to a reference.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "cli/generation.h"
#include "cli/options.h"
#include "cli/report.h"
#include "cli/setup.h"
#include "core/error.h"
#include "model/evaluate.h"
#include "model/rope.h"

namespace cli {
namespace {

struct EvalOptions {
    ModelOptions model;
    std::string reference;
    std::int64_t prefill = 0;  // 0: half of the positions
    std::string stagger = "starts";
};

// One line on a terminal's stderr, nothing elsewhere.
void show_progress(std::int64_t done, std::int64_t all) {
    if (isatty(STDERR_FILENO) == 0) return;
    const bool last = done == all;
    fmt::print(stderr, "\r{:>5} / {} positions{}", done, all, last ? "\n" : "");
}

Json users_json(const model::Reference& reference, const model::EvaluateReport& report) {
    Json users = Json::array();
    for (const model::UserScore& user : report.users) {
        users.push_back(
            {{"prefill", user.prefill},
             {"positions", user.positions},
             {"max_abs_error", reference.has_logits() ? Json(user.max_abs_error) : Json()},
             {"max_abs_error_hidden_states", user.max_abs_error_hidden}});
    }
    return users;
}

Answer print(const EvalOptions& options, const World& world, const model::Reference& reference,
             const model::EvaluateReport& report, const Fleet& fleet) {
    const std::vector<std::string>& problems = fleet.first().mesh().problems;
    if (options.model.json) {
        Json document = envelope("eval", world, options.model.software);
        document["mesh"] = options.model.mesh;
        document["precision"] = options.model.precision;
        document["problems"] = problems;
        document["positions"] = report.positions;
        document["top1"] = report.top1;
        document["top5"] = report.top5;
        // Null without logits in the reference.
        const bool has_logits = reference.has_logits();
        document["pcc"] = {{"logits", has_logits ? Json(report.pcc_logits) : Json()},
                           {"hidden_states", report.pcc_hidden_states}};
        document["max_abs_error"] = has_logits ? Json(report.max_abs_error) : Json();
        document["max_abs_error_hidden_states"] = report.max_abs_error_hidden;
        if (report.users.size() > 1) document["users"] = users_json(reference, report);
        document["memory"] = memory_json(fleet.plan_memory(), fleet.chips());
        print_json(document);
        return Answer::Yes;
    }
    for (const std::string& problem : problems) fmt::print("note: {}\n", problem);
    fmt::print("positions      {}\n", report.positions);
    if (report.users.size() > 1) fmt::print("users          {}\n", report.users.size());
    fmt::print("top-1 / top-5  {:.2f} % / {:.2f} %\n", report.top1, report.top5);
    if (reference.has_logits()) {
        fmt::print("PCC of logits  {:.6f}\n", report.pcc_logits);
        fmt::print("max |error|    {:.3e}\n", report.max_abs_error);
    }
    for (std::size_t layer = 0; layer < report.pcc_hidden_states.size(); ++layer) {
        fmt::print("PCC of layer {:<3}{:.6f}\n", layer, report.pcc_hidden_states[layer]);
    }
    if (!report.pcc_hidden_states.empty()) {
        fmt::print("max |error| of layers  {:.3e}\n", report.max_abs_error_hidden);
    }
    return Answer::Yes;
}

Answer act(const EvalOptions& options, const World& world) {
    const auto threads = limit_threads(options.model.threads);
    ModelOptions asked = options.model;
    const Setup setup = set_up(asked, world);
    const model::Config& config = setup.config;
    const model::Reference reference = model::Reference::open(options.reference);
    const std::int64_t context =
        options.model.context > 0
            ? options.model.context
            : model::context_of_run(config, core::round_up(reference.positions(), std::int64_t{32}),
                                    reference.positions());
    if (reference.positions() > config.max_position_embeddings || reference.positions() > context) {
        throw core::Error::mismatch(
            options.reference, "input_ids",
            "at most " + std::to_string(std::min(context, config.max_position_embeddings)) +
                " positions",
            std::to_string(reference.positions()));
    }
    FleetOptions start;
    start.weight_cache = asked.weight_cache;
    start.laid = deployment_options(asked, setup, context);
    start.prompt = reference.positions();
    if (reference.has_hidden_states()) {
        start.laid.taps = model::PartitionOptions::Taps::HiddenStates;
        // Reading hidden states is not possible in a trace, as on the device.
        start.trace = model::Replica::Trace::Off;
    }
    model::EvaluateOptions evaluation;
    evaluation.prefill = options.prefill > 0 ? options.prefill
                                             : std::max<std::int64_t>(1, reference.positions() / 2);
    evaluation.users = asked.batch;
    if (options.stagger == "prefills") {
        evaluation.stagger = model::EvaluateOptions::Stagger::Prefills;
    }
    const model::Checkpoint checkpoint = model::Checkpoint::open(options.model.model);
    const Fleet fleet = start_fleet(world, setup, checkpoint, start);
    const model::EvaluateReport report =
        model::evaluate(fleet.replicas, reference, evaluation,
                        [&](std::int64_t done) { show_progress(done, reference.rows()); });
    if (!report.shortage.empty()) throw NotPossible{{report.shortage}, ""};
    return print(options, world, reference, report, fleet);
}

}  // namespace

Verb make_eval(CLI::App& app, const World& world) {
    auto options = std::make_shared<EvalOptions>();
    CLI::App* verb = app.add_subcommand("eval", "Compare a run with a reference");
    add_model_options(*verb, options->model, world);
    add_weight_cache_option(*verb, options->model, world);
    verb->add_option(
            "--reference", options->reference,
            "safetensors with input_ids and any of logits, hidden_states, top5_tokens; or a "
            ".refpt of tt_transformers")
        ->required()
        ->type_name("FILE");
    verb->add_option("--prefill", options->prefill, "Positions prefilled; default: half")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 24));
    verb->add_option("--stagger", options->stagger,
                     "Users of a batch are a position apart: by their starts or their prefills")
        ->capture_default_str()
        ->check(CLI::IsMember({"starts", "prefills"}));
    verb->footer(
        "Example: tessera eval models/tiny-shakespeare --mesh t3k --precision bf16 "
        "--reference models/tiny-shakespeare/reference.safetensors --prefill 64");
    return {verb, [options, &world] { return act(*options, world); }};
}

}  // namespace cli

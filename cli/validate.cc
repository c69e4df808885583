// tessera validate: how far is the simulator from a table of measurements.
#include "model/validate.h"

#include <fmt/format.h>

#include "cli/options.h"
#include "cli/report.h"
#include "core/csv.h"

namespace cli {
namespace {

struct ValidateOptions {
    std::string table;
    std::string models = TESSERA_MODEL_DIR;
    std::string configs;
    bool rows = false;
    bool json = false;
};

using Percentage = std::optional<double>;
/// The percentages of `scores` by their names in the contract.
std::vector<std::pair<const char*, Percentage>> percentages(const model::Scores& scores) {
    return {{"agree_yes_pct", scores.agree_yes_pct},
            {"agree_no_pct", scores.agree_no_pct},
            {"exact_pct", scores.exact_pct},
            {"within_2x_pct", scores.within_2x_pct},
            {"within_2x_or_above_pct", scores.within_2x_or_above_pct},
            {"median_ape_pct", scores.median_ape_pct},
            {"mean_ape_pct", scores.mean_ape_pct},
            {"p90_ape_pct", scores.p90_ape_pct}};
}

void add_scores(Json& document, const model::Scores& scores) {
    document["rows"] = scores.rows;
    for (const auto& [name, value] : percentages(scores)) {
        document[name] = value ? Json(*value) : Json(nullptr);
    }
}

Json row_json(const model::JudgedRow& row) {
    return {{"line", row.line},
            {"group", row.group},
            {"asked", row.asked},
            {"predicted", row.predicted},
            {"measured", row.measured},
            {"verdict", model::to_text(row.verdict)},
            {"why", row.why}};
}

Json to_json(const ValidateOptions& options, const World& world,
             const model::Validation& validation) {
    Json document = envelope("validate", world, "tt-transformers");
    document["table"] = options.table;
    document["kind"] = validation.kind;
    add_scores(document, validation.scores);
    std::int64_t skipped = 0;
    document["skipped"] = 0;
    document["skipped_by_reason"] = Json::array();
    for (const auto& [reason, rows] : validation.skipped) {
        document["skipped_by_reason"].push_back({{"reason", reason}, {"rows", rows}});
        skipped += rows;
    }
    document["skipped"] = skipped;
    document["groups"] = Json::array();
    for (const model::GroupScores& group : validation.groups) {
        Json entry{{"name", group.name}};
        add_scores(entry, group.scores);
        document["groups"].push_back(std::move(entry));
    }
    if (!options.rows) return document;
    document["row_results"] = Json::array();
    for (const model::JudgedRow& row : validation.rows) {
        document["row_results"].push_back(row_json(row));
    }
    return document;
}

std::string scores_text(const model::Scores& scores) {
    std::string text = fmt::format("{:>5} rows", scores.rows);
    for (const auto& [name, value] : percentages(scores)) {
        if (value) text += fmt::format("  {} {:.1f}", name, *value);
    }
    return text;
}

void print(const ValidateOptions& options, const model::Validation& validation) {
    if (options.rows) {
        for (const model::JudgedRow& row : validation.rows) {
            fmt::print("line {}: {}\n", row.line, model::to_text(row.verdict));
            if (!row.asked.empty()) {
                fmt::print("  asked      {}\n  predicted  {}\n  measured   {}\n", row.asked,
                           row.predicted, row.measured);
            }
            fmt::print("  why        {}\n", row.why);
        }
        fmt::print("\n");
    }
    fmt::print("{:<18}{}\n", validation.kind, scores_text(validation.scores));
    for (const model::GroupScores& group : validation.groups) {
        fmt::print("  {:<16}{}\n", group.name, scores_text(group.scores));
    }
    for (const auto& [reason, rows] : validation.skipped) {
        fmt::print("skipped {:>4}: {}\n", rows, reason);
    }
}

Answer act(const ValidateOptions& options, const World& world) {
    const std::filesystem::path models = options.models;
    const std::filesystem::path configs =
        options.configs.empty() ? models / "configs" : std::filesystem::path(options.configs);
    const core::CsvTable table = core::read_csv(options.table);
    const model::ModelLibrary library(world.catalog, configs, models / "aliases.yaml");
    const model::Validation validation = model::validate(table, library);
    if (options.json) {
        print_json(to_json(options, world, validation));
    } else {
        print(options, validation);
    }
    return Answer::Yes;
}

}  // namespace

Verb make_validate(CLI::App& app, const World& world) {
    auto options = std::make_shared<ValidateOptions>();
    CLI::App* verb = app.add_subcommand("validate", "How far is it from measurements");
    verb->add_option("table", options->table, "CSV file; its columns say what kind of table it is")
        ->required()
        ->type_name("TABLE.csv");
    verb->add_option("--configs", options->configs,
                     "Folder of folders with a config.json; default: the ones shipped")
        ->type_name("DIR");
    verb->add_flag("--rows", options->rows, "Every row: asked, predicted, measured, verdict, why");
    verb->add_flag("--json", options->json, "One JSON document on stdout");
    verb->footer("Example: tessera validate memory_fit.csv --rows");
    return {verb, [options, &world] { return act(*options, world); }};
}

}  // namespace cli

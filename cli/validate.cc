// tessera validate: how far is the simulator from a table of measurements.
#include "model/validate.h"

#include <fmt/format.h>

#include <algorithm>

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
    bool null = false;
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

/// Errors of the published closed form, on the rows it answers.
Json null_json(const model::Errors& errors) {
    const auto number = [](const Percentage& value) {
        return value ? Json(*value) : Json(nullptr);
    };
    return {{"rows", errors.rows},
            {"median_ape_pct", number(errors.median_ape_pct)},
            {"mean_ape_pct", number(errors.mean_ape_pct)},
            {"p90_ape_pct", number(errors.p90_ape_pct)}};
}

void add_scores(Json& document, const ValidateOptions& options, const model::Scores& scores) {
    document["rows"] = scores.rows;
    for (const auto& [name, value] : percentages(scores)) {
        document[name] = value ? Json(*value) : Json(nullptr);
    }
    if (options.null) document["null"] = null_json(scores.null_errors);
}

/// What the closed form is off; nullopt where it does not answer.
Percentage null_error(const model::JudgedRow& row) {
    return row.null_value ? row.error_pct(*row.null_value) : std::nullopt;
}

Json row_json(const ValidateOptions& options, model::Scoring scoring, const model::JudgedRow& row) {
    Json json{{"line", row.line},
              {"group", row.group},
              {"asked", row.asked},
              {"predicted", row.predicted},
              {"measured", row.measured},
              {"verdict", model::to_text(row.verdict)},
              {"why", row.why}};
    if (scoring != model::Scoring::Error) return json;
    const Percentage error = row.error_pct(row.predicted_value);
    json["error_pct"] = error ? Json(*error) : Json(nullptr);
    const Percentage null = null_error(row);
    if (options.null) json["null_error_pct"] = null ? Json(*null) : Json(nullptr);
    return json;
}

Json to_json(const ValidateOptions& options, const World& world,
             const model::Validation& validation) {
    const bool is_of_fabric = validation.scoring == model::Scoring::Error;  // asks no model
    Json document = envelope("validate", world, is_of_fabric ? "tt-metal" : "tt-transformers");
    document["table"] = options.table;
    document["kind"] = validation.kind;
    add_scores(document, options, validation.scores);
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
        add_scores(entry, options, group.scores);
        document["groups"].push_back(std::move(entry));
    }
    if (!options.rows) return document;
    document["row_results"] = Json::array();
    for (const model::JudgedRow& row : validation.rows) {
        document["row_results"].push_back(row_json(options, validation.scoring, row));
    }
    return document;
}

std::string null_text(const model::Errors& errors) {
    if (!errors.median_ape_pct) return "  null not published";
    return fmt::format("  null of {} rows: median {:.1f} mean {:.1f} p90 {:.1f}", errors.rows,
                       *errors.median_ape_pct, *errors.mean_ape_pct, *errors.p90_ape_pct);
}

std::string scores_text(const ValidateOptions& options, const model::Scores& scores) {
    std::string text = fmt::format("{:>5} rows", scores.rows);
    for (const auto& [name, value] : percentages(scores)) {
        if (value) text += fmt::format("  {} {:.1f}", name, *value);
    }
    return options.null ? text + null_text(scores.null_errors) : text;
}

void print_row(const ValidateOptions& options, model::Scoring scoring,
               const model::JudgedRow& row) {
    fmt::print("line {}: {}\n", row.line, model::to_text(row.verdict));
    if (!row.asked.empty()) {
        fmt::print("  asked      {}\n  predicted  {}\n  measured   {}\n", row.asked, row.predicted,
                   row.measured);
    }
    const Percentage error = row.error_pct(row.predicted_value);
    if (scoring == model::Scoring::Error && error) fmt::print("  error      {:+.1f} %\n", *error);
    const Percentage null = null_error(row);
    if (options.null && null) fmt::print("  null error {:+.1f} %\n", *null);
    fmt::print("  why        {}\n", row.why);
}

/// As wide as the longest name of a group.
std::size_t name_width(const model::Validation& validation) {
    std::size_t width = 16;
    for (const model::GroupScores& group : validation.groups) {
        width = std::max(width, group.name.size() + 1);
    }
    return width;
}

void print(const ValidateOptions& options, const model::Validation& validation) {
    if (options.rows) {
        for (const model::JudgedRow& row : validation.rows) {
            print_row(options, validation.scoring, row);
        }
        fmt::print("\n");
    }
    const std::size_t width = name_width(validation);
    fmt::print("{:<{}}{}\n", validation.kind, width + 2, scores_text(options, validation.scores));
    for (const model::GroupScores& group : validation.groups) {
        fmt::print("  {:<{}}{}\n", group.name, width, scores_text(options, group.scores));
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
    verb->add_flag("--null", options->null,
                   "Beside our errors those of the published closed form, where there is one");
    verb->add_flag("--json", options->json, "One JSON document on stdout");
    verb->footer("Example: tessera validate memory_fit.csv --rows");
    return {verb, [options, &world] { return act(*options, world); }};
}

}  // namespace cli

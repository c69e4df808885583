// tessera validate: how far is the simulator from a table of measurements.
#include "model/validate.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "cli/options.h"
#include "cli/report.h"
#include "core/csv.h"
#include "core/error.h"
#include "core/files.h"

namespace cli {
namespace {

struct ValidateOptions {
    std::string table;
    std::string folder;  // of --all
    std::string models = TESSERA_MODEL_DIR;
    std::string configs;
    bool rows = false;
    bool null = false;
    bool markdown = false;
    bool error_groups = false;
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

Json to_json(const ValidateOptions& options, const World& world, const std::string& table,
             const model::Validation& validation) {
    Json document = envelope("validate", world, std::string(validation.software));
    document["table"] = table;
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

/// Every table of the folder whose kind is known, by name.
std::vector<std::pair<std::string, core::CsvTable>> tables_of(const std::string& folder) {
    std::vector<std::filesystem::path> files;
    std::error_code failed;
    for (const auto& entry : std::filesystem::directory_iterator(folder, failed)) {
        if (entry.path().extension() == ".csv") files.push_back(entry.path());
    }
    if (failed) {
        throw core::Error::mismatch(core::printable(folder), "", "a folder of tables",
                                    "\"" + failed.message() + "\"");
    }
    std::sort(files.begin(), files.end());
    std::vector<std::pair<std::string, core::CsvTable>> tables;
    for (const auto& file : files) {
        core::CsvTable table = core::read_csv(file);
        if (model::is_known(table)) {
            tables.emplace_back(file.filename().string(), std::move(table));
        }
    }
    return tables;
}

std::int64_t skipped_rows(const model::Validation& validation) {
    std::int64_t rows = 0;
    for (const auto& [reason, count] : validation.skipped) rows += count;
    return rows;
}

/// A row of docs/accuracy.md.
void print_markdown(const std::string& table, const model::Validation& validation) {
    const auto cell = [](const Percentage& value) {
        return value ? fmt::format("{:.1f}", *value) : std::string("-");
    };
    const model::Scores& scores = validation.scores;
    fmt::print("| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n", table, validation.kind,
               scores.rows, skipped_rows(validation), cell(scores.median_ape_pct),
               cell(scores.mean_ape_pct), cell(scores.p90_ape_pct),
               cell(scores.null_errors.median_ape_pct), cell(scores.agree_yes_pct),
               cell(scores.agree_no_pct));
}

Answer act_on_all(const ValidateOptions& options, const World& world,
                  const model::ModelLibrary& library) {
    Json list = Json::array();
    if (options.markdown) {
        fmt::print(
            "| table | kind | rows | skipped | median % | mean % | p90 % | null median % | "
            "yes % | no % |\n|---|---|---|---|---|---|---|---|---|---|\n");
    }
    for (const auto& [name, table] : tables_of(options.folder)) {
        const model::Validation validation = model::validate(table, library);
        if (options.json) {
            list.push_back(to_json(options, world, name, validation));
        } else if (options.markdown) {
            print_markdown(name, validation);
        } else {
            fmt::print("{:<28}{:<20}{}  skipped {}\n", name, validation.kind,
                       scores_text(options, validation.scores), skipped_rows(validation));
        }
    }
    if (options.json) print_json(list);
    return Answer::Yes;
}

/// topologies/validation/speed.yaml; a group is "VALUE DEVICE SECTION".
void print_error_groups(const model::Validation& validation) {
    fmt::print(
        "# How far estimated speeds are from published ones, in tenths of a percent: what\n"
        "# `tessera sim` prints beside its own. Written by scripts/accuracy.sh.\ngroups:\n");
    for (const model::GroupScores& group : validation.groups) {
        const std::size_t value = group.name.find(' ');
        const std::size_t device = group.name.find(' ', value + 1);
        if (!group.scores.median_ape_pct || device == std::string::npos) continue;
        fmt::print(
            "  - {{value: {}, device: {}, section: {}, rows: {}, median_permille: {:.0f}, "
            "p90_permille: {:.0f}}}\n",
            group.name.substr(0, value), group.name.substr(value + 1, device - value - 1),
            group.name.substr(device + 1), group.scores.rows, 10 * *group.scores.median_ape_pct,
            10 * *group.scores.p90_ape_pct);
    }
}

Answer act(const ValidateOptions& options, const World& world) {
    const std::filesystem::path models = options.models;
    const std::filesystem::path configs =
        options.configs.empty() ? models / "configs" : std::filesystem::path(options.configs);
    if (options.table.empty() == options.folder.empty()) {
        throw core::Error::mismatch("validate", "", "TABLE.csv or --all FOLDER",
                                    options.table.empty() ? "neither" : "both");
    }
    const model::ModelLibrary library(world.catalog, configs, models / "aliases.yaml");
    if (!options.folder.empty()) return act_on_all(options, world, library);
    const core::CsvTable table = core::read_csv(options.table);
    const model::Validation validation = model::validate(table, library);
    if (options.json) {
        print_json(to_json(options, world, options.table, validation));
    } else if (options.error_groups) {
        print_error_groups(validation);
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
        ->type_name("TABLE.csv");
    verb->add_option("--all", options->folder,
                     "Every table of a folder whose kind is known; one line, or one entry of a "
                     "JSON list, for each")
        ->type_name("FOLDER");
    verb->add_flag("--markdown", options->markdown, "With --all: rows of a Markdown table");
    verb->add_flag("--error-groups", options->error_groups,
                   "The errors by group, as topologies/validation keeps them");
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

#include "cli/check_table.h"

#include <fmt/format.h>
#include <tbb/global_control.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "cli/check_report.h"
#include "core/error.h"
#include "core/files.h"
#include "core/parallel.h"

namespace cli {
namespace {

struct Row {
    std::string name;
    std::string folder;
    std::optional<model::Config> config;
    std::string problem;  // why it could not be read
};

struct Cell {
    std::optional<Finding> finding;
    std::string problem;
};

std::vector<Row> read_models(const std::string& folder) {
    std::vector<std::filesystem::path> models;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
        if (std::filesystem::exists(entry.path() / "config.json")) models.push_back(entry.path());
    }
    if (models.empty()) {
        throw core::Error::mismatch("--all", "", "a folder of folders with a config.json",
                                    core::printable(folder));
    }
    std::sort(models.begin(), models.end());
    std::vector<Row> rows;
    for (const auto& path : models) {
        Row row{path.filename().string(), path.string(), {}, {}};
        try {
            row.config = model::load_config(path);
        } catch (const core::Error& bad) {
            row.problem = bad.message();
        }
        rows.push_back(std::move(row));
    }
    return rows;
}

std::vector<model::NamedMesh> asked_systems(const std::string& text, const World& world) {
    if (text == "all") return all_systems(world);
    std::vector<model::NamedMesh> systems;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t comma = std::min(text.find(',', at), text.size());
        const std::string name = text.substr(at, comma - at);
        systems.push_back({name, open_mesh(world, name)});
        at = comma + 1;
    }
    return systems;
}

Cell look(const CheckOptions& options, const World& world, const Row& row,
          const model::NamedMesh& system, std::span<const model::NamedMesh> systems) {
    Cell cell;
    if (!row.config) {
        cell.problem = row.problem;
        return cell;
    }
    CheckOptions one = options;
    one.model.model = row.folder;
    one.model.mesh = system.name;
    try {
        cell.finding = find(one, world, *row.config, system.mesh, systems, Depth::Table);
    } catch (const core::Error& error) {
        cell.problem = error.message();
    } catch (const NotPossible& no) {
        cell.problem = no.reasons.front();
    }
    return cell;
}

std::string tokens_text(std::int64_t tokens) {
    return tokens % 1024 == 0 ? fmt::format("{}k", tokens / 1024) : fmt::format("{}", tokens);
}

// "128k": the most context that fits; "splits no"; "fits no".
std::string cell_text(const Cell& cell) {
    if (!cell.finding) return "error";
    if (!cell.finding->splits()) return "split";
    if (!cell.finding->fit || cell.finding->fit->max_context == 0) return "-";
    return tokens_text(cell.finding->fit->max_context);
}

PageCell page_cell(const Cell& cell, const std::string& anchor) {
    PageCell out;
    out.text = cell_text(cell);
    if (!cell.finding) {
        out.kind = PageCell::Kind::No;
        out.detail = cell.problem;
        return out;
    }
    const Finding& finding = *cell.finding;
    const bool some = finding.splits() && finding.fit && finding.fit->max_context > 0;
    out.kind = some ? PageCell::Kind::Yes : PageCell::Kind::No;
    if (!finding.splits()) {
        out.detail = finding.split.reasons.front();
    } else if (finding.fit && finding.fit->plan.failure) {
        out.detail = finding.fit->plan.failed_buffer + ": " + finding.fit->plan.failure->text;
    } else {
        out.detail = fmt::format("fits at {} positions", finding.context);
    }
    if (finding.fit) out.anchor = anchor;
    return out;
}

using Cells = std::vector<std::vector<Cell>>;

void print_table(const std::vector<Row>& rows, const std::vector<model::NamedMesh>& systems,
                 const Cells& cells) {
    fmt::print(
        "largest context that fits (batch and precision as asked; \"split\": the heads do "
        "not split, \"-\": no context fits)\n{:<36}",
        "");
    for (const model::NamedMesh& system : systems) fmt::print(" {:>10}", system.name);
    fmt::print("\n");
    for (std::size_t r = 0; r < rows.size(); ++r) {
        fmt::print("{:<36}", rows[r].name);
        for (const Cell& cell : cells[r]) fmt::print(" {:>10}", cell_text(cell));
        fmt::print("\n");
    }
    for (const Row& row : rows) {
        if (!row.problem.empty()) fmt::print("{}: {}\n", row.name, row.problem);
    }
}

Json cell_json(const std::string& model, const std::string& system, const Cell& cell) {
    Json json{{"model", model}, {"system", system},        {"splits", false},
              {"fits", false},  {"max_context_tokens", 0}, {"reason", nullptr}};
    if (!cell.finding) {
        json["reason"] = cell.problem;
        return json;
    }
    const Finding& finding = *cell.finding;
    json["splits"] = finding.splits();
    json["fits"] = finding.splits() && finding.fits();
    if (finding.fit) json["max_context_tokens"] = finding.fit->max_context;
    if (!finding.splits()) {
        json["reason"] = finding.split.reasons.front();
    } else if (finding.fit && finding.fit->plan.failure) {
        json["reason"] = finding.fit->plan.failure->text;
    } else if (finding.fit && finding.fit->plan.clash) {
        json["reason"] = *finding.fit->plan.clash;
    }
    return json;
}

void write_page(const std::string& path, const std::vector<Row>& rows,
                const std::vector<model::NamedMesh>& systems, const Cells& cells) {
    Page page;
    page.title = "Models and systems";
    page.intro =
        "The largest context that fits, and who owns the memory of a chip. Bars are "
        "those of the model's full context, where that fits, and of the moment it fails, "
        "where it does not. All chips of a system are alike; one is drawn.";
    for (const model::NamedMesh& system : systems) page.table.columns.push_back(system.name);
    for (std::size_t r = 0; r < rows.size(); ++r) {
        std::vector<PageCell> line;
        for (std::size_t s = 0; s < systems.size(); ++s) {
            const std::string anchor = fmt::format("m{}s{}", r, s);
            line.push_back(page_cell(cells[r][s], anchor));
            const Cell& cell = cells[r][s];
            if (!cell.finding || !cell.finding->fit) continue;
            PageSection section =
                to_section(rows[r].name + " on " + systems[s].name, anchor, *cell.finding);
            section.bars.resize(std::min<std::size_t>(section.bars.size(), 1));
            page.sections.push_back(std::move(section));
        }
        page.table.rows.emplace_back(rows[r].name, std::move(line));
    }
    core::write_text(path, to_html(page));
}

}  // namespace

Answer check_all(const CheckOptions& options, const World& world) {
    std::optional<tbb::global_control> threads;
    if (options.model.threads > 0) {
        threads.emplace(tbb::global_control::max_allowed_parallelism,
                        static_cast<std::size_t>(options.model.threads));
    }
    const std::vector<Row> rows = read_models(options.all);
    const std::vector<model::NamedMesh> systems = asked_systems(options.systems, world);
    Cells cells(rows.size(), std::vector<Cell>(systems.size()));
    core::parallel_for(rows.size() * systems.size(), [&](std::size_t i) {
        const std::size_t r = i / systems.size();
        const std::size_t s = i % systems.size();
        cells[r][s] = look(options, world, rows[r], systems[s], systems);
    });
    if (!options.html.empty()) write_page(options.html, rows, systems, cells);
    if (options.model.json) {
        Json document = envelope("check", world, options.model.software);
        document["precision"] = options.model.precision;
        document["batch"] = options.model.batch;
        document["table"] = Json::array();
        for (std::size_t r = 0; r < rows.size(); ++r) {
            for (std::size_t s = 0; s < systems.size(); ++s) {
                document["table"].push_back(cell_json(rows[r].name, systems[s].name, cells[r][s]));
            }
        }
        print_json(document);
    } else {
        print_table(rows, systems, cells);
    }
    const bool read = std::all_of(rows.begin(), rows.end(),
                                  [](const Row& row) { return row.config.has_value(); });
    return read ? Answer::Yes : Answer::No;
}

}  // namespace cli

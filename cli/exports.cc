#include "cli/exports.h"

#include <CLI/CLI.hpp>

#include "cli/export_ops_csv.h"
#include "cli/export_report_db.h"
#include "cli/export_sim_page.h"
#include "cli/export_timeline.h"
#include "core/files.h"

namespace cli {

bool SimExports::any() const {
    return !timeline.empty() || !ops_csv.empty() || !report_db.empty() || !html.empty();
}

void add_export_options(CLI::App& verb, SimExports& exports) {
    const auto add = [&](const char* name, std::string& path, const char* what) {
        verb.add_option(name, path, what)->type_name("FILE");
    };
    add("--timeline", exports.timeline, "Writes a trace for Perfetto or chrome://tracing (JSON)");
    add("--ops-csv", exports.ops_csv, "Writes ops_perf_results for tt-perf-report (CSV)");
    add("--report-db", exports.report_db, "Writes a memory report for ttnn-visualizer (SQLite)");
    add("--html", exports.html, "Writes one self-contained page");
}

void export_all(const SimExports& exports, const SimRun& run) {
    if (!exports.report_db.empty()) write_report_db(exports.report_db, run);
    if (run.recording.shortage()) return;
    if (!exports.timeline.empty()) core::write_text(exports.timeline, timeline_json(run));
    if (!exports.ops_csv.empty()) core::write_text(exports.ops_csv, ops_csv(run));
    if (!exports.html.empty()) core::write_text(exports.html, sim_page(run));
}

}  // namespace cli

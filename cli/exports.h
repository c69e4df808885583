// The files that `tessera sim` writes for other people's tools (docs/exports.md): options and the
// one call that writes what was asked for. Each file is written whole or not at all.
#pragma once

#include <string>

#include "cli/export_common.h"
#include "cli/options.h"

namespace cli {

struct SimExports {
    std::string timeline;   // JSON for chrome://tracing and Perfetto
    std::string ops_csv;    // ops_perf_results for tt-perf-report
    std::string report_db;  // db.sqlite for ttnn-visualizer
    std::string html;       // one page

    bool any() const;
};

/// --timeline, --ops-csv, --report-db and --html.
void add_export_options(CLI::App& verb, SimExports& exports);

/// Of a run that ran out of memory only the report of its memory is written. Throws core::Error
/// naming the path that cannot be written.
void export_all(const SimExports& exports, const SimRun& run);

}  // namespace cli

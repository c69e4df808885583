// A memory report as ttnn-visualizer opens it: a SQLite file with its tables of schema V2
// (tenstorrent/ttnn-visualizer backend/ttnn_visualizer/tests/report_schemas.py). One operation per
// command of the steps that allocate, `buffers` is all that is alive while it runs, `errors` the
// allocation that failed. The allocator works in lockstep on all chips, so buffers are written for
// device 0 only; addresses and sizes are per bank.
#pragma once

#include <filesystem>

#include "cli/export_common.h"

namespace cli {

/// Writes the whole file, or nothing. Throws core::Error naming the path and why.
void write_report_db(const std::filesystem::path& path, const SimRun& run);

}  // namespace cli

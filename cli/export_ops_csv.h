// The simulated run as ttnn's profiler writes a real one, ops_perf_results_<date>.csv: what
// tt-perf-report and ttnn-visualizer read. Columns and cell conventions: tenstorrent/tt-perf-report
// tests/data (files of 2026). A signpost row begins each step, so tt-perf-report shows the decode
// step unless told otherwise. Cells of what is not simulated are empty.
// Times are nanoseconds; a kernel's time has no firmware before and after it, so FW columns equal
// the kernel's.
#pragma once

#include <string>

#include "cli/export_common.h"

namespace cli {

std::string ops_csv(const SimRun& run);

}  // namespace cli

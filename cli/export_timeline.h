// The trace of a simulated run in the JSON that chrome://tracing and ui.perfetto.dev open.
// One process per chip with one thread per queue and sub-device (step > layer > op, strictly
// nested), the host's calls as a process, links and memory as counters. Times are microseconds
// since the simulation began, exact to the picosecond.
// Format: google/perfetto docs/faq.md and the trace event format.
#pragma once

#include <string>

#include "cli/export_common.h"

namespace cli {

std::string timeline_json(const SimRun& run);

}  // namespace cli

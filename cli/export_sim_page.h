// The page of a simulated run: one decode step on every chip (zoom with the wheel, drag to move),
// where its time goes, how busy each link is on a drawing of the mesh, and memory over a prefill
// and a decode step. One self-contained file: nothing is fetched, every text is escaped.
#pragma once

#include <string>

#include "cli/export_common.h"

namespace cli {

std::string sim_page(const SimRun& run);

}  // namespace cli

// A finding as JSON, for people, and as one section of a page.
#pragma once

#include <string>

#include "cli/finding.h"
#include "cli/page.h"
#include "cli/report.h"

namespace cli {

Json to_json(const CheckOptions& options, const World& world, const Finding& finding);

/// What a person reads on a terminal.
std::string to_text(const Finding& finding);

/// Verdict, reasons, and a bar per chip of every group.
PageSection to_section(const std::string& title, const std::string& anchor, const Finding& finding);

}  // namespace cli

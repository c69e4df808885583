// `check --all`: every model of a folder on every system, as one table.
#pragma once

#include "cli/finding.h"

namespace cli {

/// Prints the table (or JSON) and writes the page where asked. Yes when all models were read.
Answer check_all(const CheckOptions& options, const World& world);

}  // namespace cli

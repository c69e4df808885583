// What the command line says while it works, on stderr: nothing unless asked (--log-level info).
// Libraries below cli return; they do not print.
#pragma once

#include <spdlog/logger.h>

#include <memory>

namespace cli {

/// A logger to stderr at level "warn". Not registered anywhere: it belongs to its World.
std::shared_ptr<spdlog::logger> make_log();

}  // namespace cli

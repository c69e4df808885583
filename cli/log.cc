#include "cli/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>

namespace cli {

std::shared_ptr<spdlog::logger> make_log() {
    auto log = std::make_shared<spdlog::logger>(
        "tessera", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    log->set_pattern("[%T.%e] %^%l%$ %v");
    log->set_level(spdlog::level::warn);
    return log;
}

}  // namespace cli

// How far estimates are from published speeds, by group of measurements: what `sim` prints beside
// its own. Read from topologies/validation/speed.yaml, which scripts/accuracy.sh writes from the
// table of tt_transformers' PERF.md. Errors are absolute percentages of the measured value.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace model {

struct SpeedErrors {
    std::string value;    // "tok_s_user" or "ttft_ms"
    std::string device;   // "N150"
    std::string section;  // "performance", "short-context batch-32"
    std::int64_t rows = 0;
    double median_pct = 0;
    double p90_pct = 0;
};

/// Throws core::Error: file, key, expected, found.
std::vector<SpeedErrors> load_speed_errors(const std::filesystem::path& file);

/// A run as groups of measurements tell them apart.
struct SpeedRun {
    std::string device;  // of one data-parallel group; empty: no name
    std::string precision;
    std::int64_t batch = 1;
    std::int64_t isl = 128;
    std::int64_t hidden_size = 0;
};
/// The group measured on the same device under the same conditions; nothing where it would be
/// extrapolated.
std::optional<SpeedErrors> errors_of(const std::vector<SpeedErrors>& groups, std::string_view value,
                                     const SpeedRun& run);

}  // namespace model

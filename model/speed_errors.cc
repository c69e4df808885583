#include "model/speed_errors.h"

#include "fabric/yaml_entry.h"

namespace model {
namespace {

// What the measured conditions stand for: prompts up to 1024 tokens, and from 16k.
constexpr std::int64_t kShort = 1024;
constexpr std::int64_t kLong = 16384;
// Llama-3.2-1B to Llama-3.1-70B.
constexpr std::int64_t kSmallestHidden = 2048;
constexpr std::int64_t kLargestHidden = 8192;

double percent_of(const fabric::Entry& entry) {
    return static_cast<double>(entry.integer(0, 1'000'000)) / 10.0;
}

std::string section_of(const SpeedRun& run) {
    if (run.isl >= kLong) {
        return run.batch == 1 && run.precision == "performance" ? "long-context 64k" : "";
    }
    if (run.isl > kShort) return "";
    if (run.batch == 1) return run.precision;
    const bool is_measured = run.batch <= 32 && run.precision == "performance";
    return is_measured ? "short-context batch-32" : "";
}

}  // namespace

std::vector<SpeedErrors> load_speed_errors(const std::filesystem::path& file) {
    const fabric::Entry root = fabric::Entry::open(file);
    root.allow_only({"groups"});
    std::vector<SpeedErrors> groups;
    for (const fabric::Entry& entry : root.at("groups").items(0, 10'000)) {
        entry.allow_only({"value", "device", "section", "rows", "median_permille", "p90_permille"});
        SpeedErrors group;
        group.value = entry.at("value").text();
        group.device = entry.at("device").text();
        group.section = entry.at("section").text();
        group.rows = entry.at("rows").integer(1, 1'000'000);
        group.median_pct = percent_of(entry.at("median_permille"));
        group.p90_pct = percent_of(entry.at("p90_permille"));
        groups.push_back(std::move(group));
    }
    return groups;
}

std::optional<SpeedErrors> errors_of(const std::vector<SpeedErrors>& groups, std::string_view value,
                                     const SpeedRun& run) {
    if (run.hidden_size < kSmallestHidden || run.hidden_size > kLargestHidden) return {};
    const std::string section = section_of(run);
    for (const SpeedErrors& group : groups) {
        const bool alike =
            group.value == value && group.device == run.device && group.section == section;
        if (alike) return group;
    }
    return {};
}

}  // namespace model

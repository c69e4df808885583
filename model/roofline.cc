#include "model/roofline.h"

#include <charconv>
#include <cmath>
#include <regex>
#include <string>

#include "fabric/yaml_entry.h"

namespace model {
namespace {

// A tile of bfp8: 1024 values and 64 shared exponents.
constexpr double kBytesPerParameter = 1088.0 / 1024.0;

constexpr std::size_t kLongestName = 200;

}  // namespace

std::optional<double> nominal_parameters(std::string_view model) {
    static const std::regex kSize("([0-9]+(\\.[0-9]+)?)[bB](?![a-zA-Z])");
    const std::string name(model.substr(0, kLongestName));
    std::optional<double> billions;
    for (std::sregex_iterator at(name.begin(), name.end(), kSize), end; at != end; ++at) {
        billions = std::stod((*at)[1].str());
    }
    if (billions) *billions *= 1e9;
    return billions;
}

TargetRule load_target_rule(const std::filesystem::path& file) {
    const fabric::Entry root = fabric::Entry::open(file);
    root.allow_only({"dram_permille"});
    const fabric::Entry share = root.at("dram_permille");
    share.allow_only({"value", "source"});
    share.at("source").text();
    return {static_cast<double>(share.at("value").integer(1, 1000)) / 1000};
}

double theoretical_rate(const TargetRule& rule, double parameters, const fabric::Mesh& mesh) {
    const double peak = static_cast<double>(mesh.system.chip.dram.peak.value) * mesh.chip_count();
    return rule.dram_share * peak / (parameters * kBytesPerParameter);
}

std::string_view bounty_tier(double share) {
    if (share >= 0.70) return "hard";
    if (share >= 0.50) return "medium";
    return share >= 0.25 ? "easy" : "none";
}

}  // namespace model

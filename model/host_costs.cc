#include "model/host_costs.h"

#include <charconv>
#include <cmath>
#include <string>

#include "fabric/yaml_entry.h"

namespace model {
namespace {

constexpr double kLongest = 1e6;  // in the unit of the key

core::Picoseconds time_of(const fabric::Entry& profile, std::string_view key, double picoseconds) {
    const fabric::Entry entry = profile.at(key);
    entry.allow_only({"value", "source", "guess"});
    if (!entry.find("source") && !entry.find("guess")) entry.fail("a source or a guess", "none");
    const std::string text = entry.at("value").text();
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool is_number = error == std::errc{} && end == text.data() + text.size();
    if (!is_number || !std::isfinite(value) || value < 0 || value > kLongest) {
        entry.at("value").fail("a number from 0 to 1e6", text);
    }
    return core::Picoseconds{std::llround(value * picoseconds)};
}

}  // namespace

HostCosts load_host_costs(const std::filesystem::path& file, std::string_view software) {
    const fabric::Entry root = fabric::Entry::open(file);
    root.allow_only({"profiles"});
    const fabric::Entry profile = root.at("profiles").at(software);
    profile.allow_only({"step_us", "group_us", "logit_ns"});
    HostCosts costs;
    costs.step = time_of(profile, "step_us", 1e6);
    costs.group = time_of(profile, "group_us", 1e6);
    costs.logit = time_of(profile, "logit_ns", 1e3);
    return costs;
}

}  // namespace model

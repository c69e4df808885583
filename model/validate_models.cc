#include "model/validate_models.h"

#include <algorithm>

#include "core/error.h"
#include "core/files.h"
#include "fabric/yaml_entry.h"
#include "model/deployment.h"
#include "model/device_name.h"
#include "model/precision.h"

namespace model {
namespace {

constexpr std::size_t kMostAliases = 1000;
constexpr std::size_t kLongestName = 200;  // of what a pattern is tried on
constexpr std::int32_t kGalaxyChips = 32;

std::string without_owner(std::string_view name) {
    const std::size_t slash = name.rfind('/');
    return std::string(slash == std::string_view::npos ? name : name.substr(slash + 1));
}

bool is_text_only(const fabric::Entry& alias) {
    const std::optional<fabric::Entry> part = alias.find("part");
    if (!part || part->text() == "whole") return false;
    if (part->text() != "text") part->fail("whole or text", part->found());
    return true;
}

std::regex pattern_of(const fabric::Entry& entry) {
    try {
        return std::regex(entry.text(), std::regex::ECMAScript | std::regex::icase);
    } catch (const std::regex_error&) {
        entry.fail("a regular expression", entry.found());
    }
}

}  // namespace

std::string lower_case(std::string_view text) {
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return lower;
}

ModelLibrary::ModelLibrary(fabric::Catalog catalog, const std::filesystem::path& configs,
                           const std::filesystem::path& aliases)
    : catalog_(std::move(catalog)),
      trace_defaults_(TraceDefaults::load(catalog_.folder / "software/trace_regions.yaml")) {
    std::error_code failed;
    for (const auto& entry : std::filesystem::directory_iterator(configs, failed)) {
        if (!std::filesystem::exists(entry.path() / "config.json")) continue;
        const std::string folder = entry.path().filename().string();
        Loaded loaded;
        try {
            loaded.config = load_config(entry.path());
        } catch (const core::Error& error) {
            loaded.problem = error.message();
        }
        folders_[lower_case(folder)] = folder;
        configs_[lower_case(folder)] = std::move(loaded);
    }
    if (failed) {
        throw core::Error::mismatch(core::printable(configs.string()), "", "a folder of folders",
                                    "\"" + failed.message() + "\"");
    }
    read_aliases(aliases);
}

HostCosts ModelLibrary::host_costs(std::string_view software) const {
    return load_host_costs(catalog_.folder / "software/host_costs.yaml", software);
}

void ModelLibrary::read_aliases(const std::filesystem::path& file) {
    const fabric::Entry root = fabric::Entry::open(file);
    root.allow_only({"models", "devices", "served_pools"});
    for (const fabric::Entry& entry : root.at("models").items(0, kMostAliases)) {
        entry.allow_only({"pattern", "config", "base", "part", "reason"});
        entry.at("reason").text();
        const std::optional<fabric::Entry> base = entry.find("base");
        aliases_.push_back({pattern_of(entry.at("pattern")), entry.at("config").text(),
                            base ? base->text() : "",
                            is_text_only(entry) ? Part::Text : Part::Whole});
    }
    for (const fabric::Entry& entry : root.at("served_pools").items(0, kMostAliases)) {
        entry.allow_only({"pattern", "chips", "tokens"});
        served_pools_.push_back({pattern_of(entry.at("pattern")),
                                 entry.at("chips").integer(1, 1024),
                                 entry.at("tokens").integer(1, std::int64_t{1} << 24)});
    }
    for (const auto& [name, mesh] : root.at("devices").fields()) {
        devices_[lower_case(name)] = mesh.text();
    }
}

std::variant<KnownModel, Unknown> ModelLibrary::model(std::string_view name) const {
    KnownModel known{without_owner(name), {}, {}, nullptr};
    known.base = base_model_name(known.name);
    auto found = configs_.find(lower_case(known.name));
    if (found == configs_.end() && known.name.size() <= kLongestName) {
        for (const Alias& alias : aliases_) {
            if (!std::regex_match(known.name, alias.pattern)) continue;
            if (alias.part == Part::Text) {
                return Unknown{"only the language part of " + known.name + " is configured"};
            }
            found = configs_.find(lower_case(alias.folder));
            if (!alias.base.empty()) known.base = alias.base;
            break;
        }
    }
    if (found == configs_.end()) return Unknown{"no configuration of " + std::string(name)};
    if (!found->second.config) return Unknown{found->second.problem};
    known.folder = folders_.at(found->first);
    // Tables spell names in lower case; the software reads them as the checkpoint spells them.
    const std::string spelled = base_model_name(known.folder);
    if (lower_case(spelled) == lower_case(known.base)) known.base = spelled;
    known.config = &*found->second.config;
    return known;
}

std::variant<fabric::Mesh, Unknown> ModelLibrary::opened(const std::string& spec) const {
    auto mesh = fabric::open_mesh(catalog_, spec);
    if (const auto* failure = std::get_if<fabric::MeshFailure>(&mesh)) {
        return Unknown{failure->problems.empty() ? "the mesh falls apart"
                                                 : failure->problems.front()};
    }
    return std::get<fabric::Mesh>(std::move(mesh));
}

std::variant<fabric::Mesh, Unknown> ModelLibrary::row(std::string_view device,
                                                      std::int32_t chips) const {
    const auto found = devices_.find(lower_case(device));
    if (found == devices_.end()) return Unknown{"no system for " + std::string(device)};
    const std::string name = found->second.substr(0, found->second.find(':'));
    try {
        return opened(name + ":1x" + std::to_string(chips));
    } catch (const core::Error& error) {
        return Unknown{error.message()};
    }
}

std::variant<fabric::Mesh, Unknown> ModelLibrary::group(std::string_view device,
                                                        std::int64_t groups) const {
    const auto found = devices_.find(lower_case(device));
    if (found == devices_.end()) return Unknown{"no system for " + std::string(device)};
    auto whole = opened(found->second);
    // tt/generator.py, create_submeshes: 32 chips are reshaped to (4, 8) before they are divided.
    if (const auto* mesh = std::get_if<fabric::Mesh>(&whole);
        mesh != nullptr && groups > 1 && mesh->chip_count() == kGalaxyChips) {
        whole = opened(found->second + ":4x8");
    }
    if (auto* unknown = std::get_if<Unknown>(&whole)) return std::move(*unknown);
    try {
        return data_parallel_groups(std::get<fabric::Mesh>(whole), groups).front();
    } catch (const core::Error& error) {
        return Unknown{error.message()};
    }
}

std::optional<std::int64_t> ModelLibrary::served_pool(const KnownModel& model,
                                                      const fabric::Mesh& group) const {
    if (group.system.chip.arch != mesh::Arch::WormholeB0) return {};
    for (const ServedPool& pool : served_pools_) {
        if (pool.chips == group.chip_count() && std::regex_match(model.name, pool.pattern)) {
            return pool.tokens;
        }
    }
    return {};
}

core::Bytes ModelLibrary::default_trace_region(const KnownModel& model,
                                               const fabric::Mesh& group) const {
    return trace_defaults_.default_trace_region(model.base, device_name(group).value_or(""),
                                                dispatch::DeviceOptions{}.release);
}

std::vector<std::int64_t> ModelLibrary::traced_prefills(const KnownModel& model,
                                                        const fabric::Mesh& group,
                                                        dispatch::Release release) const {
    return trace_defaults_.prefill_lengths(model.base, device_name(group).value_or(""), release);
}

}  // namespace model

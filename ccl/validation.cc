#include "ccl/validation.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "fabric/yaml_entry.h"

namespace ccl {
namespace {

mesh::Arch arch_of(const fabric::Entry& entry) {
    for (const mesh::Arch arch : {mesh::Arch::WormholeB0, mesh::Arch::Blackhole}) {
        if (to_text(arch) == entry.text()) return arch;
    }
    entry.fail("wormhole_b0 or blackhole", entry.found());
}

fabric::Topology topology_of(const fabric::Entry& entry) {
    if (entry.text() == "ring") return fabric::Topology::Ring;
    if (entry.text() != "line") entry.fail("line or ring", entry.found());
    return fabric::Topology::Line;
}

Kind kind_of(const fabric::Entry& entry) {
    const std::optional<Kind> kind = parse_kind(entry.text());
    if (!kind) entry.fail("a collective", entry.found());
    return *kind;
}

/// Percentages are kept in tenths.
double percent_of(const fabric::Entry& entry) {
    return static_cast<double>(entry.integer(0, 1'000'000)) / 10.0;
}

ErrorGroup group_of(const fabric::Entry& entry) {
    entry.allow_only({"arch", "op", "topology", "chips", "links", "sizes", "rows",
                      "median_permille", "p90_permille"});
    ErrorGroup group;
    group.arch = arch_of(entry.at("arch"));
    group.kind = kind_of(entry.at("op"));
    group.topology = topology_of(entry.at("topology"));
    group.ranks = entry.at("chips").int32(2, 1024);
    group.links = entry.at("links").int32(1, 64);
    const std::string sizes = entry.at("sizes").text();
    if (sizes != "to_1MiB" && sizes != "above_1MiB") {
        entry.at("sizes").fail("to_1MiB or above_1MiB", sizes);
    }
    group.is_large = sizes == "above_1MiB";
    group.rows = entry.at("rows").integer(1, 1'000'000);
    group.median_pct = percent_of(entry.at("median_permille"));
    group.p90_pct = percent_of(entry.at("p90_permille"));
    return group;
}

bool is_alike(const ErrorGroup& group, mesh::Arch arch, const Request& request) {
    return group.arch == arch && group.kind == request.kind && group.topology == request.topology &&
           group.links == request.links && group.is_large == (request.total >= kLargeFrom);
}

}  // namespace

std::string ErrorGroup::text() const {
    const char* shape = topology == fabric::Topology::Ring ? " ring " : " line ";
    return to_text(arch) + " " + to_text(kind) + shape + std::to_string(ranks) + " chips " +
           std::to_string(links) + (links == 1 ? " link " : " links ") +
           (is_large ? "above 1 MiB" : "to 1 MiB");
}

std::vector<ErrorGroup> load_error_groups(const std::filesystem::path& file) {
    const fabric::Entry root = fabric::Entry::open(file);
    root.allow_only({"groups"});
    std::vector<ErrorGroup> groups;
    for (const fabric::Entry& entry : root.at("groups").items(0, 10'000)) {
        groups.push_back(group_of(entry));
    }
    return groups;
}

std::optional<ErrorGroup> nearest_group(const std::vector<ErrorGroup>& groups, mesh::Arch arch,
                                        const Request& request) {
    const ErrorGroup* nearest = nullptr;
    bool has_fewer = false;
    bool has_more = false;
    const auto distance = [&](const ErrorGroup& group) {
        return std::abs(std::log2(static_cast<double>(group.ranks) / request.ranks));
    };
    for (const ErrorGroup& group : groups) {
        if (!is_alike(group, arch, request)) continue;
        has_fewer = has_fewer || group.ranks <= request.ranks;
        has_more = has_more || group.ranks >= request.ranks;
        if (nearest == nullptr || distance(group) < distance(*nearest)) nearest = &group;
    }
    if (!has_fewer || !has_more) return std::nullopt;
    return *nearest;
}

}  // namespace ccl

// How far simulated collectives are from published ones, by group of measurements.
// Read from topologies/validation/ccl.yaml; tests/ccl/golden_test.cc holds the file against the
// tables. Errors are absolute percentages of the measured time.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "ccl/request.h"
#include "mesh/chip_spec.h"

namespace ccl {

/// The rows of one op, topology, number of chips and links, up to or above kLargeFrom.
struct ErrorGroup {
    mesh::Arch arch = mesh::Arch::WormholeB0;
    Kind kind = Kind::AllGather;
    fabric::Topology topology = fabric::Topology::Line;
    std::int32_t ranks = 0;
    std::int32_t links = 0;
    bool is_large = false;
    std::int64_t rows = 0;
    double median_pct = 0;
    double p90_pct = 0;

    std::string text() const;  // "wormhole_b0 all_gather ring 8 chips 1 link to 1 MiB"
};
inline constexpr core::Bytes kLargeFrom{1024 * 1024 + 1};

/// Throws core::Error: file, key, expected, found.
std::vector<ErrorGroup> load_error_groups(const std::filesystem::path& file);

/// The group that stands for a request: the same op, topology, links and size class, and the number
/// of chips closest to its own among those measured. Nothing where it would be extrapolated: other
/// links, or fewer or more chips than any group of the op has.
std::optional<ErrorGroup> nearest_group(const std::vector<ErrorGroup>& groups, mesh::Arch arch,
                                        const Request& request);

}  // namespace ccl

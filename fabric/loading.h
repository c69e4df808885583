// How the three kinds of system files become a System: parts shared by their readers.
// Invariant: a wiring is symmetric, has no self links and at most kMaxChips chips.
// Not for use outside this room.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fabric/system.h"
#include "fabric/yaml_entry.h"

namespace fabric {

constexpr std::int32_t kMaxChips = 4096;  // a quad Galaxy has 128; bounds what a file may claim
constexpr std::int32_t kMaxLinks = 64;    // per pair; a Wormhole chip has 16 ports

/// "8x4" as a shape, nullopt when it is none or has more than kMaxChips chips.
std::optional<mesh::Shape> parse_shape(std::string_view text);

/// The file name without folder and extension, in lower case.
std::string system_name_of(const std::filesystem::path& file);
std::string lower_case(std::string_view text);

/// Joined pairs (a < b) and their cables; becomes the sorted edges of a Wiring.
using Cables = std::map<std::pair<ChipId, ChipId>, std::int32_t>;
void add_cables(Cables& cables, ChipId a, ChipId b, std::int32_t links);
Wiring make_wiring(std::int32_t chips, const Cables& cables);
/// Joins the neighbours of a grid of chips (row-major), and last to first along wrapped axes.
void add_grid(Cables& cables, const MeshOption& grid, std::int32_t links,
              std::array<bool, 2> wraps);
/// The count most pairs have; the larger among equals; 0 without pairs.
std::int32_t usual_links(const Wiring& wiring);

mesh::ChipSpec load_named_chip(const Catalog& catalog, const std::string& name);
/// topologies/links/<name>.yaml, with the keys of `overrides` in place of the file's.
LinkSpec load_link(const Catalog& catalog, const std::string& name,
                   const std::optional<Entry>& overrides = std::nullopt);

System load_system_file(const Catalog& catalog, const Entry& root,
                        const std::filesystem::path& file);
System load_cluster_descriptor(const Catalog& catalog, const Entry& root,
                               const std::filesystem::path& file);
System load_mesh_graph(const Catalog& catalog, const std::filesystem::path& file);

}  // namespace fabric

// A system as it is bought: chips, wiring, and the mesh shapes it is opened as.
// Loaded from topologies/systems/*.yaml, from a tt-umd cluster descriptor (YAML) or from a
// tt-metal mesh graph descriptor (textproto). Errors name the file and the key.
#pragma once

#include <cstdint>
#include <filesystem>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "fabric/wiring.h"
#include "mesh/chip_spec.h"
#include "mesh/shape.h"

namespace fabric {

/// Strict: a pair with fewer live links than expected does not fit. Relaxed: it runs on the fewest.
enum class ReliabilityMode { Strict, Relaxed };

/// A named way to lay a logical mesh on the chips: chips in row-major order of `shape`.
struct MeshOption {
    mesh::Shape shape;
    std::vector<ChipId> chips;
};

struct System {
    std::string name;   // "t3k", lower case
    std::string title;  // "T3000 (LoudBox/QuietBox Wormhole)"
    mesh::ChipSpec chip;
    LinkSpec link;
    Wiring wiring;
    std::vector<ChipId> mmio_chips;     // PCIe-attached
    std::vector<MeshOption> meshes;     // the first is the default ("t3k" alone means 1x8)
    std::int32_t expected_links = 0;    // per joined pair, as built; fewer live links = degraded
    std::vector<std::string> problems;  // what the description says is broken (cut links ...)
    ReliabilityMode reliability = ReliabilityMode::Relaxed;
};

/// Chips, kernels and links that were asked for already, for whoever opens many systems. Several
/// threads may load at once: who asks first reads, the others wait for it.
struct Loaded {
    template <typename T>
    using ByName = std::map<std::string, std::shared_future<T>>;

    std::mutex mutex;
    ByName<mesh::ChipSpec> chips;
    ByName<std::shared_ptr<const mesh::KernelSpec>> kernels;  // by file
    ByName<LinkSpec> links;
};

/// Where topology data lives. The world is passed in: the folder is a parameter.
struct Catalog {
    std::filesystem::path folder;              // holds chips/, links/ and systems/
    std::shared_ptr<Loaded> loaded = nullptr;  // null: every system reads its files again
};

/// Names of all systems of the catalog, sorted.
std::vector<std::string> system_names(const Catalog& catalog);

/// `what` is a system name (case-insensitive) or a file (system YAML, cluster descriptor, mesh
/// graph descriptor). Throws core::Error; an unknown name lists the known ones.
System load_system(const Catalog& catalog, std::string_view what);

}  // namespace fabric

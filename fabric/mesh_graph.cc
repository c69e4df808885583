// Reads a mesh graph descriptor 2.0 (protobuf text format): one mesh of lines and rings.
// Invariant: the system built has exactly the links the descriptor asks for; logical chip numbers
// are the physical ones (pinnings say where chips sit, which changes nothing here).
// Grammar: tenstorrent/tt-metal: tt_metal/fabric/MGD_README.md.

#include <fmt/format.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/text_format.h>

#include "core/error.h"
#include "fabric/loading.h"
#include "fabric/mesh_graph.pb.h"

namespace fabric {
namespace {

/// Keeps the first error and all warnings (fields we do not know) with their lines.
class Collector : public google::protobuf::io::ErrorCollector {
public:
    void AddError(int line, int column, const std::string& message) override {
        if (error.empty()) error = fmt::format("line {}:{}: {}", line + 1, column + 1, message);
    }
    void AddWarning(int line, int, const std::string& message) override {
        if (warnings.size() < kMostWarnings) {
            warnings.push_back(fmt::format("line {}: ignored: {}", line + 1, message));
        }
    }

    std::string error;
    std::vector<std::string> warnings;

private:
    static constexpr std::size_t kMostWarnings = 16;
};

mgd::MeshGraph parse(const std::filesystem::path& file, std::vector<std::string>& warnings) {
    const std::string text = read_text_file(file);
    google::protobuf::io::ArrayInputStream stream(text.data(), static_cast<int>(text.size()));
    google::protobuf::TextFormat::Parser parser;
    Collector collector;
    parser.RecordErrorsTo(&collector);
    parser.AllowUnknownField(true);
    parser.SetRecursionLimit(32);
    mgd::MeshGraph graph;
    if (!parser.Parse(&stream, &graph)) {
        throw core::Error(fmt::format("{}: {}", file.string(), collector.error))
            .hint("a mesh graph descriptor is protobuf text: mesh_descriptors { ... }");
    }
    warnings = std::move(collector.warnings);
    return graph;
}

core::Error wrong(const std::filesystem::path& file, std::string_view key,
                  std::string_view expected, std::string_view found) {
    return core::Error::mismatch(file.string(), key, expected, found);
}

const mgd::MeshDescriptor& top_mesh(const std::filesystem::path& file,
                                    const mgd::MeshGraph& graph) {
    const mgd::Instance& top = graph.top_level_instance();
    if (!top.has_mesh()) {
        throw wrong(file, "top_level_instance", "one mesh", top.has_graph() ? "a graph" : "none")
            .hint("several meshes joined by sockets are not simulated; take one of them");
    }
    const std::string& name = top.mesh().mesh_descriptor();
    for (const mgd::MeshDescriptor& mesh : graph.mesh_descriptors()) {
        if (mesh.name() == name) return mesh;
    }
    throw wrong(file, "top_level_instance.mesh.mesh_descriptor", "the name of a mesh descriptor",
                fmt::format("\"{}\"", name));
}

mesh::Shape read_shape(const std::filesystem::path& file, const mgd::MeshDescriptor& mesh) {
    const auto& dims = mesh.device_topology().dims();
    if (dims.size() != 2) {
        throw wrong(file, "mesh_descriptors.device_topology.dims", "rows and columns",
                    fmt::format("{} numbers", dims.size()));
    }
    const mesh::Shape shape{dims[0], dims[1]};
    if (shape.rows < 1 || shape.cols < 1 || std::int64_t{shape.rows} * shape.cols > kMaxChips) {
        throw wrong(file, "mesh_descriptors.device_topology.dims",
                    fmt::format("1 to {} chips", kMaxChips), shape.text());
    }
    return shape;
}

std::array<bool, 2> read_wraps(const std::filesystem::path& file, const mgd::MeshDescriptor& mesh) {
    const mgd::DeviceTopology& topology = mesh.device_topology();
    const auto& types = topology.dim_types_size() > 0 ? topology.dim_types() : topology.types();
    if (types.size() > 2) {
        throw wrong(file, "mesh_descriptors.device_topology.dim_types", "at most 2",
                    fmt::format("{}", types.size()));
    }
    std::array<bool, 2> wraps{};
    for (int axis = 0; axis < types.size(); ++axis) {  // fewer types than dims: lines
        wraps[static_cast<std::size_t>(axis)] = types[axis] == mgd::DeviceTopology::RING;
    }
    return wraps;
}

/// The descriptor names an architecture only; the product follows from size and channels.
std::string assumed_chip(const std::filesystem::path& file, const mgd::MeshDescriptor& mesh,
                         mesh::Shape shape) {
    switch (mesh.arch()) {
        case mgd::WORMHOLE_B0:
            if (shape.chips() == 1) return "n150";
            return shape.chips() <= 8 ? "n300" : "wormhole_galaxy";
        case mgd::BLACKHOLE:
            if (shape.chips() > 8) return "blackhole_galaxy";
            return mesh.channels().count() == 2 && shape.chips() <= 4 ? "p300" : "p150";
        default:
            throw wrong(file, "mesh_descriptors.arch", "WORMHOLE_B0 or BLACKHOLE", "neither");
    }
}

}  // namespace

System load_mesh_graph(const Catalog& catalog, const std::filesystem::path& file) {
    System system;
    const mgd::MeshGraph graph = parse(file, system.problems);
    const mgd::MeshDescriptor& mesh = top_mesh(file, graph);
    const mesh::Shape shape = read_shape(file, mesh);
    const std::int32_t links = mesh.channels().count();
    if (links < 1 || links > kMaxLinks) {
        throw wrong(file, "mesh_descriptors.channels.count", fmt::format("1 to {}", kMaxLinks),
                    fmt::format("{}", links));
    }
    const std::string chip = assumed_chip(file, mesh, shape);
    system.name = system_name_of(file);
    system.title = fmt::format("{}: {} of {} chips (assumed)", system.name, shape.text(), chip);
    system.chip = load_named_chip(catalog, chip);
    system.link = load_link(catalog, mesh::to_text(system.chip.arch));
    system.expected_links = shape.chips() > 1 ? links : 0;
    system.reliability = mesh.channels().policy() == mgd::Channels::RELAXED
                             ? ReliabilityMode::Relaxed
                             : ReliabilityMode::Strict;

    MeshOption grid{shape, {}};
    // An N300 board has one chip of two on PCIe, every other product all of them.
    const std::int32_t stride = chip == "n300" ? 2 : 1;
    for (std::int32_t i = 0; i < shape.chips(); ++i) {
        grid.chips.push_back({i});
        if (i % stride == 0) system.mmio_chips.push_back({i});
    }
    Cables cables;
    add_grid(cables, grid, links, read_wraps(file, mesh));
    system.wiring = make_wiring(shape.chips(), cables);
    system.meshes.push_back(std::move(grid));
    return system;
}

}  // namespace fabric

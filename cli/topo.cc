// tessera topo: what is wired to what.
#include <fmt/format.h>

#include "cli/options.h"
#include "cli/report.h"
#include "core/error.h"
#include "core/files.h"

namespace cli {
namespace {

struct TopoOptions {
    std::string mesh;
    std::string svg;
    bool json = false;
};

const char* kind_of(const fabric::Mesh& mesh, int axis) {
    if (mesh.shape.extent(axis) == 1) return "none";
    return fabric::usable_topology(mesh, axis, fabric::Topology::Ring) == fabric::Topology::Ring
               ? "ring"
               : "line";
}

Json to_json(const World& world, const TopoOptions& options, const fabric::Mesh& mesh) {
    Json document = envelope("topo", world, "tt-transformers");
    document["mesh"] = options.mesh;
    document["system"] = mesh.system.name;
    document["arch"] = mesh::to_text(mesh.system.chip.arch);
    document["shape"] = {mesh.shape.rows, mesh.shape.cols};
    document["chips"] = mesh.chip_count();
    document["links"] = mesh.system.wiring.total_links();
    document["pairs"] = mesh.system.wiring.edges.size();
    for (const mesh::ChipId chip : mesh.chips) document["chip_ids"].push_back(chip.value);
    for (const int axis : {0, 1}) {
        document["axes"].push_back({{"axis", axis},
                                    {"extent", mesh.shape.extent(axis)},
                                    {"topology", kind_of(mesh, axis)},
                                    {"links", mesh.links[static_cast<std::size_t>(axis)]}});
    }
    document["problems"] = mesh.problems;
    return document;
}

void print(const fabric::Mesh& mesh) {
    const fabric::System& system = mesh.system;
    fmt::print("{}: {}\n", system.name, system.title);
    fmt::print("{} chips ({}), {} links in {} pairs; opened as {}\n", system.wiring.chips,
               mesh::to_text(system.chip.arch), system.wiring.total_links(),
               system.wiring.edges.size(), mesh.shape.text());
    for (std::int32_t row = 0; row < mesh.shape.rows; ++row) {
        for (std::int32_t col = 0; col < mesh.shape.cols; ++col) {
            const auto index = static_cast<std::size_t>(mesh.shape.index({row, col}));
            fmt::print("{:>4}", mesh.chips[index].value);
        }
        fmt::print("\n");
    }
    for (const int axis : {0, 1}) {
        if (mesh.shape.extent(axis) == 1) continue;
        fmt::print("axis {}: {} of {}, {} usable link{}\n", axis, kind_of(mesh, axis),
                   mesh.shape.extent(axis), mesh.links[static_cast<std::size_t>(axis)],
                   mesh.links[static_cast<std::size_t>(axis)] == 1 ? "" : "s");
    }
    for (const std::string& problem : mesh.problems) fmt::print("problem: {}\n", problem);
}

// Chips as squares on the logical grid, one line per joined pair with its number of links.
std::string draw(const fabric::Mesh& mesh) {
    constexpr int kStep = 90;
    constexpr int kSide = 44;
    std::string svg = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" "
        "font-family=\"sans-serif\" font-size=\"13\">\n",
        mesh.shape.cols * kStep + 30, mesh.shape.rows * kStep + 30);
    std::map<mesh::ChipId, mesh::Coord> where;
    for (std::int32_t i = 0; i < mesh.chip_count(); ++i) {
        where[mesh.chips[static_cast<std::size_t>(i)]] = mesh.shape.coord(i);
    }
    const auto x = [](mesh::Coord at) { return at.col * kStep + 45; };
    const auto y = [](mesh::Coord at) { return at.row * kStep + 45; };
    for (const fabric::Edge& edge : mesh.system.wiring.edges) {
        if (!where.contains(edge.a) || !where.contains(edge.b)) continue;
        const mesh::Coord a = where[edge.a];
        const mesh::Coord b = where[edge.b];
        const int span = std::abs(a.row - b.row) + std::abs(a.col - b.col);
        const int bend = span > 1 ? 26 : 0;
        svg += fmt::format(
            "<path d=\"M{} {} Q{} {} {} {}\" fill=\"none\" stroke=\"#888\" stroke-width=\"{}\"/>\n",
            x(a), y(a), (x(a) + x(b)) / 2 + bend, (y(a) + y(b)) / 2 + bend, x(b), y(b), edge.links);
    }
    for (const auto& [chip, at] : where) {
        svg += fmt::format(
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"6\" fill=\"#eef\" "
            "stroke=\"#336\"/><text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
            x(at) - kSide / 2, y(at) - kSide / 2, kSide, kSide, x(at), y(at) + 5, chip.value);
    }
    return svg + "</svg>\n";
}

Answer act(const TopoOptions& options, const World& world) {
    if (options.mesh.empty()) {
        throw core::Error("topo: expected a system or a topology file, got nothing");
    }
    auto opened = fabric::open_mesh(world.catalog, options.mesh);
    if (const auto* failure = std::get_if<fabric::MeshFailure>(&opened)) {
        if (options.json) {
            Json document = envelope("topo", world, "tt-transformers");
            document["mesh"] = options.mesh;
            document["problems"] = failure->problems;
            print_json(document);
        } else {
            for (const std::string& problem : failure->problems) fmt::print("no: {}\n", problem);
        }
        return Answer::No;
    }
    const auto& mesh = std::get<fabric::Mesh>(opened);
    if (!options.svg.empty()) core::write_text(options.svg, draw(mesh));
    if (options.json) {
        print_json(to_json(world, options, mesh));
    } else {
        print(mesh);
    }
    return Answer::Yes;
}

}  // namespace

Verb make_topo(CLI::App& app, const World& world) {
    auto options = std::make_shared<TopoOptions>();
    options->mesh = world.default_mesh;
    CLI::App* verb = app.add_subcommand("topo", "What is wired to what");
    auto action = std::make_shared<std::string>();
    verb->add_option("action", *action, "show or check")
        ->required()
        ->check(CLI::IsMember({"show", "check"}));
    verb->add_option("mesh", options->mesh, "System, NAME:RxC, or a topology file")->type_name("M");
    verb->add_option("--svg", options->svg, "Writes a drawing")->type_name("FILE");
    verb->add_flag("--json", options->json, "One JSON document on stdout");
    verb->footer("Example: tessera topo show galaxy --svg galaxy.svg");
    return {verb, [options, action, &world] { return act(*options, world); }};
}

}  // namespace cli

#include "fabric/system.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "fabric/loading.h"

namespace fabric {
namespace {

bool looks_like_file(std::string_view what) {
    const std::string extension = std::filesystem::path(what).extension().string();
    return what.find('/') != std::string_view::npos || extension == ".yaml" ||
           extension == ".yml" || extension == ".textproto";
}

System load_file(const Catalog& catalog, const std::filesystem::path& file) {
    if (file.extension() == ".textproto") return load_mesh_graph(catalog, file);
    const Entry root = Entry::open(file);
    if (root.find("ethernet_connections") || root.find("arch")) {
        return load_cluster_descriptor(catalog, root, file);
    }
    if (root.find("ChipSpec") && root.find("Mesh")) {
        root.fail("a mesh graph descriptor 2.0 (.textproto), a cluster descriptor or a system file",
                  "a mesh graph descriptor 1.0", "tt-metal ships a .textproto of the same name");
    }
    return load_system_file(catalog, root, file);
}

}  // namespace

std::vector<std::string> system_names(const Catalog& catalog) {
    const std::filesystem::path folder = catalog.folder / "systems";
    std::error_code failed;
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder, failed)) {
        if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
    }
    if (failed) {
        throw core::Error(fmt::format("{}: {}", folder.string(), failed.message()))
            .hint("the catalog is the folder that holds chips/, links/ and systems/");
    }
    std::sort(names.begin(), names.end());
    return names;
}

System load_system(const Catalog& catalog, std::string_view what) {
    const std::vector<std::string> names = system_names(catalog);
    const std::string name = lower_case(what);
    std::filesystem::path file(what);
    if (std::find(names.begin(), names.end(), name) != names.end()) {
        file = catalog.folder / "systems" / (name + ".yaml");
    } else if (!looks_like_file(what)) {
        throw core::Error::mismatch("system", "name",
                                    fmt::format("one of {}, or a file", fmt::join(names, ", ")),
                                    fmt::format("\"{}\"", what));
    }
    try {
        return load_file(catalog, file);
    } catch (core::Error& error) {
        error.within(fmt::format("while loading system \"{}\"", what));
        throw;
    }
}

}  // namespace fabric

// Names as published tables spell them -> a config.json of ours and a mesh of ours.
// A name is a folder of `configs`, or is matched by a pattern of aliases.yaml, whose every alias
// says why the sizes are the same. Devices are mapped there too.
// Invariant: a model of another size is never stood in for; what is not there is said.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "fabric/mesh.h"
#include "model/config.h"
#include "model/host_costs.h"
#include "model/trace_defaults.h"

namespace model {

struct KnownModel {
    std::string name;    // as asked, without the owner: "QwQ-32B"
    std::string folder;  // of the configs: "Qwen2.5-32B-Instruct"
    std::string base;    // by which tt_transformers chooses: "QwQ-32B"
    const Config* config = nullptr;
};

/// A "no": why a name is not known, as it is counted.
struct Unknown {
    std::string reason;
};

class ModelLibrary {
public:
    /// Reads every config.json of `configs` and the aliases. Throws core::Error.
    ModelLibrary(fabric::Catalog catalog, const std::filesystem::path& configs,
                 const std::filesystem::path& aliases);

    /// `name` as "Qwen/QwQ-32B" or "QwQ-32B". The config lives as long as the library.
    std::variant<KnownModel, Unknown> model(std::string_view name) const;
    /// One data-parallel group of `device` ("GALAXY_T3K") in `groups` groups.
    std::variant<fabric::Mesh, Unknown> group(std::string_view device, std::int64_t groups) const;
    /// A line of `chips` neighbours of `device`, a ring where all of it is one: as tables of
    /// collectives have them.
    std::variant<fabric::Mesh, Unknown> row(std::string_view device, std::int32_t chips) const;
    /// Tokens of the KV pool where the server allocates fewer than the context; nullopt: it does
    /// not.
    std::optional<std::int64_t> served_pool(const KnownModel& model,
                                            const fabric::Mesh& group) const;
    /// What the software reserves for traces unless it is told otherwise.
    core::Bytes default_trace_region(const KnownModel& model, const fabric::Mesh& group) const;
    /// Padded lengths whose prefill the software traces.
    std::vector<std::int64_t> traced_prefills(const KnownModel& model, const fabric::Mesh& group,
                                              dispatch::Release release) const;
    /// topologies/
    const std::filesystem::path& topologies() const { return catalog_.folder; }
    /// Throws core::Error for a software without an entry.
    HostCosts host_costs(std::string_view software) const;

private:
    /// Whole: every tensor of the named model has the sizes of the folder. Text: its language part
    /// has, and the rest (a vision tower) shares the memory without a configuration: no answer.
    enum class Part { Whole, Text };
    struct Alias {
        std::regex pattern;
        std::string folder;
        std::string base;  // empty: base_model_name of what is asked
        Part part = Part::Whole;
    };
    struct ServedPool {
        std::regex pattern;
        std::int64_t chips = 0;
        std::int64_t tokens = 0;
    };
    struct Loaded {
        std::optional<Config> config;
        std::string problem;  // why there is none
    };

    std::variant<fabric::Mesh, Unknown> opened(const std::string& spec) const;
    void read_aliases(const std::filesystem::path& file);

    fabric::Catalog catalog_;
    TraceDefaults trace_defaults_;
    std::map<std::string, Loaded> configs_;  // by lower-case folder
    std::map<std::string, std::string> folders_;
    std::vector<Alias> aliases_;
    std::vector<ServedPool> served_pools_;
    std::map<std::string, std::string> devices_;  // lower case -> --mesh
};

/// ASCII lower case.
std::string lower_case(std::string_view text);

}  // namespace model

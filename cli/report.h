// What verbs print: the JSON envelope, memory per chip, and tables for people.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "cli/options.h"
#include "dispatch/memory_plan.h"
#include "model/deployment.h"

namespace cli {

using Json = nlohmann::ordered_json;

/// schema_version, verb, software profile, hash of the topology data the run used.
Json envelope(const std::string& verb, const World& world, const std::string& software);

/// memory.chips[].{dram,l1}, memory.failure, one entry per chip of the mesh.
Json memory_json(const dispatch::MemoryPlan& plan, std::int32_t chips);
/// The same for people, one line per owner (all chips are alike).
std::string memory_text(const dispatch::MemoryPlan& plan, std::int32_t chips);

/// FNV-1a of all topology files, as 16 hexadecimal digits.
std::string constants_hash(const fabric::Catalog& catalog);

void print_json(const Json& document);

}  // namespace cli

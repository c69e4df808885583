#include "cli/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "core/digest.h"
#include "core/files.h"
#include "core/format.h"

namespace cli {
namespace {

constexpr int kSchemaVersion = 1;

core::Bytes owned(const dispatch::MemoryPlan& plan, std::initializer_list<dispatch::Owner> owners) {
    core::Bytes total;
    for (const dispatch::Owner owner : owners) {
        const auto found = plan.dram.live.find(owner);
        if (found != plan.dram.live.end()) total += found->second;
    }
    return total;
}

core::Bytes weights(const dispatch::MemoryPlan& plan) {
    using dispatch::Owner;
    return owned(
        plan, {Owner::Weights, Owner::Embedding, Owner::LmHead, Owner::Norms, Owner::RopeTables});
}

}  // namespace

std::string constants_hash(const fabric::Catalog& catalog) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(catalog.folder)) {
        if (entry.path().extension() == ".yaml") files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    core::Digest digest;
    for (const auto& file : files) {
        digest.add(file.lexically_relative(catalog.folder).generic_string());
        digest.add(core::read_text(file, core::Bytes{1 << 24}));
    }
    return digest.hex();
}

Json envelope(const std::string& verb, const World& world, const std::string& software) {
    Json document;
    document["schema_version"] = kSchemaVersion;
    document["verb"] = verb;
    document["software"] = software;
    document["constants"] = constants_hash(world.catalog);
    return document;
}

Json memory_json(const dispatch::MemoryPlan& plan, std::int32_t chips) {
    using dispatch::Owner;
    Json dram;
    dram["capacity_bytes"] = plan.dram.capacity.value;
    dram["weights_bytes"] = weights(plan).value;
    dram["kv_cache_bytes"] = owned(plan, {Owner::KvCache}).value;
    dram["activation_peak_bytes"] = plan.dram.activation_peak.value;
    dram["trace_bytes"] = plan.dram.trace_region.value;
    dram["free_bytes"] = plan.dram.free.value;
    dram["largest_free_block_bytes"] = plan.dram.largest_free_block.value;
    for (const auto& [owner, bytes] : plan.dram.live) {
        dram["owners"][dispatch::to_text(owner)] = bytes.value;
    }
    Json l1;
    l1["capacity_bytes"] = plan.l1.capacity.value;
    l1["buffers_peak_bytes"] = plan.l1.buffers_peak.value;
    l1["circular_buffers_peak_bytes"] = plan.l1.circular_buffers_peak.value;
    l1["widest_program"] = plan.l1.widest_program;
    Json memory;
    for (std::int32_t chip = 0; chip < chips; ++chip) {
        memory["chips"].push_back({{"chip", chip}, {"dram", dram}, {"l1", l1}});
    }
    memory["failure"] = nullptr;
    if (plan.failure) memory["failure"] = plan.failure->text;
    if (plan.clash) memory["failure"] = *plan.clash;
    return memory;
}

std::string memory_text(const dispatch::MemoryPlan& plan, std::int32_t chips) {
    using dispatch::Owner;
    const auto line = [](const char* what, core::Bytes bytes) {
        return fmt::format("  {:<13}{}\n", what, core::to_text(bytes));
    };
    std::string text = fmt::format("DRAM per chip ({} {})\n", chips, chips == 1 ? "chip" : "chips");
    text += line("weights", weights(plan));
    text += line("kv cache", owned(plan, {Owner::KvCache}));
    text += line("activations", plan.dram.activation_peak);
    text += line("trace region", plan.dram.trace_region);
    text += line("free", plan.dram.free);
    text += fmt::format("L1 per core\n  {:<13}{} of {}\n", "buffers",
                        core::to_text(plan.l1.buffers_peak), core::to_text(plan.l1.capacity));
    text += fmt::format("  {:<13}{} (widest: {})\n", "circular",
                        core::to_text(plan.l1.circular_buffers_peak), plan.l1.widest_program);
    return text;
}

void print_json(const Json& document) { std::cout << document.dump(1) << '\n'; }

}  // namespace cli

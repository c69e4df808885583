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

namespace {

Json by_owner(const std::map<dispatch::Owner, core::Bytes>& bytes) {
    Json json = Json::object();
    for (const auto& [owner, size] : bytes) json[dispatch::to_text(owner)] = size.value;
    return json;
}

Json dram_json(const dispatch::MemoryPlan& plan) {
    using dispatch::Owner;
    const dispatch::MemoryUse& use = plan.dram;
    return {{"capacity_bytes", use.capacity.value},
            {"weights_bytes", weights(plan).value},
            {"kv_cache_bytes", owned(plan, {Owner::KvCache}).value},
            {"activation_peak_bytes", use.activation_peak.value},
            {"trace_bytes", use.trace_region.value},
            {"free_bytes", use.free.value},
            {"largest_free_block_bytes", use.largest_free_block.value},
            {"banks", use.banks},
            {"bank_free_bytes", use.at_peak.free.value},
            {"bank_largest_free_block_bytes", use.at_peak.largest_block.value},
            {"bank_unreserved_base", use.unreserved_base.value},
            {"owners", by_owner(use.live)},
            {"held", by_owner(use.held)}};
}

Json l1_json(const dispatch::L1Use& use) {
    Json json{{"capacity_bytes", use.capacity.value},
              {"unreserved_base", use.unreserved_base.value},
              {"worker_l1_size", use.worker_l1_size.value},
              {"l1_small_size", use.l1_small_size.value},
              {"buffers_peak_bytes", use.buffers_peak.value},
              {"circular_buffers_peak_bytes", use.circular_buffers_peak.value},
              {"widest_program", use.widest_program},
              {"widest_circular_buffers", Json::object()},
              {"headroom_bytes", use.headroom.value},
              {"tightest_program", use.tightest_program}};
    for (const dispatch::CircularBuffer& buffer : use.widest_circular_buffers) {
        json["widest_circular_buffers"][buffer.name] = buffer.size.value;
    }
    return json;
}

}  // namespace

Json memory_json(const dispatch::MemoryPlan& plan, std::int32_t chips) {
    Json memory{{"chips", Json::array()}};
    const Json dram = dram_json(plan);
    const Json l1 = l1_json(plan.l1);
    for (std::int32_t chip = 0; chip < chips; ++chip) {
        memory["chips"].push_back({{"chip", chip}, {"dram", dram}, {"l1", l1}});
    }
    memory["failure"] = nullptr;
    memory["failed_buffer"] = nullptr;
    if (plan.failure) memory["failure"] = plan.failure->text;
    if (plan.clash) memory["failure"] = *plan.clash;
    if (!plan.fits()) memory["failed_buffer"] = plan.failed_buffer;
    memory["programs"] = Json::array();
    for (const dispatch::ProgramUse& use : plan.programs) {
        memory["programs"].push_back(
            {{"name", use.name},
             {"dram_peak_bytes", use.dram_peak.value},
             {"dram_activation_bytes", use.dram_activations.value},
             {"l1_peak_bytes", use.l1_peak.value},
             {"circular_buffers_peak_bytes", use.circular_buffers_peak.value},
             {"widest_program", use.widest_program}});
    }
    memory["buffers"] = Json::array();
    for (const dispatch::Holding& held : plan.holdings) {
        memory["buffers"].push_back({{"name", held.name},
                                     {"owner", dispatch::to_text(held.owner)},
                                     {"shape", held.shape.text()},
                                     {"dtype", tensor::ttnn_name(held.dtype)},
                                     {"instances", held.instances},
                                     {"bytes_per_bank", held.per_bank.value},
                                     {"bytes", held.total.value}});
    }
    return memory;
}

std::string memory_text(const dispatch::MemoryPlan& plan, std::int32_t chips) {
    const auto line = [](const std::string& what, core::Bytes bytes) {
        return fmt::format("  {:<17}{}\n", what, core::to_text(bytes));
    };
    const dispatch::MemoryUse& use = plan.dram;
    std::string text = fmt::format("DRAM per chip ({} {})\n", chips, chips == 1 ? "chip" : "chips");
    for (const auto& [owner, bytes] : use.live) {
        if (owner != dispatch::Owner::Activations) text += line(dispatch::to_text(owner), bytes);
    }
    text += line("activations", use.activation_peak);
    text += line("trace region", use.trace_region);
    text += line("free", use.free);
    text += fmt::format("  {:<17}{} of {} free in a bank\n", "largest block",
                        core::to_text(use.at_peak.largest_block), core::to_text(use.at_peak.free));
    for (const dispatch::ProgramUse& program : plan.programs) {
        text +=
            fmt::format("    {:<25} {}\n", program.name, core::to_text(program.dram_activations));
    }
    text += fmt::format("L1 per core\n  {:<17}{} of {}\n", "buffers",
                        core::to_text(plan.l1.buffers_peak), core::to_text(plan.l1.capacity));
    text += fmt::format("  {:<17}{} (widest: {})\n", "circular",
                        core::to_text(plan.l1.circular_buffers_peak), plan.l1.widest_program);
    return text;
}

void print_json(const Json& document) { std::cout << document.dump(1) << '\n'; }

}  // namespace cli

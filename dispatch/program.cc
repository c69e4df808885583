#include "dispatch/program.h"

#include "core/error.h"

namespace dispatch {

std::string to_text(Owner owner) {
    switch (owner) {
        case Owner::Weights:
            return "weights";
        case Owner::Embedding:
            return "embedding";
        case Owner::LmHead:
            return "lm_head";
        case Owner::Norms:
            return "norms";
        case Owner::RopeTables:
            return "rope_tables";
        case Owner::KvCache:
            return "kv_cache";
        case Owner::Inputs:
            return "inputs";
        case Owner::Activations:
            return "activations";
        case Owner::Collectives:
            return "collectives";
        case Owner::Binaries:
            return "program_binaries";
        case Owner::Trace:
            return "trace";
    }
    return "?";
}

std::int32_t instance_of(const Buffer& buffer, Instance instance, std::int32_t layer) {
    switch (instance) {
        case Instance::Only:
            return 0;
        case Instance::Layer:
            return layer - buffer.first_layer;
        case Instance::CarryIn:
            return layer % 2;
        case Instance::CarryOut:
            return (layer + 1) % 2;
    }
    return 0;
}

std::string instance_name(const Buffer& buffer, std::int32_t index) {
    if (!buffer.name.starts_with("layers.")) return buffer.name;
    const std::size_t tail = buffer.name.find('.', std::string_view("layers.").size());
    return "layers." + std::to_string(buffer.first_layer + index) + buffer.name.substr(tail);
}

void Program::for_each(const std::function<void(const Command&, std::int32_t)>& visit) const {
    for (const Segment& segment : segments) {
        for (std::int32_t round = 0; round < segment.repeat; ++round) {
            for (const Command& command : segment.commands) {
                visit(command, segment.first_layer + round);
            }
        }
    }
}

std::int64_t Program::command_count() const {
    std::int64_t count = 0;
    for (const Segment& segment : segments) {
        count += segment.repeat * static_cast<std::int64_t>(segment.commands.size());
    }
    return count;
}

std::vector<std::int32_t> holders(const Buffer& buffer, mesh::Shape shape) {
    std::vector<std::int32_t> chips;
    for (std::int32_t chip = 0; chip < shape.chips(); ++chip) {
        const mesh::Coord where = shape.coord(chip);
        if (!buffer.placement[0].is_sharded() && where.row > 0) continue;
        if (!buffer.placement[1].is_sharded() && where.col > 0) continue;
        chips.push_back(chip);
    }
    return chips;
}

AllocationRequest allocation_request(const tensor::Spec& spec, const MemoryConfig& memory,
                                     std::int32_t dram_banks) {
    AllocationRequest request{memory.type, spec.bytes(), spec.pages(), spec.page_bytes(), 0};
    if (memory.layout == MemoryLayout::DramWidthSharded) {
        // Every bank holds whole tile columns: the columns are padded to a tile per bank.
        core::require(spec.layout == tensor::Layout::Tile, "DRAM-sharded tensors are tiled");
        const std::int64_t cols = core::round_up(spec.tile_cols(), std::int64_t{dram_banks});
        request.pages = spec.shape.outer() * spec.tile_rows() * cols;
        request.size = request.page * request.pages;
    } else if (memory.layout != MemoryLayout::Interleaved) {
        core::require(memory.shards > 0, "a sharded L1 tensor says how many cores hold it");
        request.banks = memory.shards;
    }
    return request;
}

}  // namespace dispatch

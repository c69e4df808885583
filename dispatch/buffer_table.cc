#include "dispatch/buffer_table.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "mesh/banks.h"

namespace dispatch {
namespace {

std::size_t index(mesh::BufferType type) { return static_cast<std::size_t>(type); }

mesh::MessageEra message_era(Release release) {
    return release == Release::R2025 ? mesh::MessageEra::Y2025 : mesh::MessageEra::Y2026;
}

}  // namespace

DeviceMemory device_memory(const mesh::ChipSpec& chip, const DeviceOptions& options) {
    const mesh::MessageEra era = message_era(options.release);
    const mesh::L1Layout layout{options.l1_small_size, options.worker_l1_size};
    const core::Bytes trace = mesh::trace_region_per_bank(
        options.trace_era, options.trace_region_size, chip.dram.banks, chip.dram.alignment);
    const mesh::Grid grid = mesh::compute_grid(chip, options.dispatch_core, options.dispatch_axis);
    return {.dram = mesh::dram_banks(chip, trace, era),
            .l1 = mesh::l1_banks(chip, grid, layout, era),
            .l1_small = mesh::l1_small_banks(chip, grid, layout, era),
            .trace = mesh::trace_banks(chip, trace, era),
            .worker_grid = grid};
}

BufferTable::BufferTable(const mesh::ChipSpec& chip, const DeviceOptions& options,
                         std::vector<Reader*>& readers)
    : memory_(device_memory(chip, options)),
      allocators_{mesh::BankAllocator(memory_.dram), mesh::BankAllocator(memory_.l1),
                  mesh::BankAllocator(memory_.l1_small), mesh::BankAllocator(memory_.trace)},
      readers_(readers) {}

mesh::BankAllocator& BufferTable::allocator(mesh::BufferType type) {
    return allocators_[index(type)];
}

const mesh::BankAllocator& BufferTable::allocator(mesh::BufferType type) const {
    return allocators_[index(type)];
}

BufferTable::Result BufferTable::allocate(BufferRequest request, mesh::Direction direction) {
    mesh::BankAllocator& home = allocator(request.memory.type);
    return place(home, direction, std::move(request));
}

BufferTable::Result BufferTable::allocate(BufferRequest request) {
    mesh::BankAllocator& home = allocator(request.memory.type);
    return place(home, home.config().direction, std::move(request));
}

BufferTable::Result BufferTable::allocate_in(mesh::BankAllocator& home, BufferRequest request) {
    return place(home, home.config().direction, std::move(request));
}

BufferTable::Result BufferTable::place(mesh::BankAllocator& home, mesh::Direction direction,
                                       BufferRequest request) {
    const AllocationRequest need =
        allocation_request(request.spec, request.memory, memory_.dram.banks);
    if (auto text = mesh::shard_count_failure(need.banks, home.config().banks)) {
        throw core::Error(*std::move(text)).within("while allocating " + request.name);
    }
    auto found = home.allocate_from(direction, need.size, need.pages, need.page, need.banks);
    if (auto* failure = std::get_if<mesh::Failure>(&found)) return std::move(*failure);
    const auto block = std::get<mesh::Allocation>(found);

    const BufferId id{next_id_++};
    DeviceBuffer buffer{.id = id,
                        .name = std::move(request.name),
                        .owner = request.owner,
                        .operand = {request.spec, request.memory, block.address},
                        .per_bank = block.per_bank};
    if (tracking_ && request.memory.type == mesh::BufferType::Dram) {
        const std::int64_t end = block.address + block.per_bank.value;
        high_water_.allocation = std::max(high_water_.allocation, end);
    }
    live_.emplace(id, Live{buffer, &home});
    for (Reader* reader : readers_) reader->allocated(buffer);
    return buffer;
}

void BufferTable::free(BufferId id) {
    const auto found = live_.find(id);
    if (found == live_.end()) return;
    const Live live = std::move(found->second);
    live_.erase(found);
    live.home->free(live.buffer.operand.address);
    if (tracking_ && live.buffer.operand.memory.type == mesh::BufferType::Dram) {
        const std::int64_t end = live.buffer.operand.address + live.buffer.per_bank.value;
        high_water_.deletion = std::max(high_water_.deletion, end);
    }
    for (Reader* reader : readers_) reader->freed(live.buffer);
}

std::vector<DeviceBuffer> BufferTable::live() const {
    std::vector<DeviceBuffer> buffers;
    for (const auto& [id, live] : live_) buffers.push_back(live.buffer);
    return buffers;
}

std::vector<DeviceBuffer> BufferTable::allocated_after(std::int64_t sequence) const {
    std::vector<DeviceBuffer> buffers;
    const BufferId first{static_cast<std::int32_t>(sequence)};
    for (auto at = live_.lower_bound(first); at != live_.end(); ++at) {
        buffers.push_back(at->second.buffer);
    }
    return buffers;
}

}  // namespace dispatch

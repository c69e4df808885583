// First fit over one free list: tenstorrent/tt-metal tt_metal/impl/allocator/bank_manager.cpp,
// algorithms/free_list_opt.cpp, allocator.cpp @79925a3f. The real lists are split by size class;
// each is sorted by address and all are searched, so one list by address gives the same answer.
#include "mesh/bank_allocator.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "core/error.h"

namespace mesh {

namespace {

// Bank counts with a dedicated modulo implementation besides the powers of two.
constexpr std::array<std::int32_t, 18> kOddBankCounts = {
    7, 12, 20, 48, 56, 63, 70, 72, 80, 94, 108, 110, 117, 120, 124, 126, 130, 140};

std::string out_of_memory_text(MessageEra era, const Failure& failure) {
    std::string text = fmt::format(
        "Out of Memory: Not enough space to allocate {} B {} buffer across {} banks, where each "
        "bank needs to store {} B",
        failure.size.value, to_text(failure.type), failure.banks, failure.per_bank.value);
    const BankStatistics& bank = failure.statistics;
    switch (era) {
        case MessageEra::Y2024:
            break;
        case MessageEra::Y2025:
            text += fmt::format(", but bank size is only {} B", bank.bank.value);
            break;
        case MessageEra::Y2026:
            text += fmt::format(
                ", but bank size is {} B (allocated: {} B, free: {} B, largest free block: {} B)",
                bank.bank.value, bank.allocated.value, bank.free.value,
                bank.largest_free_block.value);
            break;
    }
    return text;
}

}  // namespace

std::string to_text(BufferType type) {
    switch (type) {
        case BufferType::Dram:
            return "DRAM";
        case BufferType::L1:
            return "L1";
        case BufferType::L1Small:
            return "L1_SMALL";
        case BufferType::Trace:
            return "TRACE";
    }
    core::require(false, "every buffer type has a name");
    return {};
}

core::Bytes bytes_per_bank(std::int64_t pages, core::Bytes page, std::int32_t banks,
                           core::Bytes page_alignment) {
    core::require(pages >= 0 && page.value >= 0, "pages have a size and a count");
    core::require(banks > 0 && page_alignment.value > 0, "banks and alignment are positive");
    return core::ceil_div(pages, banks) * core::round_up(page, page_alignment);
}

void check_bank_count(std::int32_t banks, BufferType type) {
    const bool power_of_two = banks > 0 && (banks & (banks - 1)) == 0;
    if (power_of_two || std::ranges::find(kOddBankCounts, banks) != kOddBankCounts.end()) return;
    throw core::Error(fmt::format(
        "Invalid number of memory banks {} for {}. Num banks must be power of 2 or have a "
        "dedicated modulo implementation",
        banks, to_text(type)));
}

BankAllocator::BankAllocator(BankConfig config) : config_(config) {
    core::require(config_.banks > 0, "an allocator has at least one bank");
    core::require(config_.base >= 0 && config_.size.value >= 0, "a bank has a base and a size");
    core::require(config_.page_alignment.value > 0 && config_.block_alignment.value > 0,
                  "alignments are positive");
    if (config_.size.value > 0) free_.emplace(config_.base, config_.size);
}

std::variant<Allocation, Failure> BankAllocator::allocate(core::Bytes size, std::int64_t pages,
                                                          core::Bytes page, std::int32_t banks) {
    return allocate_from(config_.direction, size, pages, page, banks);
}

std::variant<Allocation, Failure> BankAllocator::allocate_from(Direction direction,
                                                               core::Bytes size, std::int64_t pages,
                                                               core::Bytes page,
                                                               std::int32_t banks) {
    core::require(banks >= 0 && banks <= config_.banks, "a buffer is dealt over existing banks");
    const std::int32_t used_banks = banks == 0 ? config_.banks : banks;
    const core::Bytes per_bank = bytes_per_bank(pages, page, used_banks, config_.page_alignment);
    const core::Bytes block =
        std::max(core::round_up(per_bank, config_.block_alignment), config_.block_alignment);

    const std::optional<std::int64_t> found = find(direction, block);
    if (!found) {
        Failure failure{.type = config_.type,
                        .size = size,
                        .banks = used_banks,
                        .per_bank = per_bank,
                        .statistics = statistics(),
                        .text = {}};
        failure.text = out_of_memory_text(config_.era, failure);
        return failure;
    }
    carve(*found, block);
    return Allocation{.address = *found, .per_bank = block};
}

std::optional<std::int64_t> BankAllocator::find(Direction direction, core::Bytes need) const {
    const auto fits = [need](const auto& block) { return block.second >= need; };
    if (direction == Direction::BottomUp) {
        const auto lowest = std::ranges::find_if(free_, fits);
        if (lowest == free_.end()) return std::nullopt;
        return lowest->first;
    }
    const auto highest = std::find_if(free_.rbegin(), free_.rend(), fits);
    if (highest == free_.rend()) return std::nullopt;
    return highest->first + (highest->second - need).value;
}

void BankAllocator::carve(std::int64_t address, core::Bytes size) {
    const auto block = std::prev(free_.upper_bound(address));
    const core::Bytes below{address - block->first};
    const core::Bytes above = block->second - below - size;
    core::require(below.value >= 0 && above.value >= 0, "only free bytes are allocated");
    const std::int64_t start = block->first;
    free_.erase(block);
    if (below.value > 0) free_.emplace(start, below);
    if (above.value > 0) free_.emplace(address + size.value, above);
    allocated_.emplace(address, size);
    used_ += size;
    peak_ = std::max(peak_, used_);
}

void BankAllocator::free(std::int64_t address) {
    const auto live = allocated_.find(address);
    if (live == allocated_.end()) return;
    core::Bytes size = live->second;
    used_ -= size;
    allocated_.erase(live);

    const auto above = free_.lower_bound(address);
    if (above != free_.begin()) {
        const auto below = std::prev(above);
        if (below->first + below->second.value == address) {
            address = below->first;
            size += below->second;
            free_.erase(below);
        }
    }
    if (above != free_.end() && above->first == address + size.value) {
        size += above->second;
        free_.erase(above);
    }
    free_.emplace(address, size);
}

BankStatistics BankAllocator::statistics() const {
    core::Bytes largest;
    for (const auto& [address, size] : free_) largest = std::max(largest, size);
    return {.bank = config_.size,
            .allocated = used_,
            .free = config_.size - used_,
            .largest_free_block = largest};
}

void BankAllocator::reset_peak() { peak_ = used_; }

std::optional<std::int64_t> BankAllocator::lowest_allocated() const {
    if (allocated_.empty()) return std::nullopt;
    return allocated_.begin()->first;
}

std::optional<std::string> circular_buffer_failure(const CircularBufferRegion& region,
                                                   std::optional<std::int64_t> lowest_l1_address,
                                                   core::Bytes l1_size) {
    if (region.end > l1_size.value) {
        return fmt::format(
            "Statically allocated circular buffers on core range {} grow to {} B which is beyond "
            "max L1 size of {} B",
            region.core_range, region.end, l1_size.value);
    }
    if (lowest_l1_address && *lowest_l1_address < region.end) {
        return fmt::format(
            "Statically allocated circular buffers in program {} clash with L1 buffers on core "
            "range {}. L1 buffer allocated at {} and static circular buffer region ends at {}",
            region.program, region.core_range, *lowest_l1_address, region.end);
    }
    return std::nullopt;
}

std::optional<std::string> shard_count_failure(std::int64_t shards, std::int32_t l1_banks) {
    if (shards <= l1_banks) return std::nullopt;
    return fmt::format(
        "Expected number of shards {} to be less than or equal to total number of L1 banks {} in "
        "compute cores",
        shards, l1_banks);
}

}  // namespace mesh

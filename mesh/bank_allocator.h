// The device allocator: one free list per memory type, in lockstep over the banks of a chip and
// over the chips of a mesh. Every bank is charged ceil(pages / banks) x aligned page; what does
// not fit is an answer (`Failure`) with the text the real stack prints.
// Rules: tenstorrent/tt-metal tt_metal/impl/allocator (FreeListOpt, policy FIRST), checked
// against the tree of 2026-05-23. All sizes and addresses are per bank.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/units.h"

namespace mesh {

enum class BufferType { Dram, L1, L1Small, Trace };
std::string to_text(BufferType type);  // "DRAM", "L1", "L1_SMALL", "TRACE" as messages spell it

enum class Direction { BottomUp, TopDown };

/// The wording of messages by the date of the software.
enum class MessageEra { Y2024, Y2025, Y2026 };

struct BankStatistics {
    core::Bytes bank;  // allocatable bytes of one bank
    core::Bytes allocated;
    core::Bytes free;
    core::Bytes largest_free_block;
};

/// "It does not fit" with its numbers; `text` is the out-of-memory text of the real stack.
struct Failure {
    BufferType type = BufferType::Dram;
    core::Bytes size;
    std::int32_t banks = 0;
    core::Bytes per_bank;
    BankStatistics statistics;
    std::string text;
};

struct Allocation {
    std::int64_t address = 0;  // in every bank
    core::Bytes per_bank;      // as charged, rounded to the block alignment
};

struct BankConfig {
    BufferType type = BufferType::Dram;
    std::int32_t banks = 0;
    std::int64_t base = 0;        // first allocatable address of a bank
    core::Bytes size;             // allocatable bytes of one bank
    core::Bytes page_alignment;   // pages are rounded to it
    core::Bytes block_alignment;  // blocks are rounded to it, at least one unit (DRAM alignment)
    Direction direction = Direction::BottomUp;
    MessageEra era = MessageEra::Y2026;
};

/// ceil(pages / banks) x round_up(page, alignment): the per-bank bytes that messages print.
core::Bytes bytes_per_bank(std::int64_t pages, core::Bytes page, std::int32_t banks,
                           core::Bytes page_alignment);

/// Throws core::Error with the real text when no address generator exists for `banks`.
void check_bank_count(std::int32_t banks, BufferType type);

class BankAllocator {
public:
    explicit BankAllocator(BankConfig config);

    const BankConfig& config() const { return config_; }

    /// `size` is the whole buffer (for the message); pages are dealt round-robin from bank 0.
    /// `banks` overrides the number of banks it is dealt over (shards); 0 means all.
    /// No pages still take one block unit, as the real free list does; a buffer of 0 bytes never
    /// gets here there. Requires: banks <= config().banks (see shard_count_failure).
    std::variant<Allocation, Failure> allocate(core::Bytes size, std::int64_t pages,
                                               core::Bytes page, std::int32_t banks = 0);
    /// Same, from the other end of the bank (program binaries, dynamic trace buffers).
    std::variant<Allocation, Failure> allocate_from(Direction direction, core::Bytes size,
                                                    std::int64_t pages, core::Bytes page,
                                                    std::int32_t banks = 0);
    /// Frees the block at `address`; an unknown address is ignored, as the real allocator does.
    void free(std::int64_t address);

    BankStatistics statistics() const;
    /// Largest sum of allocated bytes per bank since construction or reset_peak().
    core::Bytes peak_allocated() const { return peak_; }
    void reset_peak();
    /// Lowest allocated address, or nullopt when nothing is allocated (for the L1 clash check).
    std::optional<std::int64_t> lowest_allocated() const;
    /// Live blocks by address: (address, per-bank bytes).
    const std::map<std::int64_t, core::Bytes>& blocks() const { return allocated_; }

private:
    std::optional<std::int64_t> find(Direction direction, core::Bytes need) const;
    void carve(std::int64_t address, core::Bytes size);

    BankConfig config_;
    std::map<std::int64_t, core::Bytes> free_;       // by address; neighbours are coalesced
    std::map<std::int64_t, core::Bytes> allocated_;  // by address
    core::Bytes used_;
    core::Bytes peak_;
};

/// Where static circular buffers and L1 buffers meet; nullopt when they do not.
struct CircularBufferRegion {
    std::int32_t program = 0;
    std::string core_range;  // "[(x=0,y=0) - (x=7,y=7)]"
    std::int64_t end = 0;    // first byte after the region
};
std::optional<std::string> circular_buffer_failure(const CircularBufferRegion& region,
                                                   std::optional<std::int64_t> lowest_l1_address,
                                                   core::Bytes l1_size);

/// 2-D shardings use one shard per core; the text when there are more shards than L1 banks.
std::optional<std::string> shard_count_failure(std::int64_t shards, std::int32_t l1_banks);

}  // namespace mesh

// The memories of one chip as allocators see them. A DRAM bank is
//   [reserved | DRAM, growing up | trace region], and an L1 bank (one core) is
//   [firmware, kernel config | circular buffers, growing up .. buffers, growing down | L1_SMALL].
// All sizes and addresses are per bank. Source: tenstorrent/tt-metal
// tt_metal/impl/allocator/{allocator,l1_banking_allocator}.cpp @79925a3f.
#pragma once

#include "mesh/bank_allocator.h"
#include "mesh/chip_spec.h"

namespace mesh {

/// What users may move in L1.
struct L1Layout {
    core::Bytes small;   // l1_small_size: top of L1
    core::Bytes worker;  // worker_l1_size: bytes for circular buffers and buffers; 0 = computed
};

/// First byte that circular buffers and buffers may use: L1 size - worker_l1_size.
core::Bytes l1_unreserved_base(const ChipSpec& chip, const L1Layout& layout);

/// `trace` is what trace_region_per_bank() gives. All throw core::Error when a region is larger
/// than the memory or no address generator exists for the number of banks.
BankConfig dram_banks(const ChipSpec& chip, core::Bytes trace, MessageEra era);
BankConfig trace_banks(const ChipSpec& chip, core::Bytes trace, MessageEra era);
/// One bank per core of the compute grid.
BankConfig l1_banks(const ChipSpec& chip, Grid compute, const L1Layout& layout, MessageEra era);
BankConfig l1_small_banks(const ChipSpec& chip, Grid compute, const L1Layout& layout,
                          MessageEra era);

}  // namespace mesh

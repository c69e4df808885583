#include "mesh/banks.h"

#include <fmt/format.h>

#include "core/error.h"

namespace mesh {

namespace {

void check_region(const ChipSpec& chip, const char* key, core::Bytes region, core::Bytes room) {
    if (region.value >= 0 && region <= room) return;
    throw core::Error::mismatch("chip \"" + chip.name + "\"", key,
                                fmt::format("0 to {} bytes", room.value),
                                fmt::to_string(region.value));
}

core::Bytes dram_room(const ChipSpec& chip) {
    return chip.dram.bank_bytes - chip.dram.unreserved_base;
}

BankConfig l1_config(const ChipSpec& chip, Grid compute, BufferType type, MessageEra era) {
    check_bank_count(compute.cores(), type);
    return {.type = type,
            .banks = compute.cores(),
            .base = 0,
            .size = {},
            .page_alignment = chip.l1.alignment,
            .block_alignment = chip.dram.alignment,
            .direction = Direction::TopDown,
            .era = era};
}

}  // namespace

core::Bytes l1_unreserved_base(const ChipSpec& chip, const L1Layout& layout) {
    check_region(chip, "worker_l1_size", layout.worker, chip.l1.size);
    const core::Bytes base =
        layout.worker.value == 0 ? chip.l1.unreserved_base : chip.l1.size - layout.worker;
    check_region(chip, "l1_small_size", layout.small, chip.l1.size - base);
    return base;
}

BankConfig dram_banks(const ChipSpec& chip, core::Bytes trace, MessageEra era) {
    check_bank_count(chip.dram.banks, BufferType::Dram);
    check_region(chip, "trace region per bank", trace, dram_room(chip));
    return {.type = BufferType::Dram,
            .banks = chip.dram.banks,
            .base = chip.dram.unreserved_base.value,
            .size = dram_room(chip) - trace,
            .page_alignment = chip.dram.alignment,
            .block_alignment = chip.dram.alignment,
            .direction = Direction::BottomUp,
            .era = era};
}

BankConfig trace_banks(const ChipSpec& chip, core::Bytes trace, MessageEra era) {
    BankConfig config = dram_banks(chip, trace, era);
    config.type = BufferType::Trace;
    config.base = (chip.dram.bank_bytes - trace).value;
    config.size = trace;
    return config;
}

BankConfig l1_banks(const ChipSpec& chip, Grid compute, const L1Layout& layout, MessageEra era) {
    BankConfig config = l1_config(chip, compute, BufferType::L1, era);
    const core::Bytes base = l1_unreserved_base(chip, layout);
    config.base = base.value;
    config.size = chip.l1.size - base - layout.small;
    return config;
}

BankConfig l1_small_banks(const ChipSpec& chip, Grid compute, const L1Layout& layout,
                          MessageEra era) {
    BankConfig config = l1_config(chip, compute, BufferType::L1Small, era);
    l1_unreserved_base(chip, layout);  // for its checks
    config.base = (chip.l1.size - layout.small).value;
    config.size = layout.small;
    return config;
}

}  // namespace mesh

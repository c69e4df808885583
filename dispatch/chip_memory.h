// The DRAM and L1 of one simulated chip as sparse virtual memory: real bytes at real addresses.
// A buffer at per-bank address a with b banks occupies [a * b, ...) of its type's range, so two
// buffers overlap here exactly when they overlap on the device. Untouched memory costs nothing.
#pragma once

#include <cstddef>
#include <cstdint>

#include "dispatch/mesh_device.h"
#include "dispatch/reader.h"

namespace dispatch {

class ChipMemory {
public:
    /// Throws core::Error when the host refuses the address space. `numa_node` < 0: anywhere.
    ChipMemory(const DeviceMemory& memory, int numa_node);
    ~ChipMemory();
    ChipMemory(ChipMemory&& other) noexcept;
    ChipMemory& operator=(ChipMemory&&) = delete;
    ChipMemory(const ChipMemory&) = delete;
    ChipMemory& operator=(const ChipMemory&) = delete;

    /// First byte of a tensor. Requires: it lies inside the memory of its type.
    std::byte* at(const Operand& operand) const;

private:
    struct Range {
        std::byte* base = nullptr;
        std::size_t size = 0;
        std::int64_t banks = 0;
    };
    static Range reserve(const mesh::BankConfig& config, int numa_node);
    Range dram_;
    Range l1_;
};

/// NUMA nodes of the host (1 when unknown); chips are dealt over them.
int numa_nodes();

}  // namespace dispatch

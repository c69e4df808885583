// The DRAM and L1 of one simulated chip as sparse virtual memory: real bytes at real addresses.
// A buffer at per-bank address a with b banks occupies [a * b, ...) of its type's range, so two
// buffers overlap here exactly when they overlap on the device. Untouched memory costs nothing.
#pragma once

#include <cstddef>
#include <cstdint>

#include "dispatch/mesh_device.h"
#include "dispatch/reader.h"

namespace dispatch {

/// Bytes of an open file, from `offset` on.
struct FilePart {
    int descriptor = -1;
    std::int64_t offset = 0;
};

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

    /// The tensor holds the bytes of the file from now on. Where pages of both line up they are one
    /// copy in host memory, shared by all who take it from there; a write makes a page this chip's
    /// own. False when the file cannot be read or is too short: the content is not defined then.
    bool take(const Operand& operand, FilePart from) const;

    /// Gives the whole pages of a tensor back to the host; its content is not defined then.
    void release(const Operand& operand) const;

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

/// Bytes of a page of host memory.
std::int64_t page_size();

/// NUMA nodes of the host (1 when unknown); chips are dealt over them.
int numa_nodes();

}  // namespace dispatch

// The live buffers of a mesh device and the allocators they come from; for the .cc files of the
// device only. One allocator per memory type serves all chips in lockstep.
// Invariant: every live buffer holds exactly one block of its allocator; ids and sequence numbers
// rise with every allocation and are never used twice. Addresses and sizes are per bank.
// Rules: tenstorrent/tt-metal tt_metal/impl/allocator, tt_metal/distributed/mesh_trace.cpp
// @79925a3f.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "dispatch/mesh_device.h"

namespace dispatch {

struct BufferRequest {
    std::string name;
    Owner owner = Owner::Activations;
    tensor::Spec spec;
    MemoryConfig memory;
};

/// Highest ends of DRAM blocks that came and went while a trace was captured.
struct HighWater {
    std::int64_t allocation = 0;
    std::int64_t deletion = 0;
};

class BufferTable {
public:
    using Result = std::variant<DeviceBuffer, mesh::Failure>;

    BufferTable(const mesh::ChipSpec& chip, const DeviceOptions& options,
                std::vector<Reader*>& readers);

    /// A sharded L1 tensor with more shards than banks is an Error with the real text.
    Result allocate(BufferRequest request, mesh::Direction direction);
    Result allocate(BufferRequest request);
    Result allocate_in(mesh::BankAllocator& home, BufferRequest request);
    /// An unknown buffer is ignored, as the real allocator does.
    void free(BufferId id);

    mesh::BankAllocator& allocator(mesh::BufferType type);
    const mesh::BankAllocator& allocator(mesh::BufferType type) const;
    const DeviceMemory& memory() const { return memory_; }

    std::vector<DeviceBuffer> live() const;
    bool is_live(BufferId id) const { return live_.contains(id); }
    /// Live buffers with a sequence number above `sequence`, in order of allocation.
    std::vector<DeviceBuffer> allocated_after(std::int64_t sequence) const;
    std::int64_t sequence() const { return next_id_; }

    void start_high_water() { high_water_ = HighWater{}, tracking_ = true; }
    HighWater stop_high_water() { return tracking_ = false, high_water_; }

private:
    struct Live {
        DeviceBuffer buffer;
        mesh::BankAllocator* home = nullptr;
    };

    Result place(mesh::BankAllocator& home, mesh::Direction direction, BufferRequest request);

    DeviceMemory memory_;
    std::array<mesh::BankAllocator, 4> allocators_;  // by BufferType
    std::vector<Reader*>& readers_;
    std::map<BufferId, Live> live_;
    std::int32_t next_id_ = 0;
    bool tracking_ = false;
    HighWater high_water_;
};

}  // namespace dispatch

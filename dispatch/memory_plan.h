// The memory's reading of a program: every buffer at its address, peaks by owner, what fails.
// One free list per memory type serves all banks and chips (lockstep), so one plan holds for the
// mesh. All per-bank numbers come from mesh::BankAllocator; whole-chip numbers are per bank x
// banks.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dispatch/mesh_device.h"
#include "dispatch/program.h"
#include "mesh/bank_allocator.h"

namespace dispatch {

/// Address of every buffer instance the plan placed, in order of allocation.
struct Placed {
    std::string name;
    Owner owner = Owner::Activations;
    mesh::BufferType type = mesh::BufferType::Dram;
    std::int64_t address = 0;
    core::Bytes per_bank;
    bool operator==(const Placed&) const = default;
};

struct MemoryUse {
    std::int32_t banks = 0;
    core::Bytes capacity;               // allocatable bytes of the chip (all banks)
    core::Bytes trace_region;           // taken from every bank for traces
    std::map<Owner, core::Bytes> live;  // after the program: what stays
    core::Bytes peak;                   // largest sum of allocated bytes while the program runs
    core::Bytes activation_peak;        // peak less what stays
    core::Bytes free;                   // at the peak
    core::Bytes largest_free_block;     // of one bank, at the end
};

struct L1Use {
    core::Bytes capacity;               // per core
    core::Bytes buffers_peak;           // per core
    core::Bytes circular_buffers_peak;  // widest program, per core
    std::string widest_program;
};

struct MemoryPlan {
    MemoryUse dram;
    L1Use l1;
    std::vector<Placed> placed;
    std::optional<mesh::Failure> failure;  // first allocation that did not fit
    std::string failed_buffer;
    std::optional<std::string> clash;  // circular buffers against L1
    bool fits() const { return !failure && !clash; }
};

/// Plans programs that share their persistent buffers (by name): persistent ones of all programs
/// first, in order, then each program's commands once. It is a session on a device without values
/// or time, so there is no second formula: the allocator that plans is the one that runs.
MemoryPlan plan_memory(std::span<const std::shared_ptr<const Program>> programs,
                       const fabric::Mesh& mesh, const DeviceOptions& options);

}  // namespace dispatch

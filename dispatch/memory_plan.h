// The memory's reading of programs: every buffer at its address, peaks by owner, who holds the
// space, what fails. One free list per memory type serves all banks and chips (lockstep), so one
// plan holds for the mesh. All per-bank numbers come from mesh::BankAllocator; whole-chip numbers
// are per bank x banks. Everything is recorded while a session walks; nothing is computed again.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dispatch/mesh_device.h"
#include "dispatch/program.h"
#include "dispatch/session.h"
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

/// Free bytes of a bank in one piece and in all: what an allocation sees.
struct FreeSpace {
    core::Bytes free;
    core::Bytes largest_block;
    bool operator==(const FreeSpace&) const = default;
};

struct MemoryUse {
    std::int32_t banks = 0;
    core::Bytes capacity;               // allocatable bytes of the chip (all banks)
    core::Bytes unreserved_base;        // of every bank: what the firmware keeps below the buffers
    core::Bytes trace_region;           // taken from every bank for traces
    std::map<Owner, core::Bytes> live;  // after the program: what stays
    std::map<Owner, core::Bytes> held;  // who holds the space when it fails, or at the peak
    core::Bytes peak;                   // largest sum of allocated bytes while the program runs
    core::Bytes activation_peak;        // peak less what stays
    core::Bytes free;                   // at the peak
    core::Bytes largest_free_block;     // of one bank, at the end
    FreeSpace at_peak;                  // of one bank; when it fails: at that moment
};

struct L1Use {
    core::Bytes capacity;               // per core
    core::Bytes unreserved_base;        // firmware, kernel config ring, mailboxes
    core::Bytes worker_l1_size;         // above it: circular buffers, buffers and L1_SMALL
    core::Bytes l1_small_size;          // at the top
    core::Bytes buffers_peak;           // per core
    std::map<Owner, core::Bytes> held;  // per core, when it fails, or at the peak
    core::Bytes circular_buffers_peak;  // widest program, per core
    std::string widest_program;
    std::vector<CircularBuffer> widest_circular_buffers;
    core::Bytes headroom;          // least room between circular buffers and L1 buffers
    std::string tightest_program;  // where that was
};

/// What one program needs while it runs, beside what stays.
struct ProgramUse {
    std::string name;              // "decode", "prefill_4096"
    core::Bytes dram_peak;         // of the chip, with everything that stays
    core::Bytes dram_activations;  // peak less what lived when it began
    core::Bytes l1_peak;           // per core
    core::Bytes circular_buffers_peak;
    std::string widest_program;
    bool operator==(const ProgramUse&) const = default;
};

/// A persistent buffer, with all its instances: "layers.0-30.attention.wqkv" is 31.
struct Holding {
    std::string name;
    Owner owner = Owner::Weights;
    mesh::BufferType type = mesh::BufferType::Dram;
    tensor::Shape shape;  // one chip's part
    tensor::DType dtype = tensor::DType::BFloat16;
    std::int64_t instances = 1;
    core::Bytes per_bank;  // of one instance
    core::Bytes total;     // of the chip, all instances
};

struct MemoryPlan {
    MemoryUse dram;
    L1Use l1;
    std::vector<Placed> placed;            // Detail::Addresses only
    std::vector<ProgramUse> programs;      // Detail::Report on; those that began to run
    std::vector<Holding> holdings;         // Detail::Report on; largest total first
    std::optional<mesh::Failure> failure;  // first allocation that did not fit
    std::string failed_buffer;
    std::optional<std::string> clash;  // circular buffers against L1
    bool fits() const { return !failure && !clash; }
};

/// Verdict: does it fit and what is free. Report: also by program and by buffer. Addresses: also
/// where everything is.
enum class Detail { Verdict, Report, Addresses };

/// Plans programs that share their persistent buffers (by name), one call at a time. It is a
/// session on a device without values or time, so there is no second formula: the allocator that
/// plans is the one that runs.
class MemoryPlanner {
public:
    MemoryPlanner(const fabric::Mesh& mesh, const DeviceOptions& options,
                  Detail detail = Detail::Addresses, Rounds rounds = Rounds::Folded);
    ~MemoryPlanner();
    MemoryPlanner(const MemoryPlanner&) = delete;
    MemoryPlanner& operator=(const MemoryPlanner&) = delete;

    /// Persistent buffers of a program. False when something does not fit, as for `run`; nothing
    /// is planned after that.
    bool place(const std::shared_ptr<const Program>& program);
    /// A placed program's commands, once.
    bool run(const std::shared_ptr<const Program>& program);
    /// What was planned so far.
    MemoryPlan plan() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// All of `programs`: persistent buffers of all first, in order, then each one's commands once.
MemoryPlan plan_memory(std::span<const std::shared_ptr<const Program>> programs,
                       const fabric::Mesh& mesh, const DeviceOptions& options,
                       Detail detail = Detail::Addresses, Rounds rounds = Rounds::Folded);

}  // namespace dispatch

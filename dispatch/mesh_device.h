// A mesh opened as one device: one allocator in lockstep for all chips, one or two command queues,
// traces, program cache, sub-devices. It knows addresses and rules, not values and not time: those
// are its readers'. Misuse throws core::Error with the text the real stack prints (TT_FATAL). Rules
// and texts: tenstorrent/tt-metal, tree of 2026-05-23 (release option for later ones).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "dispatch/reader.h"
#include "dispatch/release.h"
#include "fabric/mesh.h"
#include "mesh/bank_allocator.h"
#include "mesh/trace_region.h"

namespace dispatch {

struct DeviceOptions {
    Release release = Release::R2026_05;
    core::Bytes trace_region_size{};  // 0: dynamic trace buffers
    mesh::TraceEra trace_era = mesh::TraceEra::A;
    core::Bytes l1_small_size{};
    core::Bytes worker_l1_size{};  // 0: computed from the chip
    mesh::DispatchCore dispatch_core = mesh::DispatchCore::Worker;
    mesh::DispatchAxis dispatch_axis = mesh::DispatchAxis::Row;
    std::int32_t queues = 1;  // 1 or 2
};

/// Bank configurations of a chip under these options: the memory plan and the device share them.
struct DeviceMemory {
    mesh::BankConfig dram;
    mesh::BankConfig l1;
    mesh::BankConfig l1_small;
    mesh::BankConfig trace;
    mesh::Grid worker_grid;
};
DeviceMemory device_memory(const mesh::ChipSpec& chip, const DeviceOptions& options);

/// A set of cores with its own completion tracking.
struct SubDevice {
    std::string name;
    mesh::Grid grid;
    core::Bytes local_l1;  // carved from the bottom of the L1 range
};
using SubDeviceManagerId = core::Id<struct SubDeviceManagerTag>;

enum class Blocking { No, Yes };

class MeshDevice {
public:
    MeshDevice(std::int32_t id, const fabric::Mesh& mesh, DeviceOptions options);
    ~MeshDevice();
    MeshDevice(const MeshDevice&) = delete;
    MeshDevice& operator=(const MeshDevice&) = delete;

    const fabric::Mesh& mesh() const;
    const DeviceOptions& options() const;
    /// Readers get every command in this order: all readers of command n before command n + 1.
    void attach(Reader& reader);

    // --- memory ---
    std::variant<DeviceBuffer, mesh::Failure> allocate(std::string name, Owner owner,
                                                       const tensor::Spec& spec,
                                                       const MemoryConfig& memory);
    /// An L1 buffer in the local memory of a sub-device of the loaded manager.
    std::variant<DeviceBuffer, mesh::Failure> allocate_local(std::string name, Owner owner,
                                                             const tensor::Spec& spec,
                                                             const MemoryConfig& memory,
                                                             SubDeviceId sub_device);
    void free(const DeviceBuffer& buffer);
    const mesh::BankAllocator& allocator(mesh::BufferType type) const;
    std::vector<DeviceBuffer> live_buffers() const;

    // --- queues ---
    /// Enqueues an op or a collective. During a capture on this queue it is recorded, not run; its
    /// program must be in the program cache then.
    void enqueue(Enqueued enqueued, const ChipBindings& bindings, QueueId queue,
                 Blocking blocking = Blocking::No);
    void enqueue_write(const Operand& to, HostData data, QueueId queue);
    /// Blocking: the data is there on return. Throws when the queue can never get there (hang
    /// text). Only `chips` (row-major) are read when it is not empty: replicated values need one of
    /// each.
    HostData enqueue_read(const Operand& from, QueueId queue,
                          std::span<const std::int32_t> chips = {});
    EventId record_event(QueueId queue);
    /// An event that was not recorded yet stalls the queue; later commands wait with it.
    void wait_event(EventId event, QueueId queue);
    /// An id that may be waited for before anybody records it (record_event_as).
    EventId new_event();
    void record_event_as(EventId event, QueueId queue);
    /// True when nothing of the queue waits for an event that was never recorded.
    bool drained(QueueId queue) const;
    void finish(QueueId queue);

    // --- traces ---
    TraceId begin_trace_capture(QueueId queue);
    void end_trace_capture(QueueId queue, TraceId trace);
    /// The trace's commands with the bindings of this replay.
    void execute_trace(TraceId trace, const ChipBindings& bindings, QueueId queue,
                       Blocking blocking = Blocking::No);
    void release_trace(TraceId trace);
    core::Bytes trace_buffers_size() const;
    /// Live buffers that a replay of `trace` may overwrite: allocated after its capture and still
    /// alive. Program binaries count unless left out.
    enum class Binaries { Count, Skip };
    std::vector<std::string> unsafe_buffers(TraceId trace,
                                            Binaries binaries = Binaries::Count) const;
    /// The warning the real allocator prints once; empty when no trace is alive.
    const std::vector<std::string>& warnings() const;

    // --- program cache ---
    /// A program is known by its op's attributes, specs and memory configs, not by its layer.
    bool is_cached(const Program& program, const Command& command) const;
    std::int64_t cached_programs() const;

    // --- sub-devices ---
    SubDeviceManagerId create_sub_device_manager(std::vector<SubDevice> sub_devices);
    void load_sub_device_manager(SubDeviceManagerId manager);
    void clear_loaded_sub_device_manager();
    /// Reads, writes and events wait for these only; default: all.
    void set_sub_device_stall_group(std::vector<SubDeviceId> group);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace dispatch

// What a mesh device does with the commands of its queues: it hands them, with addresses and in
// an order that events allow, to readers. The executor makes values of them, the simulator times.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "dispatch/program.h"
#include "mesh/bank_allocator.h"

namespace dispatch {

using EventId = core::Id<struct EventTag>;
using TraceId = core::Id<struct TraceTag>;

/// A tensor at its address, the same on every chip.
struct Operand {
    tensor::Spec spec;
    MemoryConfig memory;
    std::int64_t address = 0;  // per bank
};

using BufferId = core::Id<struct BufferTag>;

struct DeviceBuffer {
    BufferId id;
    std::string name;
    Owner owner = Owner::Activations;
    Operand operand;
    core::Bytes per_bank;  // as charged
};

/// A buffer that the device itself needs (program binaries, a trace) did not fit: the failure, as
/// an error of the call that needed it, because the call has no answer to give.
struct OutOfMemory : core::Error {
    explicit OutOfMemory(mesh::Failure what) : core::Error(what.text), failure(std::move(what)) {}
    mesh::Failure failure;
};

/// Values a step brings along, one entry per chip of the mesh (row-major).
using ChipBindings = std::vector<tensor::Bindings>;

/// A command with its operands' addresses. `program` keeps the command alive.
struct Enqueued {
    std::shared_ptr<const Program> program;
    const Command* command = nullptr;
    std::int32_t layer = 0;
    std::vector<Operand> inputs;
    std::vector<Operand> outputs;
    std::vector<Operand> staging;  // collectives: none or one
};

/// Eager commands cost the host an enqueue each; replayed ones came with one replay command.
enum class Origin { Eager, Replay };

/// Host bytes per chip (row-major), packed as the operand's spec says.
using HostData = std::vector<std::vector<std::byte>>;

class Reader {
public:
    virtual ~Reader() = default;
    /// An op or a collective on a queue. `bindings` is what the step knows.
    virtual void run(const Enqueued& enqueued, const ChipBindings& bindings, QueueId queue,
                     Origin origin) = 0;
    virtual void write(const Operand& to, const HostData& data, QueueId queue) = 0;
    /// Fills `data` (one vector per chip of the mesh) for the chips named; the simulator leaves it
    /// alone.
    virtual void read(const Operand& from, std::span<const std::int32_t> chips, HostData& data,
                      QueueId queue) = 0;
    virtual void record_event(EventId event, QueueId queue) = 0;
    virtual void wait_event(EventId event, QueueId queue) = 0;
    /// The host's one command per replay, before the trace's commands are run.
    virtual void replay(TraceId trace, std::int64_t commands, QueueId queue) = 0;
    /// The host waits until the queue has done everything.
    virtual void finish(QueueId queue) = 0;
    /// A buffer came to life at its address (content not defined), or died. The executor keeps its
    /// own books of live bytes by these.
    virtual void allocated(const DeviceBuffer& buffer) = 0;
    virtual void freed(const DeviceBuffer& buffer) = 0;
    /// Writes, reads and events wait for these sub-devices from here on; for all until told.
    virtual void set_stall_group(std::span<const SubDeviceId>) {}
    /// The queue can never go on; nothing of it follows.
    virtual void stuck(QueueId, std::string_view /*waits_for*/) {}
};

}  // namespace dispatch

#include "dispatch/mesh_device.h"

#include <numeric>
#include <utility>

#include "core/error.h"
#include "dispatch/buffer_table.h"
#include "dispatch/command_queue.h"
#include "dispatch/program_cache.h"
#include "dispatch/sub_device.h"
#include "dispatch/trace.h"

namespace dispatch {
namespace {

constexpr const char* kNoEvents = "Event Synchronization is not supported during trace capture.";
constexpr const char* kNoReads = "Reads are not supported during trace capture.";
constexpr const char* kNoBlocking = "Blocking is not supported when recording a trace.";

std::string no_writes(TraceId trace) {
    return "Writes are not supported during trace capture. trace id: " +
           std::to_string(trace.value);
}

const char* unsafe_text(Release release) {
    if (release == Release::R2026_09) {
        return "Allocating device buffers is potentially unsafe due to the existence of an active "
               "trace. These buffers may be corrupted once a trace is executed.";
    }
    return "Allocating device buffers is unsafe due to the existence of an active trace. "
           "These buffers may be corrupted once a trace is executed.";
}

}  // namespace

struct MeshDevice::State {
    State(std::int32_t id, const fabric::Mesh& on, DeviceOptions with)
        : mesh(on),
          options(with),
          buffers(on.system.chip, options, readers),
          sub_devices(buffers),
          programs(buffers, options.release),
          traces(id, options, buffers),
          queues(options.queues, readers) {}

    std::size_t chips() const { return static_cast<std::size_t>(mesh.chip_count()); }

    void warn_if_unsafe() {
        if (traces.allocations_unsafe() && warnings.empty()) {
            warnings.emplace_back(unsafe_text(options.release));
        }
    }

    void refuse_events(QueueId queue) const {
        queues.check(queue);
        if (traces.capturing(queue)) throw core::Error(kNoEvents);
    }

    void check(const Enqueued& enqueued, const ChipBindings& bindings) const {
        core::require(enqueued.command != nullptr, "an enqueued command exists");
        sub_devices.check(enqueued.command->sub_device);
        if (bindings.size() != chips()) {
            throw core::Error::mismatch(enqueued.command->label, "bindings",
                                        std::to_string(chips()) + ", one per chip",
                                        std::to_string(bindings.size()));
        }
        for (const std::int32_t chip : enqueued.command->chips) {
            if (chip >= 0 && chip < mesh.chip_count()) continue;
            throw core::Error::mismatch(enqueued.command->label, "chips",
                                        "0 to " + std::to_string(chips() - 1),
                                        std::to_string(chip));
        }
    }

    fabric::Mesh mesh;
    DeviceOptions options;
    std::vector<Reader*> readers;
    BufferTable buffers;
    SubDevices sub_devices;
    ProgramCache programs;
    Traces traces;
    CommandQueues queues;
    std::vector<std::string> warnings;
};

MeshDevice::MeshDevice(std::int32_t id, const fabric::Mesh& mesh, DeviceOptions options)
    : state_(std::make_unique<State>(id, mesh, options)) {}

MeshDevice::~MeshDevice() = default;

const fabric::Mesh& MeshDevice::mesh() const { return state_->mesh; }

const DeviceOptions& MeshDevice::options() const { return state_->options; }

void MeshDevice::attach(Reader& reader) { state_->readers.push_back(&reader); }

// --- memory ---

std::variant<DeviceBuffer, mesh::Failure> MeshDevice::allocate(std::string name, Owner owner,
                                                               const tensor::Spec& spec,
                                                               const MemoryConfig& memory) {
    state_->warn_if_unsafe();
    return state_->buffers.allocate({std::move(name), owner, spec, memory});
}

std::variant<DeviceBuffer, mesh::Failure> MeshDevice::allocate_local(std::string name, Owner owner,
                                                                     const tensor::Spec& spec,
                                                                     const MemoryConfig& memory,
                                                                     SubDeviceId sub_device) {
    if (memory.type != mesh::BufferType::L1) {
        throw core::Error::mismatch(name, "memory", "L1 (sub-devices have no other local memory)",
                                    mesh::to_text(memory.type));
    }
    mesh::BankAllocator& local = state_->sub_devices.local(sub_device);
    state_->warn_if_unsafe();
    return state_->buffers.allocate_in(local, {std::move(name), owner, spec, memory});
}

void MeshDevice::free(const DeviceBuffer& buffer) { state_->buffers.free(buffer.id); }

const mesh::BankAllocator& MeshDevice::allocator(mesh::BufferType type) const {
    return std::as_const(state_->buffers).allocator(type);
}

std::vector<DeviceBuffer> MeshDevice::live_buffers() const { return state_->buffers.live(); }

// --- queues ---

void MeshDevice::enqueue(Enqueued enqueued, const ChipBindings& bindings, QueueId queue,
                         Blocking blocking) {
    State& state = *state_;
    state.queues.check(queue);
    state.check(enqueued, bindings);
    const std::optional<TraceId> capturing = state.traces.capturing(queue);
    const std::int64_t programs = state.programs.size();
    state.programs.ensure(enqueued, capturing);
    if (state.programs.size() != programs) state.warn_if_unsafe();
    if (capturing) {
        if (blocking == Blocking::Yes) throw core::Error(kNoBlocking);
        state.traces.append(queue, std::move(enqueued));
        return;
    }
    state.queues.run(std::move(enqueued), bindings, queue);
    if (blocking == Blocking::Yes) state.queues.finish(queue);
}

void MeshDevice::enqueue_write(const Operand& to, HostData data, QueueId queue) {
    state_->queues.check(queue);
    if (const auto trace = state_->traces.capturing(queue)) throw core::Error(no_writes(*trace));
    state_->queues.write(to, std::move(data), queue);
}

HostData MeshDevice::enqueue_read(const Operand& from, QueueId queue,
                                  std::span<const std::int32_t> chips) {
    state_->queues.check(queue);
    if (state_->traces.capturing(queue)) throw core::Error(kNoReads);
    if (!chips.empty()) return state_->queues.read(from, chips, state_->chips(), queue);
    std::vector<std::int32_t> all(state_->chips());
    std::iota(all.begin(), all.end(), 0);
    return state_->queues.read(from, all, all.size(), queue);
}

EventId MeshDevice::record_event(QueueId queue) {
    state_->refuse_events(queue);
    const EventId event = state_->queues.new_event();
    state_->queues.record(event, queue);
    return event;
}

void MeshDevice::wait_event(EventId event, QueueId queue) {
    state_->refuse_events(queue);
    state_->queues.wait(event, queue);
}

EventId MeshDevice::new_event() { return state_->queues.new_event(); }

void MeshDevice::record_event_as(EventId event, QueueId queue) {
    state_->refuse_events(queue);
    state_->queues.record(event, queue);
}

bool MeshDevice::drained(QueueId queue) const { return state_->queues.drained(queue); }

void MeshDevice::finish(QueueId queue) {
    state_->refuse_events(queue);
    state_->queues.finish(queue);
}

// --- traces ---

TraceId MeshDevice::begin_trace_capture(QueueId queue) {
    state_->queues.check(queue);
    return state_->traces.begin(queue, state_->sub_devices.active());
}

void MeshDevice::end_trace_capture(QueueId queue, TraceId trace) {
    state_->queues.check(queue);
    state_->traces.end(queue, trace, state_->sub_devices.active());
}

void MeshDevice::execute_trace(TraceId trace, const ChipBindings& bindings, QueueId queue,
                               Blocking blocking) {
    State& state = *state_;
    state.queues.check(queue);
    auto body = state.traces.executable(trace, state.sub_devices.active());
    if (const auto capturing = state.traces.capturing(queue)) {
        throw core::Error::mismatch("execute_trace", "queue " + std::to_string(queue.value),
                                    "a queue that captures no trace",
                                    "a capture of trace " + std::to_string(capturing->value));
    }
    core::require(bindings.size() == state.chips(), "a replay has bindings for every chip");
    state.queues.replay(std::move(body), bindings, queue);
    if (blocking == Blocking::Yes) state.queues.finish(queue);
}

void MeshDevice::release_trace(TraceId trace) {
    state_->traces.release(trace, state_->sub_devices.active());
}

core::Bytes MeshDevice::trace_buffers_size() const { return state_->traces.buffers_size(); }

std::vector<std::string> MeshDevice::unsafe_buffers(TraceId trace, Binaries binaries) const {
    std::vector<std::string> names;
    const std::int64_t captured_at = state_->traces.captured_at(trace);
    for (const DeviceBuffer& buffer : state_->buffers.allocated_after(captured_at)) {
        if (buffer.owner == Owner::Trace) continue;
        if (buffer.owner == Owner::Binaries && binaries == Binaries::Skip) continue;
        names.push_back(buffer.name);
    }
    return names;
}

const std::vector<std::string>& MeshDevice::warnings() const { return state_->warnings; }

// --- program cache ---

bool MeshDevice::is_cached(const Program& program, const Command& command) const {
    return state_->programs.contains(program, command);
}

std::int64_t MeshDevice::cached_programs() const { return state_->programs.size(); }

// --- sub-devices ---

SubDeviceManagerId MeshDevice::create_sub_device_manager(std::vector<SubDevice> sub_devices) {
    return state_->sub_devices.create(std::move(sub_devices));
}

void MeshDevice::load_sub_device_manager(SubDeviceManagerId manager) {
    State& state = *state_;
    if (state.sub_devices.active() == manager) return;
    if (state.traces.any_capture()) throw core::Error(kNoEvents);
    state.sub_devices.check_may_leave();
    state.sub_devices.check_known(manager);
    state.queues.wait_for_all_programs();
    state.sub_devices.load(manager);
    state.queues.set_stall_group(state.sub_devices.stall_group());
}

void MeshDevice::clear_loaded_sub_device_manager() {
    load_sub_device_manager(SubDeviceManagerId{0});
}

void MeshDevice::set_sub_device_stall_group(std::vector<SubDeviceId> group) {
    state_->sub_devices.set_stall_group(std::move(group));
    state_->queues.set_stall_group(state_->sub_devices.stall_group());
}

}  // namespace dispatch

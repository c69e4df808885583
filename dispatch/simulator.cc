#include "dispatch/simulator.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/error.h"
#include "dispatch/command_queue.h"
#include "dispatch/simulator_state.h"

namespace dispatch {
namespace {

// Events older than this many others are taken as passed.
constexpr std::size_t kMostEvents = 1 << 14;

std::string_view label_of(const Enqueued& enqueued) { return enqueued.command->label; }

// A tile, or a row of a row-major tensor.
core::Bytes page_of(const tensor::Spec& spec) {
    if (spec.layout == tensor::Layout::Tile) return tensor::tile_bytes(spec.dtype);
    const std::int64_t rows = spec.shape.elements() / std::max<std::int64_t>(spec.shape[-1], 1);
    return {std::max<std::int64_t>(spec.bytes().value / std::max<std::int64_t>(rows, 1), 1)};
}

// Chips that no wiring names as attached to the host's PCIe are behind ethernet; where none is
// named, all are attached.
std::vector<Reach> reaches(const fabric::Mesh& mesh) {
    const std::vector<fabric::ChipId>& attached = mesh.system.mmio_chips;
    std::vector<Reach> found;
    for (std::size_t at = 0; at < static_cast<std::size_t>(mesh.chip_count()); ++at) {
        const bool local = attached.empty() || at >= mesh.chips.size() ||
                           std::ranges::find(attached, mesh.chips[at]) != attached.end();
        found.push_back(local ? Reach::Local : Reach::Remote);
    }
    return found;
}

}  // namespace

Simulator::State::State(const fabric::Mesh& on, SimulatorOptions with)
    : mesh(on),
      options(with),
      chip(mesh.system.chip),
      op_times(chip, with.launch.release == Release::R2025 ? MatmulTuning::Model
                                                           : MatmulTuning::NewerModel),
      collectives(mesh),
      last_end(static_cast<std::size_t>(mesh.chip_count()) * kMaxSubDevices),
      rings(last_end.size()),
      last_spans(static_cast<std::size_t>(mesh.chip_count())),
      all_chips(static_cast<std::size_t>(mesh.chip_count())),
      spans(all_chips.size()),
      ready(all_chips.size()) {
    streams.assign(all_chips.size(), PrefetchClock(chip.dram.sharded));
    stream_waits.resize(all_chips.size());
    std::iota(all_chips.begin(), all_chips.end(), 0);
    for (std::size_t i = 0; i < kMaxSubDevices; ++i) {
        stall_group.push_back({static_cast<std::int32_t>(i)});
    }
    for (Queue& queue : queues) {
        queue.issued.resize(all_chips.size());
        queue.front.resize(all_chips.size());
        queue.programs.resize(last_end.size());
        queue.dispatched.resize(all_chips.size());
    }
    reach = reaches(mesh);
}

Simulator::State::Queue& Simulator::State::queue(QueueId id) {
    core::require(id.value == 0 || id.value == 1, "a device has at most two queues");
    return queues[static_cast<std::size_t>(id.value)];
}

void Simulator::State::charge_host(QueueId id) {
    Queue& state = queue(id);
    while (state.in_flight.size() >= options.prefetch_entries) {
        host = std::max(host, state.in_flight.front());
        state.in_flight.pop_front();
    }
    const bool python = options.host == SimulatorOptions::Host::Python && chip.kernels;
    // Chip after chip, as a replay: op_call was measured with one.
    const core::Picoseconds others =
        chip.launch.host_replay * (static_cast<std::int64_t>(all_chips.size()) - 1);
    host = after(host, python ? chip.kernels->launch.op_call + others : chip.launch.host_enqueue);
    std::ranges::fill(state.issued, host);
}

void Simulator::State::note_in_flight(QueueId id) {
    Queue& state = queue(id);
    const bool waits = state.waits_for || state.stuck;
    state.in_flight.push_back(waits ? kNeverTime : *std::ranges::max_element(state.dispatched));
}

core::SimTime Simulator::State::ring_room(std::size_t index, core::Bytes size) {
    core::SimTime room{};
    const core::Bytes ring = chip.kernels ? chip.kernels->launch.config_ring : core::Bytes{};
    if (size.value == 0 || ring.value == 0) return room;
    std::deque<Held>& held = rings[index];
    core::Bytes used = size;
    for (const Held& program : held) used += program.size;
    while (!held.empty() && used > ring) {
        room = std::max(room, after(held.front().end, chip.launch.traced_gap));
        used -= held.front().size;
        held.pop_front();
    }
    return room;
}

core::SimTime Simulator::State::start_of_program(QueueId id, std::int32_t at,
                                                 SubDeviceId sub_device) {
    Queue& state = queue(id);
    if (state.waits_for || state.stuck) return kNeverTime;
    const auto index = static_cast<std::size_t>(at);
    core::SimTime& dispatched = state.dispatched[index];
    dispatched = std::max({dispatched, state.issued[index], state.front[index],
                           ring_room(slot(at, sub_device), launch.ring)});
    dispatched = after(dispatched, launch.dispatch);
    const std::optional<core::SimTime>& last = last_end[slot(at, sub_device)];
    const core::SimTime free = last ? after(*last, chip.launch.traced_gap) : dispatched;
    return after(std::max(dispatched, free), launch.load);
}

core::SimTime Simulator::State::settled(QueueId id, std::int32_t at) {
    const Queue& state = queue(id);
    if (state.waits_for || state.stuck) return kNeverTime;
    core::SimTime done = state.front[static_cast<std::size_t>(at)];
    for (const SubDeviceId sub_device : stall_group) {
        done = std::max(done, state.programs[slot(at, sub_device)]);
    }
    return done;
}

core::SimTime Simulator::State::settled(QueueId id) {
    core::SimTime done{};
    for (const std::int32_t at : all_chips) done = std::max(done, settled(id, at));
    return done;
}

void Simulator::State::run_op(const Enqueued& enqueued, const ChipBindings& bindings, QueueId id) {
    const Command& command = *enqueued.command;
    if (command.completion == Command::Completion::Streams) return begin_stream(enqueued, id);
    const std::span<const OpTime> times = op_times.of(enqueued, bindings);
    const bool persistent = command.completion == Command::Completion::Persistent;
    const auto& chips = command.chips.empty() ? all_chips : command.chips;
    for (const std::int32_t at : chips) {
        const bool part = continues(command);
        const core::SimTime start = part ? last_spans[static_cast<std::size_t>(at)].end
                                         : start_of_program(id, at, command.sub_device);
        const OpTime& time = times[static_cast<std::size_t>(at)];
        const core::Picoseconds takes = part ? continued(command, time, at) : time.total();
        Span span{start, persistent ? kNeverTime : after(start, takes)};
        const core::Picoseconds waited = feed(command, time, at, span);
        note_program(enqueued, id, at, span, time);
        core::Picoseconds& waits_here = stream_waits[static_cast<std::size_t>(at)];
        waits_here += waited;
        stream_times.waited = std::max(stream_times.waited, waits_here);
        if (at != 0) continue;
        if (waited.count() > 0) by_bound["prefetcher"] += waited;
        note_kind(std::string(tensor::name(std::get<OpCommand>(command.body).op)), time.bound(),
                  span, waited);
    }
}

bool Simulator::State::continues(const Command& command) const {
    return !command.fused.program.empty() && command.fused.program == last_fused;
}

// The program runs until the last weight is taken (note_taken).
void Simulator::State::begin_stream(const Enqueued& enqueued, QueueId id) {
    const Command& command = *enqueued.command;
    const auto& op = std::get<tensor::Prefetch>(std::get<OpCommand>(command.body).op);
    streaming = {id, command.sub_device, {}, timeline.size()};
    streaming.left.assign(all_chips.size(), op.weights);
    for (const std::int32_t at : all_chips) {
        const core::SimTime start = start_of_program(id, at, command.sub_device);
        if (start != kNeverTime) streams[static_cast<std::size_t>(at)].begin(start);
        note_program(enqueued, id, at, {start, start});
    }
}

// A matmul whose weight is prefetched ends after the last of it has come; other programs take DRAM
// time from the stream.
core::Picoseconds Simulator::State::feed(const Command& command, const OpTime& time,
                                         std::int32_t at, Span& span) {
    if (span.end == kNeverTime) return {};
    PrefetchClock& stream = streams[static_cast<std::size_t>(at)];
    if (command.prefetched.weight.value == 0) {
        stream.shares(span.start, time.dram - time.alone);
        return {};
    }
    const core::Picoseconds busy = stream.busy();
    const core::SimTime come = stream.arrival(command.prefetched.weight, command.prefetched.room);
    if (at == 0) stream_times.busy += stream.busy() - busy;
    const core::SimTime end = std::max(span.end, come);
    stream.taken(end);
    note_taken(at, come);
    return end - std::exchange(span.end, end);
}

void Simulator::State::note_taken(std::int32_t at, core::SimTime come) {
    const auto index = static_cast<std::size_t>(at);
    if (streaming.left.empty() || streaming.left[index] == 0) return;
    --streaming.left[index];
    const std::size_t lane = slot(at, streaming.sub_device);
    last_end[lane] = queue(streaming.queue).programs[lane] = come;
    if (options.timeline == SimulatorOptions::Timeline::Off) return;
    TimelineEntry& entry = timeline[streaming.entry + index];
    entry.end = come;
    entry.parts.dram = streams[index].busy();
}

// Slices that landed earlier are worked on while later ones travel; the last comes after.
core::Picoseconds Simulator::State::continued(const Command& command, const OpTime& time,
                                              std::int32_t at) const {
    const core::Picoseconds work = std::max({time.compute, time.dram, time.l1}) - time.begins;
    const std::int32_t slices = command.fused.slices;
    const Span& before = last_spans[static_cast<std::size_t>(at)];
    using Runs = Command::Fused::Runs;
    if (command.fused.runs == Runs::Written) return {};
    if (command.fused.runs == Runs::Beside && before.end != kNeverTime) {
        return std::max(work - (before.end - before.start), core::Picoseconds{});
    }
    if (slices <= 1 || before.end == kNeverTime) return work;
    return std::max(work / slices, work - (before.end - before.start));
}

void Simulator::State::run_collective(const Enqueued& enqueued, QueueId id) {
    const Command& command = *enqueued.command;
    const auto& body = std::get<CollectiveCommand>(command.body);
    core::require(command.chips.empty(), "a collective runs on every chip of the mesh");
    core::SimTime earliest = kNeverTime;
    for (const std::int32_t at : all_chips) {
        Span& span = spans[static_cast<std::size_t>(at)];
        span.start = continues(command) ? last_spans[static_cast<std::size_t>(at)].end
                                        : start_of_program(id, at, command.sub_device);
        earliest = std::min(earliest, span.start);
    }
    for (std::size_t at = 0; at < spans.size(); ++at) {
        const core::SimTime start = spans[at].start;
        ready[at] = start == kNeverTime ? CollectiveClock::kNever : start - earliest;
    }
    const CollectiveClock::Timing& timing = collectives.time(body.collective, body.axis, ready);
    const core::Picoseconds floor =
        continues(command)
            ? core::Picoseconds{}
            : std::max(chip.launch.launch_floor - chip.launch.traced_gap, core::Picoseconds{});
    const bool along_axis = mesh.shape.rows > 1 && mesh.shape.cols > 1 && body.axis >= 0 &&
                            body.collective.kind == ccl::Kind::AllGather &&
                            body.collective.buffers == ccl::Buffers::Fresh && chip.kernels;
    const core::Picoseconds more =
        along_axis ? launch_release(chip, options.launch.release).axis_gather : core::Picoseconds{};
    for (const std::int32_t at : all_chips) {
        Span& span = spans[static_cast<std::size_t>(at)];
        const core::Picoseconds done = timing.done[static_cast<std::size_t>(at)];
        span.end = done == CollectiveClock::kNever
                       ? kNeverTime
                       : after(std::max(after(earliest, done), after(span.start, floor)), more);
        note_program(enqueued, id, at, span);
    }
    for (const auto& [hop, size] : timing.bytes) carried[hop] += size;
    note_kind(ccl::to_text(body.collective.kind), "fabric", spans.front());
}

void Simulator::State::note_program(const Enqueued& enqueued, QueueId id, std::int32_t at,
                                    Span span, const OpTime& parts) {
    const SubDeviceId sub_device = enqueued.command->sub_device;
    const std::size_t index = slot(at, sub_device);
    last_end[index] = span.end;
    last_spans[static_cast<std::size_t>(at)] = span;
    const bool holds_ring = chip.kernels && chip.kernels->launch.config_ring.value > 0;
    if (holds_ring && launch.ring.value > 0 && !continues(*enqueued.command)) {
        rings[index].push_back({launch.ring, span.end});
    }
    queue(id).programs[index] = span.end;
    digest_span(span);
    if (span.start == kNeverTime) {
        note_hang("sub-device " + std::to_string(sub_device.value) + " before \"" +
                  std::string(label_of(enqueued)) + "\"");
    } else if (span.end != kNeverTime && options.operation_timeout.count() > 0 &&
               span.end - span.start > options.operation_timeout) {
        note_hang("\"" + std::string(label_of(enqueued)) + "\"");
    }
    if (options.timeline == SimulatorOptions::Timeline::Off) return;
    const auto* op = std::get_if<OpCommand>(&enqueued.command->body);
    std::string kind =
        op != nullptr
            ? std::string(tensor::name(op->op))
            : ccl::to_text(std::get<CollectiveCommand>(enqueued.command->body).collective.kind);
    timeline.push_back({enqueued.command->label, std::move(kind), at, id, enqueued.layer,
                        span.start, span.end, parts});
}

void Simulator::State::note_kind(const std::string& kind, const std::string& bound, Span span,
                                 core::Picoseconds waited) {
    if (span.end == kNeverTime) return;
    by_kind[kind] += span.end - span.start;
    by_bound[bound] += span.end - span.start - waited;
}

void Simulator::State::note_hang(const std::string& waits_for) {
    if (!hang_reason) hang_reason = waits_for;
}

core::SimTime Simulator::State::transfer(QueueId id, std::int32_t at, const Operand& operand,
                                         Direction direction) {
    const auto index = static_cast<std::size_t>(at);
    core::SimTime& lane = direction == Direction::Write ? pcie_write : pcie_read;
    const HostTransfer question{.size = operand.spec.bytes(),
                                .page = page_of(operand.spec),
                                .direction = direction,
                                .reach = reach[index]};
    const core::SimTime start = std::max({queue(id).issued[index], settled(id, at), lane});
    const core::SimTime end = after(start, transfer_time(question, chip, options.launch.release));
    queue(id).front[index] = end;
    if (end != kNeverTime) lane = end;
    digest_span({start, end});
    return end;
}

void Simulator::State::digest_span(Span span) {
    digest.add(span.start.time_since_epoch().count()).add(span.end.time_since_epoch().count());
}

Simulator::Simulator(const fabric::Mesh& mesh, SimulatorOptions options)
    : state_(std::make_unique<State>(mesh, options)) {}

Simulator::~Simulator() = default;

void Simulator::run(const Enqueued& enqueued, const ChipBindings& bindings, QueueId queue,
                    Origin origin) {
    State& state = *state_;
    const SubDeviceId sub_device = enqueued.command->sub_device;
    core::require(
        sub_device.value >= 0 && static_cast<std::size_t>(sub_device.value) < kMaxSubDevices,
        "a program names a sub-device");
    core::require(bindings.size() == state.all_chips.size(), "a step has bindings for every chip");
    if (origin == Origin::Eager) state.charge_host(queue);
    state.launch = launch_cost(launch_shape(*enqueued.command),
                               origin == Origin::Eager ? Binaries::Fetched : Binaries::Cached,
                               state.chip, state.options.launch);
    ++state.commands;
    state.digest.add(label_of(enqueued));
    if (std::holds_alternative<OpCommand>(enqueued.command->body)) {
        state.run_op(enqueued, bindings, queue);
    } else {
        state.run_collective(enqueued, queue);
    }
    if (origin == Origin::Eager) state.note_in_flight(queue);
    state.last_fused = enqueued.command->fused.program;
}

void Simulator::write(const Operand& to, const HostData&, QueueId queue) {
    State& state = *state_;
    state.digest.add("write");
    for (const std::int32_t at : state.all_chips) {
        state.host = after(state.host, call_time(Direction::Write, state.chip));
        state.queue(queue).issued[static_cast<std::size_t>(at)] = state.host;
        if (state.transfer(queue, at, to, Direction::Write) == kNeverTime) {
            state.note_hang("programs of the stall group before a write");
        }
    }
}

void Simulator::read(const Operand& from, std::span<const std::int32_t> chips, HostData&,
                     QueueId queue) {
    State& state = *state_;
    state.digest.add("read");
    for (const std::int32_t at : chips) {
        state.queue(queue).issued[static_cast<std::size_t>(at)] = state.host;
        const core::SimTime end = state.transfer(queue, at, from, Direction::Read);
        if (end == kNeverTime) state.note_hang("programs of the stall group before a read");
        state.host = after(std::max(state.host, end), call_time(Direction::Read, state.chip));
    }
}

void Simulator::record_event(EventId event, QueueId queue) {
    State& state = *state_;
    core::require(event.value >= 0, "events are counted from 0");
    const auto index = static_cast<std::size_t>(event.value);
    std::vector<core::SimTime>& times = state.events[event];
    times.resize(state.all_chips.size());
    for (const std::int32_t at : state.all_chips) {
        times[static_cast<std::size_t>(at)] = std::max(state.host, state.settled(queue, at));
        if (times[static_cast<std::size_t>(at)] == kNeverTime) {
            state.note_hang("programs of the stall group before an event");
        }
    }
    if (index >= state.recorded.size()) state.recorded.resize(index + 1);
    state.recorded[index] = true;
    for (std::size_t i = 0; i < state.queues.size(); ++i) {
        if (state.queues[i].waits_for != event) continue;
        state.queues[i].waits_for.reset();
        wait_event(event, QueueId{static_cast<std::int32_t>(i)});
    }
    if (state.events.size() > kMostEvents) state.events.erase(state.events.begin());
}

void Simulator::wait_event(EventId event, QueueId queue) {
    State& state = *state_;
    const auto index = static_cast<std::size_t>(event.value);
    if (index >= state.recorded.size() || !state.recorded[index]) {
        state.queue(queue).waits_for = event;
        return;
    }
    const auto found = state.events.find(event);
    if (found == state.events.end()) return;
    std::vector<core::SimTime>& front = state.queue(queue).front;
    for (std::size_t at = 0; at < front.size(); ++at) {
        front[at] = std::max(front[at], found->second[at]);
    }
}

void Simulator::replay(TraceId, std::int64_t, QueueId queue) {
    State& state = *state_;
    for (const std::int32_t at : state.all_chips) {
        state.host = after(state.host, state.chip.launch.host_replay);
        state.queue(queue).issued[static_cast<std::size_t>(at)] = state.host;
    }
}

void Simulator::finish(QueueId queue) {
    state_->host = std::max(state_->host, state_->settled(queue));
}

void Simulator::allocated(const DeviceBuffer&) {}

void Simulator::freed(const DeviceBuffer&) {}

void Simulator::set_stall_group(std::span<const SubDeviceId> group) {
    state_->stall_group.assign(group.begin(), group.end());
}

void Simulator::stuck(QueueId queue, std::string_view waits_for) {
    state_->queue(queue).stuck = true;
    state_->note_hang(std::string(waits_for));
}

core::SimTime Simulator::host_now() const { return state_->host; }

core::SimTime Simulator::device_done() const {
    return std::max(state_->settled(QueueId{0}), state_->settled(QueueId{1}));
}

std::optional<Hang> Simulator::hang() const {
    if (state_->options.operation_timeout.count() <= 0) return std::nullopt;
    if (state_->hang_reason) return Hang{kHangText, *state_->hang_reason};
    for (const State::Queue& queue : state_->queues) {
        if (!queue.waits_for) continue;
        return Hang{kHangText,
                    "event " + std::to_string(queue.waits_for->value) + ", which nobody recorded"};
    }
    return std::nullopt;
}

const std::map<std::string, core::Picoseconds>& Simulator::time_by_kind() const {
    return state_->by_kind;
}

const std::map<std::string, core::Picoseconds>& Simulator::time_by_bound() const {
    return state_->by_bound;
}

const StreamTimes& Simulator::stream_times() const { return state_->stream_times; }

const std::map<fabric::Hop, core::Bytes>& Simulator::bytes_carried() const {
    return state_->carried;
}

const std::vector<TimelineEntry>& Simulator::timeline() const { return state_->timeline; }

std::int64_t Simulator::commands_run() const { return state_->commands; }

const core::Digest& Simulator::digest() const { return state_->digest; }

}  // namespace dispatch

#include "dispatch/command_queue.h"

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace dispatch {
namespace {

SubDeviceId sub_device_of(const Enqueued& enqueued) { return enqueued.command->sub_device; }

std::string persistent_text(SubDeviceId sub_device) {
    return "a persistent program on sub-device " + std::to_string(sub_device.value);
}

}  // namespace

CommandQueues::CommandQueues(std::int32_t queues, std::vector<Reader*>& readers)
    : readers_(readers), group_{SubDeviceId{0}}, told_group_(group_) {
    if (queues < 1 || queues > 2) {
        throw core::Error::mismatch("mesh device", "queues", "1 or 2", std::to_string(queues));
    }
    queues_.resize(static_cast<std::size_t>(queues));
}

void CommandQueues::check(QueueId queue) const {
    if (queue.value >= 0 && static_cast<std::size_t>(queue.value) < queues_.size()) return;
    throw core::Error::mismatch("mesh device", "queue",
                                "0 to " + std::to_string(queues_.size() - 1),
                                std::to_string(queue.value));
}

void CommandQueues::run(Enqueued enqueued, const ChipBindings& bindings, QueueId queue) {
    if (at(queue).blocked()) {
        hold(queue, {Run{std::move(enqueued), bindings}, group_});
        return;
    }
    do_run(enqueued, bindings, queue, Origin::Eager);
}

void CommandQueues::replay(std::shared_ptr<const TraceBody> trace, const ChipBindings& bindings,
                           QueueId queue) {
    if (at(queue).blocked()) {
        hold(queue, {Replay{std::move(trace), bindings}, group_});
        return;
    }
    do_replay(*trace, bindings, queue);
}

void CommandQueues::write(const Operand& to, HostData data, QueueId queue) {
    if (at(queue).blocked()) {
        hold(queue, {Write{to, std::move(data)}, group_});
        return;
    }
    do_write(to, data, queue, group_);
}

HostData CommandQueues::read(const Operand& from, std::span<const std::int32_t> chips,
                             std::size_t mesh_chips, QueueId queue) {
    if (at(queue).blocked()) hang(blocked_reason(queue));
    if (const std::string reason = never(queue, group_); !reason.empty()) hang(reason);
    tell_group(group_);
    HostData data(mesh_chips);
    for (Reader* reader : readers_) reader->read(from, chips, data, queue);
    return data;
}

void CommandQueues::finish(QueueId queue) {
    if (at(queue).blocked()) hang(blocked_reason(queue));
    if (const std::string reason = never(queue, group_); !reason.empty()) hang(reason);
    tell_group(group_);
    for (Reader* reader : readers_) reader->finish(queue);
}

EventId CommandQueues::new_event() {
    recorded_.push_back(false);
    return {static_cast<std::int32_t>(recorded_.size()) - 1};
}

void CommandQueues::record(EventId event, QueueId queue) {
    if (at(queue).blocked()) {
        hold(queue, {Record{event}, group_});
        return;
    }
    do_record(event, queue, group_);
}

void CommandQueues::wait(EventId event, QueueId queue) {
    if (event.value < 0 || static_cast<std::size_t>(event.value) >= recorded_.size()) {
        throw core::Error::mismatch("wait_event", "event", "an event of this device",
                                    std::to_string(event.value));
    }
    if (at(queue).blocked()) {
        hold(queue, {Wait{event}, group_});
        return;
    }
    do_wait(event, queue);
}

bool CommandQueues::drained(QueueId queue) const { return !at(queue).blocked(); }

void CommandQueues::set_stall_group(const std::vector<SubDeviceId>& group) { group_ = group; }

void CommandQueues::wait_for_all_programs() {
    for (std::size_t i = 0; i < queues_.size(); ++i) {
        const QueueId queue{static_cast<std::int32_t>(i)};
        if (at(queue).blocked()) hang(blocked_reason(queue));
        if (!at(queue).persistent.empty()) hang(persistent_text(*at(queue).persistent.begin()));
        for (Reader* reader : readers_) reader->finish(queue);
    }
}

void CommandQueues::do_run(const Enqueued& enqueued, const ChipBindings& bindings, QueueId queue,
                           Origin origin) {
    const SubDeviceId sub_device = sub_device_of(enqueued);
    for (const Queue& other : queues_) {
        if (!other.persistent.contains(sub_device)) continue;
        become_stuck(queue, persistent_text(sub_device));
        return;
    }
    for (Reader* reader : readers_) reader->run(enqueued, bindings, queue, origin);
    if (enqueued.command->completion == Command::Completion::Persistent) {
        at(queue).persistent.insert(sub_device);
    }
}

void CommandQueues::do_replay(const TraceBody& trace, const ChipBindings& bindings, QueueId queue) {
    const auto commands = static_cast<std::int64_t>(trace.commands.size());
    for (Reader* reader : readers_) reader->replay(trace.id, commands, queue);
    for (const Enqueued& enqueued : trace.commands) {
        if (at(queue).blocked()) return;
        do_run(enqueued, bindings, queue, Origin::Replay);
    }
}

void CommandQueues::do_write(const Operand& to, const HostData& data, QueueId queue,
                             const std::vector<SubDeviceId>& group) {
    if (std::string reason = never(queue, group); !reason.empty()) {
        become_stuck(queue, std::move(reason));
        return;
    }
    tell_group(group);
    for (Reader* reader : readers_) reader->write(to, data, queue);
}

void CommandQueues::do_record(EventId event, QueueId queue, const std::vector<SubDeviceId>& group) {
    if (std::string reason = never(queue, group); !reason.empty()) {
        become_stuck(queue, std::move(reason));
        return;
    }
    tell_group(group);
    for (Reader* reader : readers_) reader->record_event(event, queue);
    recorded_[static_cast<std::size_t>(event.value)] = true;
    resume(event);
}

void CommandQueues::do_wait(EventId event, QueueId queue) {
    for (Reader* reader : readers_) reader->wait_event(event, queue);
    if (!recorded_[static_cast<std::size_t>(event.value)]) at(queue).waits_for = event;
}

void CommandQueues::hold(QueueId queue, Pending pending) {
    if (at(queue).stuck.empty()) at(queue).pending.push_back(std::move(pending));
}

void CommandQueues::resume(EventId event) {
    for (std::size_t i = 0; i < queues_.size(); ++i) {
        const QueueId queue{static_cast<std::int32_t>(i)};
        if (at(queue).waits_for != event) continue;
        at(queue).waits_for.reset();
        drain(queue);
    }
}

void CommandQueues::drain(QueueId queue) {
    Queue& state = at(queue);
    while (!state.pending.empty() && !state.blocked()) {
        const Pending next = std::move(state.pending.front());
        state.pending.pop_front();
        if (const auto* run = std::get_if<Run>(&next.body)) {
            do_run(run->enqueued, run->bindings, queue, Origin::Eager);
        } else if (const auto* replay = std::get_if<Replay>(&next.body)) {
            do_replay(*replay->trace, replay->bindings, queue);
        } else if (const auto* write = std::get_if<Write>(&next.body)) {
            do_write(write->to, write->data, queue, next.stall_group);
        } else if (const auto* record = std::get_if<Record>(&next.body)) {
            do_record(record->event, queue, next.stall_group);
        } else {
            do_wait(std::get<Wait>(next.body).event, queue);
        }
    }
}

std::string CommandQueues::never(QueueId queue, const std::vector<SubDeviceId>& group) const {
    for (const SubDeviceId sub_device : group) {
        if (at(queue).persistent.contains(sub_device)) return persistent_text(sub_device);
    }
    return {};
}

void CommandQueues::become_stuck(QueueId queue, std::string reason) {
    for (Reader* reader : readers_) reader->stuck(queue, reason);
    at(queue).stuck = std::move(reason);
    at(queue).pending.clear();
}

void CommandQueues::tell_group(const std::vector<SubDeviceId>& group) {
    if (group == told_group_) return;
    told_group_ = group;
    for (Reader* reader : readers_) reader->set_stall_group(group);
}

void CommandQueues::hang(const std::string& reason) const {
    throw core::Error(kHangText).hint("it waits for " + reason);
}

std::string CommandQueues::blocked_reason(QueueId queue) const {
    const Queue& state = at(queue);
    if (!state.stuck.empty()) return state.stuck;
    return "event " + std::to_string(state.waits_for->value) + ", which nobody recorded";
}

}  // namespace dispatch

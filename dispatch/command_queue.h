// The command queues of a mesh device: first in, first out, handed to the readers in an order that
// the events allow. For the .cc files of the device only.
// Invariant: a command reaches the readers only when everything before it in its queue has, and an
// event is recorded before anything behind a wait for it runs. A queue whose head waits holds what
// comes later; the other queue goes on.
// A persistent program never completes: what would wait for it makes its queue stuck for good.
// Source: tenstorrent/tt-metal tech_reports/AdvancedPerformanceOptimizationsForModels section 2,
// tech_reports/SubDevices/SubDevices.md.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "dispatch/mesh_device.h"
#include "fabric/hang.h"

namespace dispatch {

using fabric::kHangText;  // what the real stack prints when the host gives up waiting

/// The commands of a trace, frozen with their addresses.
struct TraceBody {
    TraceId id;
    std::vector<Enqueued> commands;
};

class CommandQueues {
public:
    CommandQueues(std::int32_t queues, std::vector<Reader*>& readers);

    void check(QueueId queue) const;

    void run(Enqueued enqueued, const ChipBindings& bindings, QueueId queue);
    void replay(std::shared_ptr<const TraceBody> trace, const ChipBindings& bindings,
                QueueId queue);
    void write(const Operand& to, HostData data, QueueId queue);
    /// Throws core::Error (kHangText) when the queue can never get there.
    HostData read(const Operand& from, std::span<const std::int32_t> chips, std::size_t mesh_chips,
                  QueueId queue);
    void finish(QueueId queue);

    EventId new_event();
    void record(EventId event, QueueId queue);
    void wait(EventId event, QueueId queue);
    bool drained(QueueId queue) const;

    /// For the commands from here on.
    void set_stall_group(const std::vector<SubDeviceId>& group);
    /// Throws (kHangText) when a program of any queue can never complete.
    void wait_for_all_programs();

private:
    struct Run {
        Enqueued enqueued;
        ChipBindings bindings;
    };
    struct Replay {
        std::shared_ptr<const TraceBody> trace;
        ChipBindings bindings;
    };
    struct Write {
        Operand to;
        HostData data;
    };
    struct Record {
        EventId event;
    };
    struct Wait {
        EventId event;
    };
    struct Pending {
        std::variant<Run, Replay, Write, Record, Wait> body;
        std::vector<SubDeviceId> stall_group;
    };
    struct Queue {
        std::deque<Pending> pending;
        std::optional<EventId> waits_for;
        std::string stuck;                 // why it can never go on; empty: it can
        std::set<SubDeviceId> persistent;  // sub-devices its persistent programs keep
        bool blocked() const { return waits_for || !stuck.empty(); }
    };

    Queue& at(QueueId queue) { return queues_[static_cast<std::size_t>(queue.value)]; }
    const Queue& at(QueueId queue) const { return queues_[static_cast<std::size_t>(queue.value)]; }

    // Each hands one command to the readers; the queue may be blocked afterwards.
    void do_run(const Enqueued& enqueued, const ChipBindings& bindings, QueueId queue,
                Origin origin);
    void do_replay(const TraceBody& trace, const ChipBindings& bindings, QueueId queue);
    void do_write(const Operand& to, const HostData& data, QueueId queue,
                  const std::vector<SubDeviceId>& group);
    void do_record(EventId event, QueueId queue, const std::vector<SubDeviceId>& group);
    void do_wait(EventId event, QueueId queue);

    void hold(QueueId queue, Pending pending);
    void resume(EventId event);
    void drain(QueueId queue);
    /// Why something that waits for `group` can never run; empty when it can.
    std::string never(QueueId queue, const std::vector<SubDeviceId>& group) const;
    void become_stuck(QueueId queue, std::string reason);
    void tell_group(const std::vector<SubDeviceId>& group);
    [[noreturn]] void hang(const std::string& reason) const;
    std::string blocked_reason(QueueId queue) const;

    std::vector<Queue> queues_;
    std::vector<Reader*>& readers_;
    std::vector<SubDeviceId> group_;
    std::vector<SubDeviceId> told_group_;
    std::vector<bool> recorded_;  // by event
};

}  // namespace dispatch

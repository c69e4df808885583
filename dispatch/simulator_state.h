// What the simulator knows while it runs: clocks of the host, the queues, the chips and their
// sub-devices. For the simulator's .cc files only.
// Invariant: on one chip and sub-device programs follow each other with the device's gap between
// them; everything of one queue and chip starts in queue order. A time may be kNeverTime; what
// depends on it is never too.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "dispatch/chip_classes.h"
#include "dispatch/collective_clock.h"
#include "dispatch/host_transfer.h"
#include "dispatch/prefetch_clock.h"
#include "dispatch/simulator.h"
#include "dispatch/sub_device.h"

namespace dispatch {

inline constexpr core::SimTime kNeverTime = core::SimTime::max();

inline core::SimTime after(core::SimTime time, core::Picoseconds duration) {
    return time == kNeverTime ? kNeverTime : time + duration;
}

struct Simulator::State {
    struct Queue {
        std::vector<core::SimTime> issued;      // per chip: when the host's last command got there
        std::vector<core::SimTime> front;       // per chip: nothing of the queue starts before
        std::vector<core::SimTime> programs;    // per chip and sub-device: end of its last program
        std::vector<core::SimTime> dispatched;  // per chip: its dispatcher is free
        std::deque<core::SimTime> in_flight;    // when the prefetch queue loses each program
        std::optional<EventId> waits_for;       // not recorded yet
        bool stuck = false;
    };
    struct Span {
        core::SimTime start;
        core::SimTime end;
    };

    State(const fabric::Mesh& on, SimulatorOptions with);

    std::size_t slot(std::int32_t at, SubDeviceId sub_device) const {
        return static_cast<std::size_t>(at) * kMaxSubDevices +
               static_cast<std::size_t>(sub_device.value);
    }
    Queue& queue(QueueId id);

    /// The program that streams the weights of a step, on its own sub-device.
    struct Streaming {
        QueueId queue{0};
        SubDeviceId sub_device{0};
        std::vector<std::int64_t> left;  // weights, per chip; 0: none is launched
        std::size_t entry = 0;           // of the timeline, the first chip's
    };

    /// A program in the workers' config ring, until its kernels are done.
    struct Held {
        core::Bytes size;
        core::SimTime end;
    };

    /// Host time of one eager program for all chips; waits for room in the prefetch queue.
    void charge_host(QueueId id);
    /// Afterwards: the program just run leaves the prefetch queue when it is dispatched.
    void note_in_flight(QueueId id);
    /// Dispatches the program: when its kernels start.
    core::SimTime start_of_program(QueueId id, std::int32_t at, SubDeviceId sub_device);
    /// When the config ring of a chip and sub-device has room for `size` more.
    core::SimTime ring_room(std::size_t index, core::Bytes size);
    /// When everything the queue's writes, reads and events wait for is done on a chip.
    core::SimTime settled(QueueId id, std::int32_t at);
    core::SimTime settled(QueueId id);

    void run_op(const Enqueued& enqueued, const ChipBindings& bindings, QueueId id);
    void run_collective(const Enqueued& enqueued, QueueId id);
    /// A part of the program before it: no gap, no launch of its own.
    bool continues(const Command& command) const;
    /// What a part of a program takes behind the part before it on a chip.
    core::Picoseconds continued(const Command& command, const OpTime& time, std::int32_t at) const;
    void begin_stream(const Enqueued& enqueued, QueueId id);
    /// Lets the stream of prefetched weights have its say in when an op ends; for how long it
    /// waits.
    core::Picoseconds feed(const Command& command, const OpTime& time, std::int32_t at, Span& span);
    void note_taken(std::int32_t at, core::SimTime come);
    void note_program(const Enqueued& enqueued, QueueId id, std::int32_t at, Span span,
                      const OpTime& parts = {});
    void note_kind(const std::string& kind, const std::string& bound, Span span,
                   core::Picoseconds waited = {});
    void note_hang(const std::string& waits_for);
    /// Over PCIe, chip after chip.
    core::SimTime transfer(QueueId id, std::int32_t at, const Operand& operand,
                           Direction direction);
    void digest_span(Span span);

    fabric::Mesh mesh;
    SimulatorOptions options;
    const mesh::ChipSpec& chip;
    OpTimes op_times;
    CollectiveClock collectives;

    core::SimTime host;
    core::SimTime pcie_write;  // the lane to the chips is free
    core::SimTime pcie_read;
    std::array<Queue, 2> queues;
    std::vector<std::optional<core::SimTime>> last_end;  // per chip and sub-device
    std::vector<std::deque<Held>> rings;                 // per chip and sub-device, oldest first
    LaunchCost launch;                                   // of the program that is being run
    std::vector<Reach> reach;                            // per chip
    std::string last_fused;              // the program that the last command was a part of
    std::vector<Span> last_spans;        // of that command, per chip
    std::vector<PrefetchClock> streams;  // per chip
    Streaming streaming;
    StreamTimes stream_times;
    std::vector<core::Picoseconds> stream_waits;  // of products for a stream, per chip
    std::vector<SubDeviceId> stall_group;
    std::map<EventId, std::vector<core::SimTime>> events;  // per chip; the latest ones
    std::vector<bool> recorded;                            // by event

    std::vector<std::int32_t> all_chips;
    std::vector<Span> spans;               // scratch, per chip
    std::vector<core::Picoseconds> ready;  // scratch, per chip

    std::optional<std::string> hang_reason;
    std::map<std::string, core::Picoseconds> by_kind;
    std::map<std::string, core::Picoseconds> by_bound;
    std::map<fabric::Hop, core::Bytes> carried;
    std::vector<TimelineEntry> timeline;
    std::int64_t commands = 0;
    core::Digest digest;
};

}  // namespace dispatch

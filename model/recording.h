// What happened in named steps of a simulated run, kept for exports: commands with their operands
// and their times on every chip, what the host did, and every buffer that came and went.
// A reader that is attached after the simulator it watches, so that it finds the times there.
// Invariant: a step holds its commands in the order they were enqueued; `memory_events` of a
// command says how many of memory() had happened when it was, so replaying that many gives what
// was alive while it ran. Times are the simulator's.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dispatch/session.h"
#include "dispatch/simulator.h"

namespace model {

/// A command on one chip.
struct RecordedSpan {
    std::int32_t chip = 0;
    core::SimTime start;
    core::SimTime end;  // of a program that never ends: SimTime::max()
    dispatch::OpTime parts;
    constexpr core::Picoseconds duration() const { return end - start; }
};

struct RecordedCommand {
    dispatch::Enqueued item;
    dispatch::QueueId queue;
    dispatch::Origin origin = dispatch::Origin::Eager;
    core::SimTime issued;                                           // by the host
    std::optional<dispatch::TraceId> trace = {};                    // of a replayed command
    tensor::Work work = {};                                         // on chip 0; ops only
    std::vector<RecordedSpan> chips = {};                           // ascending
    std::vector<std::pair<fabric::Hop, core::Bytes>> carried = {};  // payload; collectives only
    std::size_t memory_events = 0;
    std::size_t timeline = 0;  // its first entry in the simulator's

    const std::string& label() const { return item.command->label; }
    /// Null for a collective.
    const dispatch::OpCommand* op() const;
    const dispatch::CollectiveCommand* collective() const;
};

struct RecordedHostCall {
    std::string name;  // "write", "enqueue attention.wqkv", "execute_trace", ...
    core::SimTime start;
    core::SimTime end;
};

struct RecordedStep {
    std::string name;
    core::SimTime start;
    core::SimTime end;
    std::size_t memory_events = 0;  // before it began
    std::vector<RecordedCommand> commands = {};
    std::vector<RecordedHostCall> host = {};  // one after another

    /// The host gave the commands one by one: buffers come and go between them.
    bool is_eager() const;
};

struct MemoryEvent {
    enum class Kind { Allocated, Freed } kind = Kind::Allocated;
    dispatch::DeviceBuffer buffer;
};

/// What did not fit, and in which step.
struct RecordedShortage {
    std::string step;  // empty: while placing what stays
    dispatch::Shortage shortage;
};

class Recording : public dispatch::Reader {
public:
    /// To be called before anything runs. The simulator keeps its timeline and is not asked any
    /// more after the last step has ended.
    void watch(const dispatch::Simulator& simulator) { simulator_ = &simulator; }
    /// Steps do not nest; what happens between them leaves its memory events only.
    void begin_step(std::string name);
    void end_step();
    void ran_short(const dispatch::Shortage& shortage);

    const std::vector<RecordedStep>& steps() const { return steps_; }
    /// The first step with this name, or null.
    const RecordedStep* find(const std::string& name) const;
    const std::vector<MemoryEvent>& memory() const { return memory_; }
    const std::optional<RecordedShortage>& shortage() const { return shortage_; }

    void run(const dispatch::Enqueued& enqueued, const dispatch::ChipBindings& bindings,
             dispatch::QueueId queue, dispatch::Origin origin) override;
    void write(const dispatch::Operand& to, const dispatch::HostData& data,
               dispatch::QueueId queue) override;
    void read(const dispatch::Operand& from, std::span<const std::int32_t> chips,
              dispatch::HostData& data, dispatch::QueueId queue) override;
    void record_event(dispatch::EventId, dispatch::QueueId) override {}
    void wait_event(dispatch::EventId, dispatch::QueueId) override {}
    void replay(dispatch::TraceId trace, std::int64_t commands, dispatch::QueueId queue) override;
    void finish(dispatch::QueueId queue) override;
    void allocated(const dispatch::DeviceBuffer& buffer) override;
    void freed(const dispatch::DeviceBuffer& buffer) override;

private:
    void take_spans(RecordedCommand& command, std::size_t first, std::size_t count) const;
    void host_call(std::string name);

    const dispatch::Simulator* simulator_ = nullptr;
    bool recording_ = false;
    std::size_t seen_ = 0;  // entries of the simulator's timeline
    std::map<fabric::Hop, core::Bytes> carried_;
    core::SimTime host_;
    std::optional<dispatch::TraceId> trace_;
    std::vector<RecordedStep> steps_;
    std::vector<MemoryEvent> memory_;
    std::optional<RecordedShortage> shortage_;
};

/// Names of the steps that model::estimate records. The warm-up is the first decode step, which is
/// not traced; without traces there is none.
inline constexpr const char* kPrefillStep = "prefill";
inline constexpr const char* kWarmUpStep = "decode, first run";
inline constexpr const char* kDecodeStep = "decode";

}  // namespace model

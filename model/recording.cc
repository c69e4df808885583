#include "model/recording.h"

#include <algorithm>

#include "core/error.h"
#include "tensor/op.h"

namespace model {

const dispatch::OpCommand* RecordedCommand::op() const {
    return std::get_if<dispatch::OpCommand>(&item.command->body);
}

const dispatch::CollectiveCommand* RecordedCommand::collective() const {
    return std::get_if<dispatch::CollectiveCommand>(&item.command->body);
}

bool RecordedStep::is_eager() const {
    return std::ranges::all_of(commands, [](const RecordedCommand& command) {
        return command.origin == dispatch::Origin::Eager;
    });
}

void Recording::begin_step(std::string name) {
    core::require(simulator_ != nullptr, "a recording watches a simulator");
    core::require(!recording_, "recorded steps do not nest");
    recording_ = true;
    seen_ = simulator_->timeline().size();
    carried_ = simulator_->bytes_carried();
    host_ = simulator_->host_now();
    steps_.push_back(
        {.name = std::move(name), .start = host_, .end = host_, .memory_events = memory_.size()});
}

void Recording::end_step() {
    core::require(recording_, "a step that ends has begun");
    recording_ = false;
    RecordedStep& step = steps_.back();
    step.end = std::max(step.end, simulator_->host_now());
    for (RecordedCommand& command : step.commands) {
        if (command.item.command->completion == dispatch::Command::Completion::Streams) {
            take_spans(command, command.timeline, command.chips.size());  // it went on
        }
        for (const RecordedSpan& span : command.chips) {
            if (span.end != core::SimTime::max()) step.end = std::max(step.end, span.end);
        }
    }
}

void Recording::take_spans(RecordedCommand& command, std::size_t first, std::size_t count) const {
    command.chips.clear();
    for (std::size_t i = first; i < first + count; ++i) {
        const dispatch::TimelineEntry& entry = simulator_->timeline()[i];
        command.chips.push_back({entry.chip, entry.start, entry.end, entry.parts});
    }
}

void Recording::ran_short(const dispatch::Shortage& shortage) {
    if (!shortage_) shortage_ = {recording_ ? steps_.back().name : std::string(), shortage};
}

const RecordedStep* Recording::find(const std::string& name) const {
    const auto found = std::ranges::find(steps_, name, &RecordedStep::name);
    return found == steps_.end() ? nullptr : &*found;
}

void Recording::run(const dispatch::Enqueued& enqueued, const dispatch::ChipBindings& bindings,
                    dispatch::QueueId queue, dispatch::Origin origin) {
    if (!recording_) return;
    if (origin == dispatch::Origin::Eager) host_call("enqueue " + enqueued.command->label);
    RecordedCommand command{.item = enqueued,
                            .queue = queue,
                            .origin = origin,
                            .issued = simulator_->host_now(),
                            .memory_events = memory_.size()};
    if (origin == dispatch::Origin::Replay) command.trace = trace_;
    if (const dispatch::OpCommand* op = command.op(); op != nullptr) {
        std::vector<tensor::Spec> specs;
        for (const dispatch::Operand& operand : enqueued.inputs) specs.push_back(operand.spec);
        command.work = tensor::work(op->op, specs, bindings.front());
    } else {
        for (const auto& [hop, size] : simulator_->bytes_carried()) {
            core::Bytes& before = carried_[hop];
            if (size > before) command.carried.emplace_back(hop, size - before);
            before = size;
        }
    }
    command.timeline = seen_;
    take_spans(command, seen_, simulator_->timeline().size() - seen_);
    seen_ = simulator_->timeline().size();
    core::require(!command.chips.empty(), "a recorded simulator keeps its timeline");
    steps_.back().commands.push_back(std::move(command));
}

void Recording::write(const dispatch::Operand&, const dispatch::HostData&, dispatch::QueueId) {
    host_call("write");
}

void Recording::read(const dispatch::Operand&, std::span<const std::int32_t>, dispatch::HostData&,
                     dispatch::QueueId) {
    host_call("read");
}

void Recording::replay(dispatch::TraceId trace, std::int64_t, dispatch::QueueId) {
    trace_ = trace;
    host_call("execute_trace");
}

void Recording::finish(dispatch::QueueId) { host_call("synchronize"); }

void Recording::allocated(const dispatch::DeviceBuffer& buffer) {
    memory_.push_back({MemoryEvent::Kind::Allocated, buffer});
}

void Recording::freed(const dispatch::DeviceBuffer& buffer) {
    memory_.push_back({MemoryEvent::Kind::Freed, buffer});
}

void Recording::host_call(std::string name) {
    if (!recording_) return;
    const core::SimTime now = simulator_->host_now();
    if (now > host_) steps_.back().host.push_back({std::move(name), host_, now});
    host_ = now;
}

}  // namespace model

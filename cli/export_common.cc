#include "cli/export_common.h"

#include <set>

#include "core/error.h"

namespace cli {
namespace {

constexpr std::int32_t kMostChips = 8;

// Device operations of tenstorrent/tt-metal ttnn/cpp/ttnn/operations/ccl and experimental/ccl, as
// tenstorrent/tt-perf-report tests/test_classify_operation.py lists them.
std::string collective_code(const dispatch::CollectiveCommand& command) {
    using Form = dispatch::CollectiveCommand::Form;
    if (command.form == Form::Dispatch) return "AllToAllDispatch";
    if (command.form == Form::Combine) return "AllToAllCombine";
    const ccl::Kind kind = command.collective.kind;
    switch (kind) {
        case ccl::Kind::AllGather:
            return "AllGatherAsync";
        case ccl::Kind::ReduceScatter:
            return "ReduceScatterMinimalAsync";
        case ccl::Kind::AllReduce:
            return "AllReduceAsync";
        case ccl::Kind::Broadcast:
            return "Broadcast";
        case ccl::Kind::AllToAll:
            return "AllToAllAsyncGeneric";
        case ccl::Kind::PointToPoint:
            return "PointToPoint";
    }
    return ccl::to_text(kind);
}

void add_step(std::vector<const model::RecordedStep*>& steps, const model::RecordedStep* step) {
    if (step != nullptr) steps.push_back(step);
}

}  // namespace

std::string op_code(const dispatch::Command& command) {
    if (const auto* collective = std::get_if<dispatch::CollectiveCommand>(&command.body)) {
        return collective_code(*collective);
    }
    const auto& op = std::get<dispatch::OpCommand>(command.body).op;
    // tt-perf-report knows it by its full name.
    if (std::holds_alternative<tensor::SdpaDecode>(op)) return "ScaledDotProductAttentionDecode";
    return std::string(tensor::name(op));
}

std::vector<std::int32_t> exported_chips(mesh::Shape shape) {
    std::set<std::int32_t> chips;
    if (shape.chips() <= kMostChips) {
        for (std::int32_t chip = 0; chip < shape.chips(); ++chip) chips.insert(chip);
    } else {
        for (const std::int32_t row : {0, shape.rows - 1}) {
            for (const std::int32_t col : {0, shape.cols - 1})
                chips.insert(shape.index({row, col}));
        }
    }
    return {chips.begin(), chips.end()};
}

std::vector<const model::RecordedStep*> timed_steps(const model::Recording& recording) {
    std::vector<const model::RecordedStep*> steps;
    add_step(steps, recording.find(model::kPrefillStep));
    add_step(steps, recording.find(model::kDecodeStep));
    return steps;
}

std::vector<const model::RecordedStep*> memory_steps(const model::Recording& recording) {
    std::vector<const model::RecordedStep*> steps;
    add_step(steps, recording.find(model::kPrefillStep));
    const model::RecordedStep* warm_up = recording.find(model::kWarmUpStep);
    add_step(steps, warm_up != nullptr ? warm_up : recording.find(model::kDecodeStep));
    return steps;
}

std::string group_name(const model::RecordedCommand& command) {
    for (const dispatch::Segment& segment : command.item.program->segments) {
        for (const dispatch::Command& one : segment.commands) {
            if (&one != command.item.command) continue;
            if (!segment.name.starts_with("layers")) return segment.name;
            return "layer " + std::to_string(command.item.layer);
        }
    }
    return "";
}

core::SimTime end_of(const model::RecordedSpan& span, const model::RecordedStep& step) {
    return span.end == core::SimTime::max() ? std::max(step.end, span.start) : span.end;
}

void LiveBuffers::advance(std::size_t count) {
    core::require(count >= next_ && count <= events_.size(), "memory events are replayed in order");
    for (; next_ < count; ++next_) {
        const auto& [kind, buffer] = events_[next_];
        const mesh::BufferType type = buffer.operand.memory.type;
        if (kind == model::MemoryEvent::Kind::Allocated) {
            live_.emplace(buffer.id, buffer);
            by_address_[{type, buffer.operand.address}] = buffer.id;
            in_use_[type] += buffer.per_bank;
        } else {
            live_.erase(buffer.id);
            by_address_.erase({type, buffer.operand.address});
            in_use_[type] -= buffer.per_bank;
        }
    }
}

const dispatch::DeviceBuffer* LiveBuffers::at(mesh::BufferType type, std::int64_t address) const {
    const auto found = by_address_.find({type, address});
    return found == by_address_.end() ? nullptr : &live_.at(found->second);
}

core::Bytes LiveBuffers::in_use(mesh::BufferType type) const {
    const auto found = in_use_.find(type);
    return found == in_use_.end() ? core::Bytes{} : found->second;
}

}  // namespace cli

#include "model/step_readers.h"

#include <algorithm>

namespace model {
namespace {

// Layers hand a value on to the next one; what comes before and after them does not.
bool is_layer(const dispatch::Segment& segment) {
    return std::ranges::any_of(segment.commands, [](const dispatch::Command& command) {
        return std::ranges::any_of(command.allocates, [](const dispatch::BufferRef& ref) {
            return ref.instance == dispatch::Instance::CarryOut;
        });
    });
}

std::string place_of(const dispatch::Enqueued& enqueued) {
    bool after_layers = false;
    for (const dispatch::Segment& segment : enqueued.program->segments) {
        const dispatch::Command* const first = segment.commands.data();
        const bool here =
            enqueued.command >= first && enqueued.command < first + segment.commands.size();
        const bool layer = is_layer(segment);
        if (here && layer) return "layer " + std::to_string(enqueued.layer);
        if (here) return after_layers ? "head" : "embedding";
        after_layers = after_layers || layer;
    }
    return "head";
}

}  // namespace

void Traffic::run(const dispatch::Enqueued& enqueued, const dispatch::ChipBindings& bindings,
                  dispatch::QueueId, dispatch::Origin) {
    const auto* op = std::get_if<dispatch::OpCommand>(&enqueued.command->body);
    if (op == nullptr) return;
    std::vector<tensor::Spec> specs;
    for (const dispatch::Operand& operand : enqueued.inputs) specs.push_back(operand.spec);
    const tensor::Work work = tensor::work(op->op, specs, bindings.front());
    for (std::size_t i = 0; i < op->inputs.size() && i < work.reads.size(); ++i) {
        const tensor::ValueKind kind = enqueued.program->buffer(op->inputs[i]).kind;
        const bool stays = kind == tensor::ValueKind::Weight || kind == tensor::ValueKind::State;
        if (stays) bytes_ += work.reads[i];
    }
}

core::Picoseconds LayerTimes::kernels() const {
    core::Picoseconds sum{};
    for (const auto& [kind, time] : simulator_.time_by_kind()) sum += time;
    return sum;
}

void LayerTimes::begin_step() {
    times_.clear();
    before_ = kernels();
}

void LayerTimes::run(const dispatch::Enqueued& enqueued, const dispatch::ChipBindings&,
                     dispatch::QueueId, dispatch::Origin) {
    const core::Picoseconds now = kernels();
    times_[place_of(enqueued)] += now - before_;
    before_ = now;
}

}  // namespace model

#include "model/fusion.h"

namespace model {
namespace {

using dispatch::Command;

std::string name_of(const Command& command) {
    if (const auto* op = std::get_if<dispatch::OpCommand>(&command.body)) {
        return std::string(tensor::name(op->op));
    }
    const auto* collective = std::get_if<dispatch::CollectiveCommand>(&command.body);
    return collective != nullptr ? ccl::to_text(collective->collective.kind) : "";
}

bool matches(std::span<const Command> commands, const Fusion& fusion) {
    if (commands.size() < fusion.parts.size()) return false;
    const bool at_end = fusion.where == Fusion::Where::EndOfLayer;
    if (at_end && commands.size() != fusion.parts.size()) return false;
    for (std::size_t i = 0; i < fusion.parts.size(); ++i) {
        if (name_of(commands[i]) != fusion.parts[i].op) return false;
    }
    return true;
}

// The chips whose parts the last collective of the program lands; 1: none comes before.
std::int32_t landed_slices(std::span<const Command> before) {
    if (before.empty()) return 1;
    const auto* collective = std::get_if<dispatch::CollectiveCommand>(&before.back().body);
    return collective != nullptr ? collective->collective.ranks : 1;
}

void mark(std::span<Command> commands, const Fusion& fusion) {
    for (std::size_t i = 0; i < fusion.parts.size(); ++i) {
        const Fusion::Part& part = fusion.parts[i];
        const bool slices = part.takes == Fusion::Part::Takes::Slices;
        commands[i].fused = {std::string(fusion.program),
                             slices ? landed_slices(commands.first(i)) : 1, part.runs};
    }
}

}  // namespace

void fuse(dispatch::Segment& segment, std::span<const Fusion> fusions) {
    std::span<Command> rest = segment.commands;
    while (!rest.empty()) {
        std::size_t taken = 1;
        for (const Fusion& fusion : fusions) {
            if (!matches(rest, fusion)) continue;
            mark(rest, fusion);
            taken = fusion.parts.size();
            break;
        }
        rest = rest.subspan(taken);
    }
}

void fuse_gather_and_wo(dispatch::Segment& segment, const tensor::Graph& graph,
                        const tensor::Node& node) {
    std::vector<Command>& commands = segment.commands;
    const bool wo = std::holds_alternative<tensor::Linear>(node.op) &&
                    graph.value(node.inputs[1]).role == tensor::Role::WeightO;
    if (!wo || graph.phase != tensor::Phase::Decode || commands.size() < 2) return;
    Command& gather = commands[commands.size() - 2];
    const auto* before = std::get_if<dispatch::CollectiveCommand>(&gather.body);
    if (before == nullptr) return;
    gather.fused = {"AllGatherMatmulAsync", 1};
    commands.back().fused = {"AllGatherMatmulAsync", before->collective.ranks};
}

}  // namespace model

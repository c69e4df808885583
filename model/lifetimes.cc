#include "model/lifetimes.h"

#include <map>
#include <set>

namespace model {

using dispatch::BufferRef;
using dispatch::CollectiveCommand;
using dispatch::Command;
using dispatch::Instance;

namespace {

std::vector<BufferRef> reads(const Command& command) {
    if (const auto* op = std::get_if<dispatch::OpCommand>(&command.body)) return op->inputs;
    if (const auto* move = std::get_if<CollectiveCommand>(&command.body)) {
        if (move->exchanges_rows()) return {move->input, move->routing};
        return {move->input};
    }
    if (const auto* read = std::get_if<dispatch::ReadCommand>(&command.body)) {
        return {read->buffer};
    }
    return {};
}

std::vector<BufferRef> writes(const Command& command) {
    if (const auto* op = std::get_if<dispatch::OpCommand>(&command.body)) {
        std::vector<BufferRef> made = op->outputs;
        if (op->scratch.buffer >= 0) made.push_back(op->scratch);
        return made;
    }
    if (const auto* move = std::get_if<CollectiveCommand>(&command.body)) {
        std::vector<BufferRef> made{move->output};
        if (move->staging.buffer >= 0) made.push_back(move->staging);
        return made;
    }
    return {};
}

bool is_temporary(const dispatch::Program& program, BufferRef ref) {
    return program.buffer(ref).kind == tensor::ValueKind::Computed;
}

}  // namespace

void set_lifetimes(const dispatch::Program& program, dispatch::Segment& segment,
                   const std::function<bool(BufferRef)>& carries_on) {
    using Key = std::pair<std::int32_t, Instance>;
    std::vector<Command>& commands = segment.commands;
    std::map<Key, std::size_t> last;
    std::set<Key> born;
    const auto touch = [&](BufferRef ref, std::size_t index) {
        if (is_temporary(program, ref)) last[{ref.buffer, ref.instance}] = index;
    };
    for (std::size_t i = 0; i < commands.size(); ++i) {
        for (const BufferRef ref : writes(commands[i])) {
            if (is_temporary(program, ref) && born.insert({ref.buffer, ref.instance}).second) {
                commands[i].allocates.push_back(ref);
            }
            touch(ref, i);
        }
        for (const BufferRef ref : reads(commands[i])) touch(ref, i);
    }
    for (const auto& [key, index] : last) {
        const BufferRef ref{key.first, key.second};
        if (!carries_on(ref)) commands[index].releases.push_back(ref);
    }
}

}  // namespace model

// Op sequences of programs as profiler reports show them: op, one chip's result, format, place.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/model/model_fixture.h"

namespace model::testing {

using Lines = std::vector<std::string>;

/// "Matmul [32, 768] bf16 L1_WIDTH_SHARDED 32": op or collective, then the shape, format, place
/// and cores of one chip's first result.
inline std::string line_of(const dispatch::Program& program, const dispatch::Command& command) {
    std::string line;
    dispatch::BufferRef made;
    if (const auto* op = std::get_if<dispatch::OpCommand>(&command.body)) {
        line = tensor::name(op->op);
        if (op->outputs.empty()) return line;
        made = op->outputs.front();
    } else if (const auto* move = std::get_if<dispatch::CollectiveCommand>(&command.body)) {
        line = ccl::to_text(move->collective.kind);
        made = move->output;
    } else {
        return "host";
    }
    const dispatch::Buffer& buffer = program.buffer(made);
    line += " " + buffer.spec.shape.text() + " " + std::string(tensor::name(buffer.spec.dtype)) +
            " " + dispatch::to_text(buffer.memory);
    if (buffer.memory.shards > 0) line += " " + std::to_string(buffer.memory.shards);
    return line;
}

inline Lines sequence_of(const dispatch::Program& program, const dispatch::Segment& segment) {
    Lines lines;
    for (const dispatch::Command& command : segment.commands) {
        lines.push_back(line_of(program, command));
    }
    return lines;
}

/// The op alone: "Matmul".
inline Lines ops_of(Lines lines) {
    for (std::string& line : lines) line = line.substr(0, line.find(' '));
    return lines;
}

}  // namespace model::testing

// A small program with everything a step has, by hand: a per-layer weight, an input, a carried
// value, temporaries with lifetimes, and a result the host reads.
//   prologue    x0 = x + x              (carried)
//   layer i     t = x_i + w_i;  x_{i+1} = t + t
//   epilogue    y = x_n + x_n
// All tensors are one row of tiles, bf16, interleaved in DRAM unless changed.
#pragma once

#include "tests/dispatch/device_fixture.h"

namespace dispatch::testing {

enum StepBuffer { kX, kW, kCarried, kT, kY };

inline Command add_command(const std::string& label, BufferRef a, BufferRef b, BufferRef sum) {
    OpCommand op{.op = tensor::Add{}, .inputs = {a, b}, .outputs = {sum}, .plan = {}};
    op.plan.grid = {8, 8};
    Command command;
    command.label = label;
    command.body = op;
    return command;
}

inline std::shared_ptr<Program> step_program(std::int32_t layers, std::int64_t tiles = 12) {
    using tensor::ValueKind;
    auto program = std::make_shared<Program>();
    program->name = "step";
    const auto add_buffer = [&](const char* name, Owner owner, ValueKind kind,
                                std::int32_t instances) {
        Buffer buffer;
        buffer.name = name;
        buffer.spec = buffer.global = row_of_tiles(tiles);
        buffer.owner = owner;
        buffer.kind = kind;
        buffer.instances = instances;
        program->buffers.push_back(buffer);
    };
    add_buffer("x", Owner::Inputs, ValueKind::Input, 1);
    add_buffer("w", Owner::Weights, ValueKind::Weight, layers);
    add_buffer("carried", Owner::Activations, ValueKind::Computed, 2);
    add_buffer("t", Owner::Activations, ValueKind::Computed, 1);
    add_buffer("y", Owner::Activations, ValueKind::State, 1);

    const BufferRef in{kCarried, Instance::CarryIn};
    const BufferRef out{kCarried, Instance::CarryOut};
    Command first = add_command("first", {kX}, {kX}, in);
    first.allocates = {in};
    Command plus = add_command("plus", in, {kW, Instance::Layer}, {kT});
    plus.allocates = {{kT}};
    plus.releases = {in};
    Command twice = add_command("twice", {kT}, {kT}, out);
    twice.allocates = {out};
    twice.releases = {{kT}};
    Command last = add_command("last", in, in, {kY});
    last.releases = {in};
    program->segments = {{"prologue", 0, 1, {first}},
                         {"layers", 0, layers, {plus, twice}},
                         {"epilogue", layers, 1, {last}}};
    return program;
}

}  // namespace dispatch::testing

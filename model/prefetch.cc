#include "model/prefetch.h"

#include "dispatch/ring_matmul_time.h"

namespace model {
namespace {

using dispatch::BufferRef;
using dispatch::Command;
using dispatch::OpCommand;
using dispatch::Program;

// prefetcher_common.py has the prefetcher first and the workers second; programs without
// sub-devices run on the first here.
constexpr dispatch::SubDeviceId kPrefetcher{1};

constexpr std::int32_t kLmHeadCores = 32;  // model_config.py: matmul_1d_ring_lm_head_config

bool is_prefetched(const Command& command) { return command.prefetched.weight.value > 0; }

BufferRef global_buffer(Program& program, const Prefetcher& prefetcher) {
    constexpr std::int64_t kWord = 4;
    const tensor::Spec spec{{prefetcher.cores, prefetcher.room.value / kWord},
                            tensor::DType::UInt32,
                            tensor::Layout::RowMajor};
    dispatch::Buffer buffer;
    buffer.name = "prefetcher.global_buffer";
    buffer.spec = buffer.global = spec;
    buffer.memory = {mesh::BufferType::L1, dispatch::MemoryLayout::HeightSharded, prefetcher.cores};
    buffer.owner = dispatch::Owner::Weights;
    program.buffers.push_back(std::move(buffer));
    return {static_cast<std::int32_t>(program.buffers.size()) - 1, dispatch::Instance::Only};
}

// The program knows the first layer's tensors and the addresses of all (get_input_tensors).
OpCommand streamed(const Program& program, const Prefetcher& prefetcher) {
    OpCommand body;
    tensor::Prefetch op;
    for (const dispatch::Segment& segment : program.segments) {
        const bool first = body.inputs.empty();
        for (const Command& command : segment.commands) {
            if (!is_prefetched(command)) continue;
            op.weights += segment.repeat;
            if (!first) continue;
            const BufferRef weight = std::get<OpCommand>(command.body).inputs[1];
            body.inputs.push_back({weight.buffer, dispatch::Instance::Only});
            body.plan.inputs.push_back(program.buffer(weight).memory);
        }
    }
    body.op = op;
    body.plan.cores = prefetcher.senders.cores();
    body.plan.grid = prefetcher.senders;
    return body;
}

}  // namespace

void place_on_ring(Program& program, const Profile& profile, const tensor::Graph& graph,
                   const tensor::Node& node, std::int32_t dram_banks) {
    const bool linear = std::holds_alternative<tensor::Linear>(node.op);
    if (!linear || !profile.prefetcher || program.phase != tensor::Phase::Decode) return;
    Command& command = program.segments.back().commands.back();
    auto& op = std::get<OpCommand>(command.body);
    const tensor::Value& weight = graph.value(node.inputs[1]);
    const dispatch::Buffer& stored = program.buffer(op.inputs[1]);
    const dispatch::MatmulSpecs specs{program.buffer(op.inputs[0]).spec, stored.spec,
                                      program.buffer(op.outputs[0]).spec};
    if (weight.role == tensor::Role::WeightLmHead) {
        dispatch::read_on_ring(op.plan, specs, kLmHeadCores);
    } else if (weight.per_layer) {
        const std::int32_t cores = profile.prefetcher->cores;
        dispatch::place_on_ring(op.plan, specs, cores);
        command.prefetched = {
            dispatch::allocation_request(stored.spec, stored.memory, dram_banks).size,
            profile.prefetcher->room * std::int64_t{cores}};
    }
}

void add_prefetcher(Program& program, const Profile& profile) {
    if (!profile.prefetcher || program.phase != tensor::Phase::Decode) return;
    const Prefetcher& prefetcher = *profile.prefetcher;
    Command command;
    command.label = "prefetcher";
    command.body = streamed(program, prefetcher);
    if (std::get<OpCommand>(command.body).inputs.empty()) return;
    command.sub_device = kPrefetcher;
    command.completion = Command::Completion::Streams;
    const BufferRef buffer = global_buffer(program, prefetcher);
    command.allocates = {buffer};
    // llama_model.py: switch_mode makes it before decode runs; it is there for the whole step.
    program.segments.back().commands.back().releases.push_back(buffer);
    auto& first = program.segments.front().commands;
    first.insert(first.begin(), std::move(command));
    program.sub_devices = {{"workers", prefetcher.workers}, {"prefetcher", prefetcher.senders}};
}

}  // namespace model

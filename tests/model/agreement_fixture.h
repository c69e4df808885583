// The same steps read by the memory plan, by the clock and by the values, each on a device of its
// own, so that a reader can be handed something else on purpose. What they must agree on is in
// Readings. Sizes are per bank; a hop is a directed pair of chips.
#pragma once

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <set>

#include "model/weights.h"
#include "tests/model/model_fixture.h"

namespace model::testing {

/// One step of a run: a program with what it knows and what it is fed.
struct Step {
    std::shared_ptr<const dispatch::Program> program;
    dispatch::ChipBindings bindings;
    std::vector<std::int32_t> tokens;
};
using Steps = std::vector<Step>;

/// Decode steps eagerly, or run, captured and replayed.
enum class Decode { Eager, Traced };

struct Readings {
    core::Bytes dram_peak;
    core::Bytes l1_peak;
    std::vector<dispatch::Placed> placed;  // without the storage of traces
    std::int64_t commands = 0;
    std::map<fabric::Hop, core::Bytes> bytes;
    std::int64_t multiply_adds = 0;
};

/// Reads a command stream for where buffers are and how much work `tensor::work` says it is.
class Ledger : public dispatch::Reader {
public:
    void run(const dispatch::Enqueued& enqueued, const dispatch::ChipBindings& bindings,
             dispatch::QueueId, dispatch::Origin) override {
        ++commands;
        const auto* op = std::get_if<dispatch::OpCommand>(&enqueued.command->body);
        if (op == nullptr) return;
        std::vector<tensor::Spec> in;
        for (const dispatch::Operand& operand : enqueued.inputs) in.push_back(operand.spec);
        for (const tensor::Bindings& chip : bindings) {
            multiply_adds += tensor::work(op->op, in, chip).multiply_adds;
        }
    }
    void write(const dispatch::Operand&, const dispatch::HostData&, dispatch::QueueId) override {}
    void read(const dispatch::Operand&, std::span<const std::int32_t>, dispatch::HostData&,
              dispatch::QueueId) override {}
    void record_event(dispatch::EventId, dispatch::QueueId) override {}
    void wait_event(dispatch::EventId, dispatch::QueueId) override {}
    void replay(dispatch::TraceId, std::int64_t, dispatch::QueueId) override {}
    void finish(dispatch::QueueId) override {}
    void allocated(const dispatch::DeviceBuffer& buffer) override {
        if (buffer.owner == dispatch::Owner::Trace) return;
        placed.push_back({buffer.name, buffer.owner, buffer.operand.memory.type,
                          buffer.operand.address, buffer.per_bank});
    }
    void freed(const dispatch::DeviceBuffer&) override {}

    std::int64_t commands = 0;
    std::int64_t multiply_adds = 0;
    std::vector<dispatch::Placed> placed;
};

/// The rows of the rotary tables of a decode step, all columns' users in order.
inline void write_positions(const Step& step, const dispatch::Session& session,
                            dispatch::MeshDevice& device, dispatch::QueueId queue) {
    if (step.program->phase != tensor::Phase::Decode) return;
    const dispatch::Operand& rows =
        session.persistent(step.program->name + ".rope_positions", 0).operand;
    std::vector<std::int32_t> positions;
    for (const tensor::Bindings& chip : step.bindings) {
        if (chip.coord[0] > 0) break;
        if (chip.coord[1] > 0 && step.program->shape.rows == 1) break;  // users are not split
        positions.insert(positions.end(), chip.positions.begin(), chip.positions.end());
    }
    positions.resize(static_cast<std::size_t>(rows.spec.shape[0]));
    for (std::int32_t& position : positions) position = std::max(position, 0);
    const auto bytes = std::as_bytes(std::span(positions));
    device.enqueue_write(
        rows, dispatch::HostData(step.bindings.size(), {bytes.begin(), bytes.end()}), queue);
}

/// Places and runs the steps on a device; `load` fills the weights of what was placed.
inline void play(
    const Steps& steps, Decode mode, dispatch::MeshDevice& device,
    const std::function<void(const dispatch::Program&, const dispatch::Session&)>& load) {
    constexpr dispatch::QueueId queue{0};
    dispatch::Session session(device);
    dispatch::HostTensors host;
    for (const Step& step : steps) {
        core::require(!session.place(step.program), "the demo model fits");
        if (load) load(*step.program, session);
    }
    for (const Step& step : steps) {
        const dispatch::Operand& ids =
            session.persistent(step.program->name + ".token_ids", 0).operand;
        std::vector<std::byte> bytes(static_cast<std::size_t>(ids.spec.bytes().value));
        std::memcpy(bytes.data(), step.tokens.data(),
                    std::min(bytes.size(), step.tokens.size() * sizeof(std::int32_t)));
        device.enqueue_write(ids, dispatch::HostData(step.bindings.size(), bytes), queue);
        write_positions(step, session, device, queue);
        core::require(!session.run(step.program, step.bindings, host, queue), "a step runs");
        if (mode == Decode::Eager || step.program->phase != tensor::Phase::Decode) continue;
        const dispatch::TraceId trace = device.begin_trace_capture(queue);
        core::require(!session.run(step.program, step.bindings, host, queue), "a step is taken");
        device.end_trace_capture(queue, trace);
        device.execute_trace(trace, step.bindings, queue);
    }
}

/// What the memory plan says of these steps; a traced step allocates twice.
inline Readings planned(const Deployment& deployment, const Steps& steps, Decode mode) {
    std::vector<std::shared_ptr<const dispatch::Program>> programs;
    for (const Step& step : steps) {
        programs.push_back(step.program);
        const bool again = mode == Decode::Traced && step.program->phase == tensor::Phase::Decode;
        if (again) programs.push_back(step.program);
    }
    dispatch::MemoryPlan plan =
        dispatch::plan_memory(programs, deployment.mesh(), deployment.options().device);
    Readings readings;
    readings.dram_peak = plan.dram.peak / plan.dram.banks;
    readings.l1_peak = plan.l1.buffers_peak;
    readings.placed = std::move(plan.placed);
    return readings;
}

/// What the clock carries, and what tensor::work counts of the same commands.
inline Readings simulated(const Deployment& deployment, const Steps& steps, Decode mode) {
    dispatch::MeshDevice device(0, deployment.mesh(), deployment.options().device);
    dispatch::Simulator simulator(deployment.mesh(), {});
    Ledger ledger;
    device.attach(simulator);
    device.attach(ledger);
    play(steps, mode, device, {});
    Readings readings;
    readings.commands = simulator.commands_run();
    readings.bytes = simulator.bytes_carried();
    readings.multiply_adds = ledger.multiply_adds;
    readings.placed = std::move(ledger.placed);
    return readings;
}

/// What really happened to the values.
inline Readings executed(const Deployment& deployment, const Steps& steps, Decode mode,
                         const Checkpoint& checkpoint = demo_checkpoint()) {
    const dispatch::DeviceOptions& options = deployment.options().device;
    dispatch::MeshDevice device(0, deployment.mesh(), options);
    dispatch::Executor executor(deployment.mesh(),
                                dispatch::device_memory(deployment.mesh().system.chip, options));
    Ledger ledger;
    device.attach(executor);
    device.attach(ledger);
    std::set<std::string> loaded;
    play(steps, mode, device,
         [&](const dispatch::Program& program, const dispatch::Session& session) {
             load_weights(program, session, executor, checkpoint, deployment.config(), loaded);
         });
    Readings readings;
    readings.dram_peak = executor.peak_per_bank(mesh::BufferType::Dram);
    readings.l1_peak = executor.peak_per_bank(mesh::BufferType::L1);
    readings.placed = std::move(ledger.placed);
    readings.commands = executor.commands_run();
    readings.bytes = executor.bytes_moved();
    readings.multiply_adds = executor.multiply_adds();
    return readings;
}

using Disagreements = std::vector<std::string>;

inline Disagreements memory_disagreements(const Readings& plan, const Readings& run) {
    Disagreements found;
    if (plan.dram_peak != run.dram_peak) found.emplace_back("DRAM peak");
    if (plan.l1_peak != run.l1_peak) found.emplace_back("L1 peak");
    if (plan.placed != run.placed) found.emplace_back("addresses");
    return found;
}

inline Disagreements command_disagreements(const Readings& clock, const Readings& run) {
    Disagreements found;
    if (clock.commands != run.commands) found.emplace_back("commands");
    if (clock.bytes != run.bytes) found.emplace_back("bytes per hop");
    if (clock.multiply_adds != run.multiply_adds) found.emplace_back("multiply-adds");
    return found;
}

}  // namespace model::testing

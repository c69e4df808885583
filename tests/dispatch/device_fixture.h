// What the tests of the device runtime share: a hand-made chip and mesh with round numbers,
// programs of one Add, and two readers: one that keeps bytes by address, one that notes the order.
// The chip: 12 banks of 1 MiB, 8x8 workers at 1 GHz, 1 us per eltwise tile and core, 10 GB/s PCIe;
// so an Add of n tiles on one core takes n us.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "dispatch/mesh_device.h"
#include "fabric/mesh.h"
#include "mesh/kernel_spec.h"
#include "tensor/op.h"

namespace dispatch::testing {

using namespace core::literals;

inline mesh::ChipSpec small_chip() {
    mesh::ChipSpec chip;
    chip.name = "small";
    chip.tensix = {8, 8};
    chip.worker_grid = {8, 8};
    chip.worker_grid_column = {7, 8};
    chip.worker_grid_ethernet = {8, 8};
    chip.clock = 1'000_MHz;
    chip.dram = {12, 1_MiB, 32_B, 32_B, 288_GBps, 240_GBps, 190_GBps};
    chip.l1 = {1499136_B, 168192_B, 16_B};
    chip.launch = {800_ns, 1'200_ns, 15'200_ns, 1'870_ns, 1_us, 2_us};
    chip.pcie = {10_GBps, 10_GBps};
    chip.tile_cycles = {16, 32, 48, 64};
    chip.eltwise_tile_cycles = 1000;
    chip.core_l1 = 100_GBps;
    mesh::KernelSpec kernels;
    kernels.matmul = {1, 1, 64, 16, 1e12, 1};
    kernels.stream.page_bytes_per_cycle = 1e12;  // eltwise tiles alone take time
    chip.kernels = std::make_shared<const mesh::KernelSpec>(kernels);
    return chip;
}

/// One row of chips, neighbours joined by two links.
inline fabric::Mesh row_of(std::int32_t chips, mesh::ChipSpec chip = small_chip()) {
    fabric::Mesh mesh;
    mesh.system.name = "row";
    mesh.system.chip = std::move(chip);
    mesh.system.link = {.line_rate = 12'500_MBps,
                        .hop_latency = 700_ns,
                        .packet_payload = 4352_B,
                        .packet_header = 48_B,
                        .ethernet_frame = 1500_B,
                        .ethernet_overhead = 50_B,
                        .collective_setup = 4_us};
    mesh.system.wiring.chips = chips;
    mesh.shape = {1, chips};
    mesh.links = {2, 2};
    for (std::int32_t i = 0; i < chips; ++i) {
        mesh.chips.push_back({i});
        if (i > 0) mesh.system.wiring.edges.push_back({{i - 1}, {i}, 2});
    }
    return mesh;
}

inline tensor::Spec row_of_tiles(std::int64_t tiles) {
    return {.shape = {32, 32 * tiles},
            .dtype = tensor::DType::BFloat16,
            .layout = tensor::Layout::Tile};
}

/// y = a + b, n tiles on one core: n us.
inline std::shared_ptr<Program> add_program(std::int64_t tiles, std::int32_t cores = 1) {
    auto program = std::make_shared<Program>();
    program->name = "add";
    for (const char* name : {"a", "b", "y"}) {
        Buffer buffer;
        buffer.name = name;
        buffer.spec = row_of_tiles(tiles);
        buffer.global = buffer.spec;
        program->buffers.push_back(buffer);
    }
    OpCommand op{.op = tensor::Add{}, .inputs = {{0}, {1}}, .outputs = {{2}}, .plan = {}};
    op.plan.grid = {8, 8};
    op.plan.cores = cores;
    op.plan.inputs = {MemoryConfig{}, MemoryConfig{}};
    op.plan.outputs = {MemoryConfig{}};
    Command command;
    command.label = "add " + std::to_string(tiles);
    command.body = op;
    program->segments.push_back({"all", 0, 1, {command}});
    return program;
}

inline Command& only_command(Program& program) { return program.segments.at(0).commands.at(0); }
inline const Command& only_command(const Program& program) {
    return program.segments.at(0).commands.at(0);
}

/// A program whose stream in a trace is 8192 B, the largest trace page: one group of 64 cores, ten
/// circular buffers, 8 arguments per core (tests/dispatch/trace_size_test.cc adds it up).
inline std::shared_ptr<Program> wide_program() {
    auto program = add_program(1);
    auto& plan = std::get<OpCommand>(only_command(*program).body).plan;
    plan.cores = 64;
    plan.unique_args = 8;
    plan.circular_buffers.assign(10, {"in", 4096_B});
    return program;
}

inline DeviceBuffer taken(std::variant<DeviceBuffer, mesh::Failure> result) {
    if (const auto* failure = std::get_if<mesh::Failure>(&result)) {
        throw core::Error(failure->text);
    }
    return std::get<DeviceBuffer>(std::move(result));
}

inline DeviceBuffer allocate(MeshDevice& device, const std::string& name, std::int64_t tiles = 1,
                             MemoryConfig memory = {}) {
    return taken(device.allocate(name, Owner::Activations, row_of_tiles(tiles), memory));
}

inline ChipBindings plain_bindings(const MeshDevice& device) {
    return ChipBindings(static_cast<std::size_t>(device.mesh().chip_count()));
}

/// An Add with operands at made-up addresses, for tests of order and time.
inline Enqueued loose(const std::shared_ptr<const Program>& program) {
    const tensor::Spec& spec = program->buffers.at(0).spec;
    return {.program = program,
            .command = &only_command(*program),
            .layer = 0,
            .inputs = {{spec, {}, 0}, {spec, {}, 4096}},
            .outputs = {{spec, {}, 8192}},
            .staging = {}};
}

inline Enqueued placed(const std::shared_ptr<const Program>& program, const DeviceBuffer& a,
                       const DeviceBuffer& b, const DeviceBuffer& y) {
    Enqueued enqueued = loose(program);
    enqueued.inputs = {a.operand, b.operand};
    enqueued.outputs = {y.operand};
    return enqueued;
}

/// The message of the core::Error that `action` throws; "" when it throws none.
template <class Action>
std::string error_of(Action action) {
    try {
        action();
    } catch (const core::Error& error) {
        return error.message();
    }
    return "";
}

/// Notes what it is handed, in order.
class Notes : public Reader {
public:
    void run(const Enqueued& enqueued, const ChipBindings&, QueueId queue, Origin origin) override {
        note(enqueued.command->label + (origin == Origin::Replay ? " replayed" : ""), queue);
    }
    void write(const Operand&, const HostData&, QueueId queue) override { note("write", queue); }
    void read(const Operand&, std::span<const std::int32_t>, HostData&, QueueId queue) override {
        note("read", queue);
    }
    void record_event(EventId event, QueueId queue) override {
        note("record " + std::to_string(event.value), queue);
    }
    void wait_event(EventId event, QueueId queue) override {
        note("wait " + std::to_string(event.value), queue);
    }
    void replay(TraceId trace, std::int64_t commands, QueueId queue) override {
        note("replay " + std::to_string(trace.value) + " of " + std::to_string(commands), queue);
    }
    void finish(QueueId queue) override { note("finish", queue); }
    void allocated(const DeviceBuffer&) override {}
    void freed(const DeviceBuffer&) override {}
    void stuck(QueueId queue, std::string_view) override { note("stuck", queue); }

    std::vector<std::string> lines;

private:
    void note(const std::string& what, QueueId queue) {
        lines.push_back(std::to_string(queue.value) + ": " + what);
    }
};

/// Keeps the bytes of every chip by address, runs ops on them.
class Bytes : public Notes {
public:
    explicit Bytes(std::int32_t chips) : chips_(static_cast<std::size_t>(chips)) {}

    void run(const Enqueued& enqueued, const ChipBindings& bindings, QueueId queue,
             Origin origin) override {
        Notes::run(enqueued, bindings, queue, origin);
        const auto& op = std::get<OpCommand>(enqueued.command->body).op;
        for (std::size_t chip = 0; chip < chips_.size(); ++chip) {
            if (!runs_on(*enqueued.command, static_cast<std::int32_t>(chip))) continue;
            std::vector<tensor::View> in;
            std::vector<tensor::View> out;
            for (const Operand& operand : enqueued.inputs) in.push_back(view(chip, operand));
            for (const Operand& operand : enqueued.outputs) out.push_back(view(chip, operand));
            tensor::Counters counters;
            tensor::run(op, in, out, bindings[chip], counters);
        }
    }
    void write(const Operand& to, const HostData& data, QueueId queue) override {
        Notes::write(to, data, queue);
        for (std::size_t chip = 0; chip < chips_.size(); ++chip) {
            chips_[chip][to.address] = data.at(chip);
        }
    }
    void read(const Operand& from, std::span<const std::int32_t> chips, HostData& data,
              QueueId queue) override {
        Notes::read(from, chips, data, queue);
        for (const std::int32_t chip : chips) {
            const auto index = static_cast<std::size_t>(chip);
            data.at(index) = at(index, from);
        }
    }

private:
    static bool runs_on(const Command& command, std::int32_t chip) {
        return command.chips.empty() ||
               std::find(command.chips.begin(), command.chips.end(), chip) != command.chips.end();
    }
    std::vector<std::byte>& at(std::size_t chip, const Operand& operand) {
        std::vector<std::byte>& bytes = chips_[chip][operand.address];
        bytes.resize(static_cast<std::size_t>(operand.spec.bytes().value));
        return bytes;
    }
    tensor::View view(std::size_t chip, const Operand& operand) {
        return {operand.spec, at(chip, operand).data()};
    }

    std::vector<std::map<std::int64_t, std::vector<std::byte>>> chips_;
};

/// A bf16 tensor of one value everywhere, for every chip.
inline HostData filled(const tensor::Spec& spec, float value, std::int32_t chips = 1) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    const auto half = static_cast<std::uint16_t>(bits >> 16);
    std::vector<std::byte> bytes(static_cast<std::size_t>(spec.bytes().value));
    for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) std::memcpy(&bytes[i], &half, 2);
    return HostData(static_cast<std::size_t>(chips), bytes);
}

inline float first_value(const HostData& data, std::size_t chip = 0) {
    std::uint16_t half = 0;
    std::memcpy(&half, data.at(chip).data(), 2);
    const std::uint32_t bits = static_cast<std::uint32_t>(half) << 16;
    float value = 0;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

}  // namespace dispatch::testing

// A run recorded by hand on the chip with round numbers of tests/dispatch/device_fixture.h: the
// commands given, one after another, as one decode step; and files that tests of exports read back.
#pragma once

#include <sqlite3.h>

#include <string>
#include <vector>

#include "cli/export_common.h"
#include "core/csv.h"
#include "tests/cli/command.h"
#include "tests/dispatch/device_fixture.h"

struct Recorded {
    fabric::Mesh mesh;
    dispatch::DeviceOptions options;
    model::Recording recording;
    model::Estimate estimate;

    cli::SimRun run() const { return {"by hand", mesh, options, recording, estimate}; }
};

inline void record(Recorded& into, const std::vector<dispatch::Enqueued>& commands) {
    constexpr dispatch::QueueId kQueue{0};
    dispatch::Simulator simulator(
        into.mesh,
        {.timeline = dispatch::SimulatorOptions::Timeline::Keep, .operation_timeout = {}});
    dispatch::MeshDevice device(0, into.mesh, into.options);
    device.attach(simulator);
    device.attach(into.recording);
    into.recording.watch(simulator);
    into.recording.begin_step(model::kDecodeStep);
    for (const dispatch::Enqueued& command : commands) {
        device.enqueue(command, dispatch::testing::plain_bindings(device), kQueue);
    }
    device.finish(kQueue);
    into.recording.end_step();
}

/// One operand's matmul on one core beside each of 12 DRAM banks: [32, 768] x [768, 1536], bf16.
inline std::shared_ptr<dispatch::Program> bank_matmul() {
    using dispatch::MemoryLayout;
    auto program = std::make_shared<dispatch::Program>();
    program->name = "matmul";
    const dispatch::MemoryConfig in_l1{mesh::BufferType::L1, MemoryLayout::WidthSharded, 12};
    const dispatch::MemoryConfig on_banks{mesh::BufferType::Dram, MemoryLayout::DramWidthSharded,
                                          0};
    dispatch::OpCommand op{
        .op = tensor::Linear{}, .inputs = {{0}, {1}}, .outputs = {{2}}, .plan = {}};
    op.plan.grid = {8, 8};
    op.plan.cores = 12;
    op.plan.fidelity = mesh::Fidelity::LoFi;
    op.plan.inputs = {in_l1, on_banks};
    op.plan.outputs = {in_l1};
    dispatch::Command command;
    command.label = "w1";
    command.body = op;
    program->segments.push_back({"layers 0-0", 0, 1, {command}});
    return program;
}

inline dispatch::Enqueued loose_matmul(const std::shared_ptr<const dispatch::Program>& program) {
    const auto& op = std::get<dispatch::OpCommand>(program->segments[0].commands[0].body);
    const auto spec = [](std::int64_t rows, std::int64_t cols) {
        return tensor::Spec{{rows, cols}, tensor::DType::BFloat16, tensor::Layout::Tile};
    };
    return {.program = program,
            .command = &program->segments[0].commands[0],
            .layer = 0,
            .inputs = {{spec(32, 768), op.plan.inputs[0], 0},
                       {spec(768, 1536), op.plan.inputs[1], 4096}},
            .outputs = {{spec(32, 1536), op.plan.outputs[0], 8192}},
            .staging = {}};
}

/// What a query of a SQLite file answers, every cell as text; NULL is "NULL".
using Rows = std::vector<std::vector<std::string>>;
inline Rows query(const std::filesystem::path& file, const std::string& sql) {
    sqlite3* database = nullptr;
    Rows rows;
    EXPECT_EQ(sqlite3_open_v2(file.c_str(), &database, SQLITE_OPEN_READONLY, nullptr), SQLITE_OK);
    const auto take = [](void* into, int count, char** cells, char**) {
        std::vector<std::string> row;
        for (int i = 0; i < count; ++i) row.emplace_back(cells[i] != nullptr ? cells[i] : "NULL");
        static_cast<Rows*>(into)->push_back(std::move(row));
        return 0;
    };
    char* message = nullptr;
    EXPECT_EQ(sqlite3_exec(database, sql.c_str(), take, &rows, &message), SQLITE_OK)
        << sql << ": " << (message != nullptr ? message : "");
    sqlite3_free(message);
    sqlite3_close(database);
    return rows;
}

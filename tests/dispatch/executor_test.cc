#include "dispatch/executor.h"

#include <stdexcept>

#include "dispatch/session.h"
#include "tests/dispatch/device_fixture.h"

namespace dispatch::testing {
namespace {

using mesh::BufferType;

/// A device whose commands an executor carries out.
struct Bench {
    explicit Bench(const fabric::Mesh& mesh)
        : device(0, mesh, {.trace_region_size = 120'000_B}),
          executor(device.mesh(), device_memory(mesh.system.chip, device.options())) {
        device.attach(executor);
    }
    void write(const DeviceBuffer& to, float value) {
        device.enqueue_write(to.operand, filled(to.operand.spec, value, device.mesh().chip_count()),
                             {});
    }
    HostData read(const DeviceBuffer& from) { return device.enqueue_read(from.operand, {}); }

    MeshDevice device;
    Executor executor;
};

TEST(Executor, runs_ops_on_the_values_of_every_chip) {
    // Chips hold different bytes at the same address.
    Bench bench(row_of(2));
    const auto a = allocate(bench.device, "a");
    const auto b = allocate(bench.device, "b");
    const auto y = allocate(bench.device, "y");
    HostData different = filled(a.operand.spec, 1.5F, 2);
    different[1] = filled(a.operand.spec, -4.0F)[0];
    bench.device.enqueue_write(a.operand, different, {});
    bench.write(b, 2.0F);
    const auto program = add_program(1);
    bench.device.enqueue(placed(program, a, b, y), plain_bindings(bench.device), {});
    EXPECT_EQ(first_value(bench.read(y), 0), 3.5F);
    EXPECT_EQ(first_value(bench.read(y), 1), -2.0F);
    EXPECT_EQ(bench.executor.commands_run(), 1);
}

TEST(Executor, runs_an_op_only_on_the_chips_it_is_placed_on) {
    // A program of some chips leaves the memory of the others alone, as the clock leaves their
    // time.
    Bench bench(row_of(3));
    const auto a = allocate(bench.device, "a");
    const auto b = allocate(bench.device, "b");
    const auto y = allocate(bench.device, "y");
    bench.write(a, 1.0F);
    bench.write(b, 2.0F);
    bench.write(y, 9.0F);
    const auto program = add_program(1);
    only_command(*program).chips = {0, 2};
    bench.device.enqueue(placed(program, a, b, y), plain_bindings(bench.device), {});
    const HostData sums = bench.read(y);
    EXPECT_EQ(first_value(sums, 0), 3.0F);
    EXPECT_EQ(first_value(sums, 1), 9.0F);
    EXPECT_EQ(first_value(sums, 2), 3.0F);
}

TEST(Executor, use_after_free_breaks_a_rule) {
    // A plan that releases too early must never compute with what happens to be there.
    Bench bench(row_of(1));
    const auto a = allocate(bench.device, "a");
    const auto b = allocate(bench.device, "b");
    const auto y = allocate(bench.device, "y");
    const auto program = add_program(1);
    bench.device.free(b);
    EXPECT_THROW(bench.device.enqueue(placed(program, a, b, y), plain_bindings(bench.device), {}),
                 std::logic_error);
    const auto c = allocate(bench.device, "c");
    bench.device.free(y);
    EXPECT_THROW(bench.device.enqueue(placed(program, a, c, y), plain_bindings(bench.device), {}),
                 std::logic_error);
    EXPECT_THROW(bench.write(y, 1.0F), std::logic_error);
}

TEST(Executor, a_replay_may_touch_freed_memory) {
    // That is the hazard of traces: whoever owns the bytes now finds them overwritten.
    Bench bench(row_of(1));
    const auto a = allocate(bench.device, "a");
    const auto b = allocate(bench.device, "b");
    const auto y = allocate(bench.device, "y");
    bench.write(a, 1.0F);
    bench.write(b, 2.0F);
    const auto program = add_program(1);
    bench.device.enqueue(placed(program, a, b, y), plain_bindings(bench.device), {});
    const TraceId trace = bench.device.begin_trace_capture({});
    bench.device.enqueue(placed(program, a, b, y), plain_bindings(bench.device), {});
    bench.device.end_trace_capture({}, trace);
    bench.device.free(y);
    const auto other = allocate(bench.device, "other");
    ASSERT_EQ(other.operand.address, y.operand.address);
    bench.write(other, 8.0F);
    bench.device.execute_trace(trace, plain_bindings(bench.device), {});
    EXPECT_EQ(first_value(bench.read(other)), 3.0F);
    EXPECT_EQ(bench.executor.commands_run(), 2);  // the capture itself runs nothing
}

TEST(Executor, counts_the_multiply_adds_of_all_chips) {
    // 5 valid rows of a 32-row matmul [*, 64] x [64, 96] on 2 chips.
    Bench bench(row_of(2));
    const auto tensor_of = [&](const char* name, tensor::Shape shape) {
        return taken(bench.device.allocate(
            name, Owner::Activations, {shape, tensor::DType::BFloat16, tensor::Layout::Tile}, {}));
    };
    const auto x = tensor_of("x", {32, 64});
    const auto w = tensor_of("w", {64, 96});
    const auto y = tensor_of("y", {32, 96});
    auto program = add_program(1);
    std::get<OpCommand>(only_command(*program).body).op = tensor::Linear{tensor::DType::BFloat16};
    ChipBindings bindings = plain_bindings(bench.device);
    for (tensor::Bindings& one : bindings) one.valid_rows = 5;
    bench.device.enqueue(placed(program, x, w, y), bindings, {});
    EXPECT_EQ(bench.executor.multiply_adds(), 2 * 5 * 64 * 96);
}

TEST(Executor, collectives_move_bytes_between_the_chips_of_each_group) {
    // Two lines of a 2x2 mesh gather along axis 1; nothing crosses axis 0.
    fabric::Mesh mesh = row_of(4);
    mesh.shape = {2, 2};
    Bench bench(mesh);
    const auto part = allocate(bench.device, "part");
    const auto whole = allocate(bench.device, "whole", 2);
    HostData data = filled(part.operand.spec, 0.0F, 4);
    for (std::size_t chip = 0; chip < 4; ++chip) {
        data[chip] = filled(part.operand.spec, static_cast<float>(chip))[0];
    }
    bench.device.enqueue_write(part.operand, data, {});
    auto program = add_program(1);
    CollectiveCommand gather;
    gather.collective.ranks = 2;
    gather.collective.slice_pages = {1, 1};
    gather.collective.page = 2048_B;
    gather.axis = 1;
    gather.dim = 1;
    only_command(*program).body = gather;
    Enqueued enqueued = loose(program);
    enqueued.inputs = {part.operand};
    enqueued.outputs = {whole.operand};
    bench.device.enqueue(enqueued, plain_bindings(bench.device), {});

    const HostData out = bench.read(whole);
    const HostData second{{out[3].begin() + 2048, out[3].end()}};
    EXPECT_EQ(first_value(out, 3), 2.0F);
    EXPECT_EQ(first_value(second), 3.0F);
    const std::map<fabric::Hop, core::Bytes> expected{
        {{0, 1}, 2048_B}, {{1, 0}, 2048_B}, {{2, 3}, 2048_B}, {{3, 2}, 2048_B}};
    EXPECT_EQ(bench.executor.bytes_moved(), expected);
}

TEST(Executor, keeps_its_own_books_of_live_bytes) {
    // 24 tiles over 12 banks are 4096 B in each; the peak is the largest sum, not the last.
    Bench bench(row_of(1));
    const auto a = allocate(bench.device, "a", 24);
    const auto b = allocate(bench.device, "b", 12);
    EXPECT_EQ(bench.executor.peak_per_bank(BufferType::Dram), 6144_B);
    bench.device.free(a);
    allocate(bench.device, "c", 12);
    EXPECT_EQ(bench.executor.peak_per_bank(BufferType::Dram), 6144_B);
    allocate(bench.device, "d", 24);
    EXPECT_EQ(bench.executor.peak_per_bank(BufferType::Dram), 8192_B);
    EXPECT_EQ(bench.executor.peak_per_bank(BufferType::L1), 0_B);
}

TEST(Executor, a_write_brings_exactly_the_tensors_bytes_for_every_chip) {
    // Short data would leave old bytes behind unseen.
    Bench bench(row_of(2));
    const auto a = allocate(bench.device, "a");
    EXPECT_THROW(bench.device.enqueue_write(a.operand, filled(a.operand.spec, 1.0F, 1), {}),
                 std::logic_error);
    EXPECT_THROW(bench.device.enqueue_write(a.operand, filled(row_of_tiles(2), 1.0F, 2), {}),
                 std::logic_error);
}

TEST(CollectiveGroups, follow_an_axis_or_take_the_whole_mesh) {
    // Axis 0 runs along the rows' direction: its groups are the columns of the mesh.
    using Groups = std::vector<std::vector<std::int32_t>>;
    EXPECT_EQ(collective_groups({2, 3}, 0), (Groups{{0, 3}, {1, 4}, {2, 5}}));
    EXPECT_EQ(collective_groups({2, 3}, 1), (Groups{{0, 1, 2}, {3, 4, 5}}));
    EXPECT_EQ(collective_groups({2, 3}, -1), (Groups{{0, 1, 2, 3, 4, 5}}));
}

}  // namespace
}  // namespace dispatch::testing

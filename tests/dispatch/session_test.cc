#include "dispatch/session.h"

#include <stdexcept>

#include "dispatch/executor.h"
#include "tests/dispatch/step_fixture.h"

namespace dispatch::testing {
namespace {

using mesh::BufferType;

/// A device with its session and values.
struct Bench {
    explicit Bench(mesh::ChipSpec chip = small_chip())
        : device(0, row_of(1, std::move(chip)), {}),
          executor(device.mesh(), device_memory(device.mesh().system.chip, {})),
          session(device) {
        device.attach(executor);
    }
    void write(const std::string& name, std::int32_t instance, float value) {
        const Operand& to = session.persistent(name, instance).operand;
        device.enqueue_write(to, filled(to.spec, value), {});
    }
    std::optional<Shortage> run(const std::shared_ptr<const Program>& program) {
        return session.run(program, plain_bindings(device), host, {});
    }
    core::Bytes allocated(BufferType type = BufferType::Dram) const {
        return device.allocator(type).statistics().allocated;
    }

    MeshDevice device;
    Executor executor;
    Session session;
    HostTensors host;
};

TEST(Session, runs_a_programs_layers_with_their_own_weights) {
    // x = 1, w = 1, 2, 3: x0 = 2, then (2+1)*2 = 6, (6+2)*2 = 16, (16+3)*2 = 38, y = 76.
    Bench bench;
    const auto program = step_program(3);
    ASSERT_FALSE(bench.session.place(program));
    bench.write("x", 0, 1.0F);
    for (std::int32_t layer = 0; layer < 3; ++layer) {
        bench.write("w", layer, static_cast<float>(layer + 1));
    }
    ASSERT_FALSE(bench.run(program));
    const HostData y = bench.device.enqueue_read(bench.session.persistent("y", 0).operand, {});
    EXPECT_EQ(first_value(y), 76.0F);
    EXPECT_EQ(bench.executor.commands_run(), 1 + 3 * 2 + 1);
}

TEST(Session, a_run_gives_back_every_temporary_buffer) {
    // x, 3 w and y stay, and the one program's binaries; steps do not add up.
    Bench bench;
    const auto program = step_program(3);
    ASSERT_FALSE(bench.session.place(program));
    EXPECT_EQ(bench.allocated(), 5 * 2048_B);
    ASSERT_FALSE(bench.run(program));
    const core::Bytes after_one = bench.allocated();
    ASSERT_FALSE(bench.run(program));
    EXPECT_EQ(bench.allocated(), after_one);
    for (const DeviceBuffer& buffer : bench.device.live_buffers()) {
        EXPECT_TRUE(buffer.name != "t" && buffer.name != "carried") << buffer.name;
    }
}

TEST(Session, programs_share_persistent_buffers_by_name) {
    // Decode and prefill read the same weights and caches.
    Bench bench;
    const auto first = step_program(2);
    auto second = step_program(2);
    second->buffers[kX].name = "other x";
    ASSERT_FALSE(bench.session.place(first));
    const std::int64_t weight = bench.session.persistent("w", 1).operand.address;
    const core::Bytes before = bench.allocated();
    ASSERT_FALSE(bench.session.place(second));
    EXPECT_EQ(bench.allocated(), before + 2048_B);
    EXPECT_EQ(bench.session.persistent("w", 1).operand.address, weight);
    EXPECT_TRUE(bench.session.has_persistent("other x"));
    EXPECT_FALSE(bench.session.has_persistent("t"));
}

TEST(Session, write_and_read_commands_meet_the_host_by_tag) {
    // Taps read a value after every layer; reads are appended in order.
    Bench bench;
    auto program = step_program(2);
    Command write;
    write.label = "write x";
    write.body = WriteCommand{{kX}, "tokens"};
    Command tap;
    tap.label = "tap";
    tap.body = ReadCommand{{kCarried, Instance::CarryOut}, "hidden"};
    program->segments[0].commands.insert(program->segments[0].commands.begin(), write);
    program->segments[1].commands.push_back(tap);
    ASSERT_FALSE(bench.session.place(program));
    bench.write("w", 0, 1.0F);
    bench.write("w", 1, 2.0F);
    bench.host.writes["tokens"] = filled(row_of_tiles(12), 1.0F);
    ASSERT_FALSE(bench.run(program));
    ASSERT_EQ(bench.host.reads["hidden"].size(), 2u);
    EXPECT_EQ(first_value(bench.host.reads["hidden"][0]), 6.0F);
    EXPECT_EQ(first_value(bench.host.reads["hidden"][1]), 16.0F);
}

TEST(Session, using_a_released_buffer_breaks_a_rule) {
    // Lifetimes are part of the plan: a wrong one is a bug of ours, not a full memory.
    Bench bench;
    auto program = step_program(1);
    auto& layer = program->segments[1].commands;
    layer[0].releases.push_back({kT});  // before "twice" reads it
    ASSERT_FALSE(bench.session.place(program));
    EXPECT_THROW(bench.run(program), std::logic_error);

    auto twice_released = step_program(1);
    twice_released->segments[1].commands[1].releases.push_back({kT});
    EXPECT_THROW(bench.run(twice_released), std::logic_error);
}

TEST(Session, a_shortage_names_the_buffer_with_the_exact_text_and_leaks_nothing) {
    // Banks of 16 KiB less 32 B: x, w, y and "carried" take 4096 B each, "t" does not fit.
    mesh::ChipSpec chip = small_chip();
    chip.dram.bank_bytes = 20'000_B;
    Bench bench(chip);
    const auto program = step_program(1, 24);
    ASSERT_FALSE(bench.session.place(program));
    const core::Bytes before = bench.allocated();
    ASSERT_EQ(before, 12'288_B);
    const auto shortage = bench.run(program);
    ASSERT_TRUE(shortage.has_value());
    EXPECT_EQ(shortage->buffer, "t");
    ASSERT_TRUE(shortage->failure.has_value());
    const core::Bytes binaries = bench.allocated() - before;
    const core::Bytes used = before + 4096_B + binaries;
    EXPECT_EQ(shortage->text(),
              "Out of Memory: Not enough space to allocate 49152 B DRAM buffer across 12 banks, "
              "where each bank needs to store 4096 B, but bank size is 19968 B (allocated: " +
                  std::to_string(used.value) + " B, free: " + std::to_string(19'968 - used.value) +
                  " B, largest free block: " + std::to_string(19'968 - used.value) + " B)");
    for (const DeviceBuffer& buffer : bench.device.live_buffers()) {
        EXPECT_TRUE(buffer.owner == Owner::Binaries || bench.session.has_persistent(buffer.name))
            << buffer.name;
    }
    // The same again: nothing of the first try is in the way.
    EXPECT_EQ(bench.run(program)->text(), shortage->text());
}

TEST(Session, a_shortage_of_a_weight_leaves_what_was_placed_and_goes_on_there) {
    // A caller that frees memory may place again; instances are not placed twice.
    mesh::ChipSpec chip = small_chip();
    chip.dram.bank_bytes = 20'000_B;
    Bench bench(chip);
    const auto hog = allocate(bench.device, "hog", 24);
    const auto program = step_program(2, 24);
    const auto shortage = bench.session.place(program);
    ASSERT_TRUE(shortage.has_value());
    EXPECT_EQ(shortage->buffer, "y");
    EXPECT_EQ(bench.allocated(), 4 * 4096_B);
    bench.device.free(hog);
    EXPECT_FALSE(bench.session.place(program));
    EXPECT_EQ(bench.allocated(), 4 * 4096_B);
    EXPECT_NO_THROW(bench.session.persistent("w", 1));
    EXPECT_NO_THROW(bench.session.persistent("y", 0));
}

TEST(Session, circular_buffers_that_reach_an_l1_buffer_clash) {
    // L1 buffers grow down from 1,499,136; circular buffers grow up from 168,192.
    Bench bench;
    auto program = step_program(1);
    program->buffers[kT].memory = {BufferType::L1, MemoryLayout::Interleaved, 0};
    auto& plan = std::get<OpCommand>(program->segments[1].commands[0].body).plan;
    plan.circular_buffers = {{"in0", 1'000'000_B}, {"out", 328'896_B}};
    ASSERT_FALSE(bench.session.place(program));
    EXPECT_FALSE(bench.run(program));  // ends at 1,497,088: the buffer's first byte
    EXPECT_EQ(bench.session.circular_buffer_peak(), 1'328'896_B);
    EXPECT_EQ(bench.session.circular_buffer_owner(), "plus");

    plan.circular_buffers[1].size += 1_B;
    const auto shortage = bench.run(program);
    ASSERT_TRUE(shortage.has_value());
    EXPECT_EQ(shortage->buffer, "plus");
    EXPECT_FALSE(shortage->failure.has_value());
    EXPECT_EQ(shortage->text(),
              "Statically allocated circular buffers in program 1 clash with L1 buffers on core "
              "range [(x=0,y=0) - (x=7,y=7)]. L1 buffer allocated at 1497088 and static circular "
              "buffer region ends at 1497089");
    EXPECT_EQ(bench.allocated(BufferType::L1), 0_B);
}

TEST(Session, circular_buffers_larger_than_l1_are_told_apart) {
    // No buffer is in the way here: the core itself is too small.
    Bench bench;
    auto program = step_program(1);
    std::get<OpCommand>(program->segments[1].commands[0].body).plan.circular_buffers = {
        {"in0", 1'330'945_B}};
    ASSERT_FALSE(bench.session.place(program));
    const auto shortage = bench.run(program);
    ASSERT_TRUE(shortage.has_value());
    EXPECT_EQ(shortage->text(),
              "Statically allocated circular buffers on core range [(x=0,y=0) - (x=7,y=7)] grow "
              "to 1499137 B which is beyond max L1 size of 1499136 B");
}

TEST(Session, a_persistent_buffer_is_placed_before_it_is_used) {
    // An address of a buffer that has none would be 0.
    Bench bench;
    EXPECT_THROW(bench.session.persistent("w", 0), std::logic_error);
    const auto program = step_program(2);
    ASSERT_FALSE(bench.session.place(program));
    EXPECT_THROW(bench.session.persistent("w", 2), std::logic_error);
}

/// Counts what a session tells.
struct Counting : Watcher {
    int ops = 0;
    int rounds = 0;
    int skipped_pairs = 0;
    std::string short_of;
    void op(const Command&, const L1Pressure&) override { ++ops; }
    void round_begins(std::int32_t) override { ++rounds; }
    void pairs_skipped(std::int32_t pairs) override { skipped_pairs += pairs; }
    void ran_short(const Shortage& shortage) override { short_of = shortage.buffer; }
};

TEST(Session, folded_rounds_that_would_repeat_are_left_out) {
    // Round 0 loads the binaries and rounds 1 and 3 begin alike, so 3 of 41 are walked and 19 pairs
    // left out; the prologue and the epilogue are segments of one round.
    for (const Rounds rounds : {Rounds::Folded, Rounds::Unrolled}) {
        MeshDevice device(0, row_of(1), {});
        Session session(device, rounds);
        Counting counting;
        session.watch(counting);
        const auto program = step_program(41);
        HostTensors host;
        ASSERT_FALSE(session.place(program));
        ASSERT_FALSE(session.run(program, plain_bindings(device), host, {}));
        const bool folded = rounds == Rounds::Folded;
        EXPECT_EQ(counting.skipped_pairs, folded ? 19 : 0);
        EXPECT_EQ(counting.rounds, folded ? 3 + 2 : 41 + 2);
        EXPECT_EQ(counting.ops, folded ? 3 * 2 + 2 : 41 * 2 + 2);
    }
}

TEST(Session, tells_its_watcher_what_it_ran_short_of) {
    // The watcher sees the books while the temporaries of the program still count.
    mesh::ChipSpec chip = small_chip();
    chip.dram.bank_bytes = 20'000_B;
    MeshDevice device(0, row_of(1, chip), {});
    Session session(device);
    Counting counting;
    session.watch(counting);
    const auto program = step_program(1, 24);
    HostTensors host;
    ASSERT_FALSE(session.place(program));
    ASSERT_TRUE(session.run(program, plain_bindings(device), host, {}));
    EXPECT_EQ(counting.short_of, "t");
}

}  // namespace
}  // namespace dispatch::testing

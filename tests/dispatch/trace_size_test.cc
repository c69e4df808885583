// The command stream of a program, part by part. Expected bytes are added up by hand from the
// layout of tenstorrent/tt-metal tt_metal/impl/program/dispatch.cpp and
// tt_metal/impl/dispatch/device_command_calculator.hpp, with the calibrated 20 argument words a
// core on top of the plan's.
#include "dispatch/trace_size.h"

#include "tests/dispatch/device_fixture.h"

namespace dispatch::testing {
namespace {

constexpr StreamFormat kWormhole{32_B};
constexpr StreamFormat kBlackhole{64_B};

KernelPlan& plan_of(Program& program) {
    return std::get<OpCommand>(only_command(program).body).plan;
}

TEST(CommandStream, of_one_group_on_64_cores_is_the_sum_of_its_commands) {
    // A prefetch and a dispatch command are 16 B each; every command starts on 32 B.
    const auto program = wide_program();
    const CommandStream stream = command_stream(only_command(*program), kWormhole);
    EXPECT_EQ(stream.preamble, 64_B);  // 32 + four offsets, padded
    EXPECT_EQ(stream.stall, 32_B);
    EXPECT_EQ(stream.arguments, (32 + 64 * 4 + 64 * 112) * 1_B);  // 28 words are 112 B
    EXPECT_EQ(stream.configuration, 224_B);  // 32 + one sub-command padded to 16 + ten buffers of
                                             // 16 = 208, padded
    EXPECT_EQ(stream.binaries, 192_B);       // 32 + (32 + five writes of 12 in 64) + (16 + 5 x 8)
    EXPECT_EQ(stream.launch, (32 + 16 + 112) * 1_B);
    EXPECT_EQ(stream.go, 64_B);
    EXPECT_EQ(stream.total(), 8192_B);
    EXPECT_EQ(trace_bytes(only_command(*program), kWormhole), 8192_B);
}

TEST(CommandStream, starts_every_command_on_64_bytes_on_blackhole) {
    // The same words with coarser padding.
    const auto program = wide_program();
    const CommandStream stream = command_stream(only_command(*program), kBlackhole);
    EXPECT_EQ(stream.preamble, 64_B);
    EXPECT_EQ(stream.stall, 64_B);
    EXPECT_EQ(stream.arguments, 7488_B);
    EXPECT_EQ(stream.configuration, 256_B);
    EXPECT_EQ(stream.binaries, (64 + 128 + 64) * 1_B);
    EXPECT_EQ(stream.launch, 192_B);
    EXPECT_EQ(stream.go, 128_B);
}

TEST(CommandStream, grows_by_sixteen_bytes_a_core_for_every_four_arguments) {
    // Arguments of a core are padded to the L1 alignment: 28 words and 29 to 32 words.
    const auto program = wide_program();
    plan_of(*program).unique_args = 9;
    const core::Bytes more = command_stream(only_command(*program), kWormhole).arguments;
    EXPECT_EQ(more, 7456_B + 64 * 16_B);
    plan_of(*program).unique_args = 12;
    EXPECT_EQ(command_stream(only_command(*program), kWormhole).arguments, more);
}

TEST(CommandStream, sends_each_kernel_group_its_own_arguments_configuration_and_launch) {
    // Two groups share the cores: no more arguments, one more of everything else.
    const auto program = wide_program();
    plan_of(*program).kernel_groups = 2;
    plan_of(*program).common_args = 10;
    const CommandStream stream = command_stream(only_command(*program), kWormhole);
    EXPECT_EQ(stream.arguments, 2 * (32 + 32 * 4 + 32 * 112) * 1_B);
    // Ten common words are 48 B in front of the circular buffers of each group.
    EXPECT_EQ(stream.configuration, 480_B);           // 32 + 24 in 32 + 2 x 208 = 480
    EXPECT_EQ(stream.launch, 288_B);                  // 32 + 16 + 2 x 112 = 272, padded
    EXPECT_EQ(stream.binaries, 32_B + 160_B + 96_B);  // ten relays: 32 + 128, 16 + 80
}

TEST(CommandStream, splits_more_than_35_sub_commands) {
    // CQ_DISPATCH_CMD_PACKED_WRITE_LARGE_MAX_SUB_CMDS: eight groups have forty binaries.
    const auto program = wide_program();
    plan_of(*program).kernel_groups = 8;
    const core::Bytes binaries = command_stream(only_command(*program), kWormhole).binaries;
    // 35 in one command (32 + 432 and 16 + 280), 5 in the next (32 + 64 and 16 + 40).
    EXPECT_EQ(binaries, 32_B + (480_B + 320_B) + (96_B + 64_B));
}

TEST(CommandStream, of_a_program_without_arguments_or_buffers_has_neither_part) {
    // A plan of no buffers and no common arguments configures nothing.
    const auto program = add_program(1);
    const CommandStream stream = command_stream(only_command(*program), kWormhole);
    EXPECT_EQ(stream.configuration, 0_B);
    EXPECT_EQ(stream.total(), 5920_B);  // 20 words on each of 64 cores: 32 + 256 + 64 x 80
}

TEST(CommandStream, of_a_collective_grows_with_its_links) {
    // Workers per link and direction; a line of one link is far below an op on the whole grid.
    Command command;
    command.body = CollectiveCommand{};
    auto& collective = std::get<CollectiveCommand>(command.body).collective;
    // Two groups of two cores with 48 words each: 32 + 8 in 16 + 2 x 192 = 432, padded to 448.
    EXPECT_EQ(command_stream(command, kWormhole).arguments, 2 * 448_B);
    EXPECT_LT(trace_bytes(command, kWormhole), 2048_B);
    collective.links = 4;  // eight cores a group: 32 + 32 + 8 x 192 = 1600
    EXPECT_EQ(command_stream(command, kWormhole).arguments, 2 * 1600_B);
}

TEST(TraceBytes, of_a_program_unroll_repeats_and_leave_host_transfers_out) {
    // Writes and reads cannot be captured; the end of the trace is one command.
    auto program = wide_program();
    program->segments[0].repeat = 7;
    Command write;
    write.body = WriteCommand{{0}, "token_ids"};
    program->segments.insert(program->segments.begin(), {"in", 0, 1, {write}});
    EXPECT_EQ(trace_bytes(*program, kWormhole), 7 * 8192_B + 32_B);
    EXPECT_EQ(trace_bytes(*program, kBlackhole).value % 64, 0);
    EXPECT_EQ(trace_end_bytes(kBlackhole), 64_B);
    EXPECT_THROW(trace_bytes(write, kWormhole), std::logic_error);
}

TEST(TraceBytes, are_what_a_device_books_for_the_capture) {
    // One formula for the report and the device.
    MeshDevice device(0, row_of(1), {.trace_region_size = 500'000_B});
    const auto program = wide_program();
    device.enqueue(loose(program), plain_bindings(device), {});
    const TraceId trace = device.begin_trace_capture({});
    device.enqueue(loose(program), plain_bindings(device), {});
    device.end_trace_capture({}, trace);
    const core::Bytes bytes = trace_bytes(*program, kWormhole);
    EXPECT_EQ(device.trace_buffers_size(), mesh::trace_layout(bytes, 12).padded);
}

TEST(TracePages, are_at_most_4096_before_2026) {
    // tenstorrent/tt-metal tt_metal/impl/trace/dispatch.cpp @018580316068: kExecBufPageMax.
    EXPECT_EQ(trace_pages(Release::R2025), mesh::TracePages::Before2026);
    EXPECT_EQ(trace_pages(Release::R2026_05), mesh::TracePages::Since2026);
    EXPECT_EQ(trace_pages(Release::R2026_09), mesh::TracePages::Since2026);
}

}  // namespace
}  // namespace dispatch::testing

#include "dispatch/program_cache.h"

#include "tests/dispatch/device_fixture.h"

namespace dispatch::testing {
namespace {

TEST(ProgramCache, the_same_op_on_the_same_specs_is_built_once) {
    // Layers that are alike share a program, and so do programs that were built twice.
    MeshDevice device(0, row_of(1), {});
    const auto first = add_program(2);
    const auto again = add_program(2);
    EXPECT_FALSE(device.is_cached(*first, only_command(*first)));
    for (std::int32_t layer = 0; layer < 3; ++layer) {
        Enqueued enqueued = loose(layer == 2 ? again : first);
        enqueued.layer = layer;
        device.enqueue(enqueued, plain_bindings(device), {});
    }
    EXPECT_EQ(device.cached_programs(), 1);
    EXPECT_TRUE(device.is_cached(*again, only_command(*again)));
}

TEST(ProgramCache, another_shape_memory_config_or_fidelity_is_another_program) {
    // Every variant must be warmed up before a capture.
    MeshDevice device(0, row_of(1), {});
    const auto plain = add_program(2);
    const auto longer = add_program(3);
    device.enqueue(loose(plain), plain_bindings(device), {});
    device.enqueue(loose(longer), plain_bindings(device), {});

    Enqueued in_l1 = loose(plain);
    in_l1.inputs[0].memory.type = mesh::BufferType::L1;
    device.enqueue(in_l1, plain_bindings(device), {});

    const auto exact = add_program(2);
    std::get<OpCommand>(only_command(*exact).body).plan.fidelity = mesh::Fidelity::HiFi4;
    EXPECT_FALSE(device.is_cached(*exact, only_command(*exact)));
    device.enqueue(loose(exact), plain_bindings(device), {});
    EXPECT_EQ(device.cached_programs(), 4);
}

TEST(ProgramCache, collectives_are_programs_too) {
    // A gather along another dimension is another program.
    MeshDevice device(0, row_of(2), {});
    auto program = add_program(1);
    CollectiveCommand gather{.collective = {.ranks = 2, .slice_pages = {1, 1}, .page = 2048_B},
                             .axis = 1,
                             .dim = 1,
                             .input = {0},
                             .output = {2},
                             .staging = {},
                             .routing = {}};
    only_command(*program).body = gather;
    Enqueued enqueued = loose(program);
    enqueued.inputs.pop_back();
    device.enqueue(enqueued, plain_bindings(device), {});
    EXPECT_TRUE(device.is_cached(*program, only_command(*program)));
    std::get<CollectiveCommand>(only_command(*program).body).dim = 0;
    EXPECT_FALSE(device.is_cached(*program, only_command(*program)));
}

TEST(ProgramCache, binaries_are_taken_from_the_top_of_dram) {
    // They must stay out of the way of data, which grows from the bottom.
    MeshDevice device(0, row_of(1), {});
    device.enqueue(loose(add_program(1)), plain_bindings(device), {});
    const auto live = device.live_buffers();
    ASSERT_EQ(live.size(), 1u);
    EXPECT_EQ(live[0].owner, Owner::Binaries);
    EXPECT_EQ(live[0].per_bank, 2048_B);  // ten pages over twelve banks
    EXPECT_EQ(live[0].operand.address, 1'048'576 - 2048);
}

TEST(ProgramCache, binaries_that_do_not_fit_are_out_of_memory) {
    // A full DRAM shows up at the first enqueue of a new program.
    MeshDevice device(0, row_of(1), {});
    allocate(device, "everything", 12 * 511);
    const std::string text =
        error_of([&] { device.enqueue(loose(add_program(1)), plain_bindings(device), {}); });
    EXPECT_TRUE(
        text.starts_with("Out of Memory: Not enough space to allocate 20480 B DRAM buffer "
                         "across 12 banks, where each bank needs to store 2048 B"))
        << text;
    EXPECT_EQ(device.cached_programs(), 0);
}

}  // namespace
}  // namespace dispatch::testing

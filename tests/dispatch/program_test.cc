#include "dispatch/program.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "mesh/bank_allocator.h"

namespace dispatch {
namespace {

using namespace core::literals;
using mesh::BufferType;
using tensor::DType;
using tensor::Layout;

Command labelled(const std::string& label) {
    Command command;
    command.label = label;
    return command;
}

TEST(Instance, carried_values_alternate_between_two) {
    // A layer reads what the layer before it left, and never writes over it.
    const Buffer buffer;
    EXPECT_EQ(instance_of(buffer, Instance::Only, 7), 0);
    for (std::int32_t layer = 0; layer < 5; ++layer) {
        EXPECT_EQ(instance_of(buffer, Instance::CarryIn, layer), layer % 2);
        EXPECT_EQ(instance_of(buffer, Instance::CarryOut, layer),
                  instance_of(buffer, Instance::CarryIn, layer + 1));
    }
}

TEST(Instance, per_layer_values_count_from_the_first_layer_of_their_segment) {
    // Llama-3.1-8B in performance keeps w1 of decoder 31 in bfp8: a buffer of its own.
    Buffer buffer;
    buffer.name = "layers.31-31.feed_forward.w1";
    buffer.first_layer = 31;
    EXPECT_EQ(instance_of(buffer, Instance::Layer, 31), 0);
    EXPECT_EQ(instance_name(buffer, 0), "layers.31.feed_forward.w1");
    buffer.name = "output.lm_head";
    EXPECT_EQ(instance_name(buffer, 0), "output.lm_head");
}

TEST(Program, for_each_unrolls_repeats_in_order_with_layer_numbers) {
    // Readers see layers one after the other; a segment's first layer need not be 0.
    Program program;
    program.segments = {{"prologue", 0, 1, {labelled("embed")}},
                        {"layers 0-1", 0, 2, {labelled("a"), labelled("b")}},
                        {"layers 2-2", 2, 1, {labelled("c")}}};
    std::vector<std::string> seen;
    program.for_each([&](const Command& command, std::int32_t layer) {
        seen.push_back(command.label + std::to_string(layer));
    });
    EXPECT_EQ(seen, (std::vector<std::string>{"embed0", "a0", "b0", "a1", "b1", "c2"}));
    EXPECT_EQ(program.command_count(), 6);
}

TEST(Holders, of_replicated_parts_only_the_first_chip_is_read) {
    // Reading the same logits from every row of a Galaxy would cost eight times the PCIe time.
    using tensor::Placement;
    Buffer buffer;
    EXPECT_EQ(holders(buffer, {2, 3}), (std::vector<std::int32_t>{0}));
    buffer.placement = {Placement::replicated(), Placement::sharded(1)};
    EXPECT_EQ(holders(buffer, {2, 3}), (std::vector<std::int32_t>{0, 1, 2}));
    buffer.placement = {Placement::sharded(1), Placement::replicated()};
    EXPECT_EQ(holders(buffer, {2, 3}), (std::vector<std::int32_t>{0, 3}));
    buffer.placement = {Placement::sharded(1), Placement::sharded(0)};
    EXPECT_EQ(holders(buffer, {2, 3}).size(), 6u);
}

TEST(AllocationRequest, w1_of_llama_8b_is_the_size_of_the_published_message) {
    // tenstorrent/tt-inference-server #314: "33619968 B ... each bank needs to store 2801664 B".
    const tensor::Spec w1{{4096, 14336}, DType::BFloat4_b, Layout::Tile};
    const AllocationRequest request =
        allocation_request(w1, {BufferType::Dram, MemoryLayout::DramWidthSharded, 0}, 12);
    EXPECT_EQ(request.pages, 128 * 456);  // 448 tile columns are padded to 38 per bank
    EXPECT_EQ(request.page, 576_B);
    EXPECT_EQ(request.size, 33'619'968_B);
    EXPECT_EQ(request.banks, 0);
    EXPECT_EQ(mesh::bytes_per_bank(request.pages, request.page, 12, 32_B), 2'801'664_B);
}

TEST(AllocationRequest, interleaved_pages_are_not_padded) {
    // Only whole pages are dealt out: 4096 tiles over 12 banks are 342 in the fullest bank.
    const tensor::Spec spec{{1024, 4096}, DType::BFloat16, Layout::Tile};
    const AllocationRequest request = allocation_request(spec, {}, 12);
    EXPECT_EQ(request.pages, 4096);
    EXPECT_EQ(request.size, 8'388'608_B);
    EXPECT_EQ(mesh::bytes_per_bank(request.pages, request.page, 12, 32_B), 700'416_B);
}

TEST(AllocationRequest, a_row_of_a_row_major_table_is_one_page) {
    // The embedding of Llama 3: 128256 rows of 8192 B, the published 1,050,673,152 B.
    const tensor::Spec table{{128256, 4096}, DType::BFloat16, Layout::RowMajor};
    const AllocationRequest request = allocation_request(table, {}, 12);
    EXPECT_EQ(request.pages, 128256);
    EXPECT_EQ(request.page, 8192_B);
    EXPECT_EQ(request.size, 1'050'673'152_B);
}

TEST(AllocationRequest, a_sharded_l1_tensor_is_dealt_over_its_shards) {
    // 128 tiles on 32 cores are 4 tiles each; on all 64 banks they would be 2.
    const tensor::Spec x{{32, 4096}, DType::BFloat16, Layout::Tile};
    const AllocationRequest request =
        allocation_request(x, {BufferType::L1, MemoryLayout::WidthSharded, 32}, 12);
    EXPECT_EQ(request.type, BufferType::L1);
    EXPECT_EQ(request.banks, 32);
    EXPECT_EQ(mesh::bytes_per_bank(request.pages, request.page, request.banks, 16_B), 8192_B);
}

TEST(AllocationRequest, a_layout_that_makes_no_sense_breaks_a_rule) {
    // Shards without cores and DRAM shards of rows would be charged silently.
    const tensor::Spec tiled{{32, 4096}, DType::BFloat16, Layout::Tile};
    const tensor::Spec rows{{32, 4096}, DType::BFloat16, Layout::RowMajor};
    EXPECT_THROW(allocation_request(tiled, {BufferType::L1, MemoryLayout::WidthSharded, 0}, 12),
                 std::logic_error);
    EXPECT_THROW(
        allocation_request(rows, {BufferType::Dram, MemoryLayout::DramWidthSharded, 0}, 12),
        std::logic_error);
}

}  // namespace
}  // namespace dispatch

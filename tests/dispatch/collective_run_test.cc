#include "dispatch/collective_run.h"

#include <gtest/gtest.h>

#include "tensor/formats.h"

namespace dispatch {
namespace {

using tensor::DType;
using tensor::Shape;
using tensor::Spec;
using Form = CollectiveCommand::Form;

/// A tensor of one rank as values; `expected` and what came out are compared as bytes.
struct Tensor {
    explicit Tensor(Spec of)
        : spec(of), bytes(static_cast<std::size_t>(of.bytes().value)), values(elements()) {}
    std::size_t elements() const { return static_cast<std::size_t>(spec.shape.elements()); }
    void pack() {
        tensor::write_rows(spec, bytes.data(), 0, spec.shape.rows(), values.data(),
                           tensor::Packer::Device);
    }
    tensor::View view() { return {spec, bytes.data()}; }

    Spec spec;
    std::vector<std::byte> bytes;
    std::vector<float> values;
};

/// Integers from -7 to 7: sums over 8 ranks are exact in every format under test.
float value_of(std::int64_t rank, std::int64_t index) {
    return static_cast<float>((rank * 31 + index * 7 + index / 13) % 15 - 7);
}

std::vector<Tensor> inputs(std::int32_t ranks, const Spec& spec) {
    std::vector<Tensor> all(static_cast<std::size_t>(ranks), Tensor(spec));
    for (std::size_t rank = 0; rank < all.size(); ++rank) {
        for (std::size_t i = 0; i < all[rank].values.size(); ++i) {
            all[rank].values[i] =
                value_of(static_cast<std::int64_t>(rank), static_cast<std::int64_t>(i));
        }
        all[rank].pack();
    }
    return all;
}

struct Group {
    fabric::Topology topology = fabric::Topology::Line;
    std::int32_t ranks = 2;
};

std::string text(Group group) {
    return std::string(group.topology == fabric::Topology::Ring ? "ring" : "line") + " of " +
           std::to_string(group.ranks);
}

/// Lines of 2 to 8; rings from 3, or for reductions even ones from 4 (ccl plans no others).
std::vector<Group> groups_for(ccl::Kind kind) {
    std::vector<Group> groups;
    for (std::int32_t ranks = 2; ranks <= 8; ++ranks) {
        groups.push_back({fabric::Topology::Line, ranks});
        const bool reduces = kind == ccl::Kind::ReduceScatter;
        if (ranks >= 3 && !(reduces && ranks % 2 != 0)) {
            groups.push_back({fabric::Topology::Ring, ranks});
        }
    }
    return groups;
}

CollectiveCommand command_of(ccl::Kind kind, Group group, const Spec& part, int dim, Form form) {
    CollectiveCommand command;
    command.collective.kind = kind;
    command.collective.topology = group.topology;
    command.collective.ranks = group.ranks;
    command.collective.slice_pages.assign(static_cast<std::size_t>(group.ranks), part.pages());
    command.collective.page = part.page_bytes();
    command.dim = dim;
    command.form = form;
    return command;
}

/// Runs the command on ranks that are the chips 10, 11, ... of a larger mesh.
std::vector<Tensor> carried(const CollectiveCommand& command, std::vector<Tensor>& in,
                            const Spec& out_spec, InProcessTransport& transport) {
    std::vector<Tensor> out(in.size(), Tensor(out_spec));
    std::vector<std::int32_t> chips;
    std::vector<tensor::View> in_views;
    std::vector<tensor::View> out_views;
    for (std::size_t rank = 0; rank < in.size(); ++rank) {
        chips.push_back(10 + static_cast<std::int32_t>(rank));
        in_views.push_back(in[rank].view());
        out_views.push_back(out[rank].view());
    }
    run_collective(command, ccl::Plan(command.collective), chips, in_views, out_views, transport);
    return out;
}

/// Calls `visit(whole index, part, index in part)` for a shape cut into `parts` along `dim`.
template <class Visit>
void for_each_element(const Shape& whole, int dim, std::int64_t parts, Visit visit) {
    std::int64_t inner = 1;
    for (int axis = dim + 1; axis < whole.rank(); ++axis) inner *= whole[axis];
    const std::int64_t extent = whole[dim] / parts;
    for (std::int64_t i = 0; i < whole.elements(); ++i) {
        const std::int64_t along = i / inner % whole[dim];
        const std::int64_t outer = i / inner / whole[dim];
        const std::int64_t in_part = (outer * extent + along % extent) * inner + i % inner;
        visit(static_cast<std::size_t>(i), static_cast<std::size_t>(along / extent),
              static_cast<std::size_t>(in_part));
    }
}

void expect_gathered(Group group, const Spec& part, int dim) {
    SCOPED_TRACE(text(group) + ", part " + part.shape.text() + ", axis " + std::to_string(dim));
    Spec whole = part;
    whole.shape.set(dim, part.shape[dim] * group.ranks);
    std::vector<Tensor> in = inputs(group.ranks, part);
    Tensor expected(whole);
    for_each_element(whole.shape, dim, group.ranks,
                     [&](std::size_t i, std::size_t rank, std::size_t at) {
                         expected.values[i] = in[rank].values[at];
                     });
    expected.pack();
    InProcessTransport transport(18);
    const CollectiveCommand command =
        command_of(ccl::Kind::AllGather, group, part, dim, Form::AlongDim);
    for (const Tensor& out : carried(command, in, whole, transport)) {
        EXPECT_TRUE(out.bytes == expected.bytes);
    }
}

void expect_scattered(Group group, const Spec& part, int dim) {
    SCOPED_TRACE(text(group) + ", part " + part.shape.text() + ", axis " + std::to_string(dim));
    Spec whole = part;
    whole.shape.set(dim, part.shape[dim] * group.ranks);
    std::vector<Tensor> in = inputs(group.ranks, whole);
    std::vector<Tensor> expected(in.size(), Tensor(part));
    for_each_element(whole.shape, dim, group.ranks,
                     [&](std::size_t i, std::size_t rank, std::size_t at) {
                         for (const Tensor& one : in) expected[rank].values[at] += one.values[i];
                     });
    InProcessTransport transport(18);
    const CollectiveCommand command =
        command_of(ccl::Kind::ReduceScatter, group, part, dim, Form::AlongDim);
    const std::vector<Tensor> out = carried(command, in, part, transport);
    for (std::size_t rank = 0; rank < out.size(); ++rank) {
        expected[rank].pack();
        EXPECT_TRUE(out[rank].bytes == expected[rank].bytes) << "rank " << rank;
    }
}

Spec tiled(Shape shape, DType dtype) { return {shape, dtype, tensor::Layout::Tile}; }

class RunCollective : public ::testing::TestWithParam<DType> {};

INSTANTIATE_TEST_SUITE_P(Formats, RunCollective,
                         ::testing::Values(DType::Float32, DType::BFloat16, DType::BFloat8_b),
                         [](const auto& format) {
                             return std::string(tensor::name(format.param));
                         });

TEST_P(RunCollective, all_gather_joins_whole_tiles_along_any_axis) {
    // Columns (activations), rows (users of 32), and outer axes (heads) land in tile order.
    for (const Group group : groups_for(ccl::Kind::AllGather)) {
        expect_gathered(group, tiled({64, 96}, GetParam()), 1);
        expect_gathered(group, tiled({5, 64}, GetParam()), 1);
        expect_gathered(group, tiled({32, 64}, GetParam()), 0);
        expect_gathered(group, tiled({2, 64, 32}, GetParam()), 0);
        expect_gathered(group, tiled({2, 3, 33, 40}, GetParam()), 1);
    }
}

TEST_P(RunCollective, all_gather_joins_parts_that_are_no_whole_tiles) {
    // Neighbours share a tile then; its 16-value rows are packed again.
    for (const Group group : groups_for(ccl::Kind::AllGather)) {
        expect_gathered(group, tiled({32, 16}, GetParam()), 1);
        expect_gathered(group, tiled({5, 33}, GetParam()), 1);
        expect_gathered(group, tiled({8, 64}, GetParam()), 0);
        expect_gathered(group, tiled({2, 7, 48}, GetParam()), 1);
    }
}

TEST_P(RunCollective, all_gather_stacks_parts_along_a_new_outer_axis) {
    // Partial sums are gathered so before they are reduced; rows keep their padding apart.
    for (const Group group : groups_for(ccl::Kind::AllGather)) {
        SCOPED_TRACE(text(group));
        const Spec part = tiled({5, 48}, GetParam());
        std::vector<Tensor> in = inputs(group.ranks, part);
        Tensor expected(tiled({group.ranks, 5, 48}, GetParam()));
        for (std::size_t i = 0; i < expected.values.size(); ++i) {
            expected.values[i] = in[i / 240].values[i % 240];
        }
        expected.pack();
        InProcessTransport transport(18);
        const CollectiveCommand command =
            command_of(ccl::Kind::AllGather, group, part, 0, Form::Stacked);
        for (const Tensor& out : carried(command, in, expected.spec, transport)) {
            EXPECT_TRUE(out.bytes == expected.bytes);
        }
    }
}

TEST_P(RunCollective, reduce_scatter_sums_whole_tiles) {
    // Every rank ends with the sum of its slice over all ranks.
    for (const Group group : groups_for(ccl::Kind::ReduceScatter)) {
        expect_scattered(group, tiled({64, 96}, GetParam()), 1);
        expect_scattered(group, tiled({3, 32}, GetParam()), 1);
        expect_scattered(group, tiled({32, 64}, GetParam()), 0);
    }
}

TEST_P(RunCollective, reduce_scatter_sums_slices_that_are_no_whole_tiles) {
    // A hidden size of 256 on 32 chips has slices of 8 columns.
    for (const Group group : groups_for(ccl::Kind::ReduceScatter)) {
        expect_scattered(group, tiled({32, 8}, GetParam()), 1);
        expect_scattered(group, tiled({5, 33}, GetParam()), 1);
        expect_scattered(group, tiled({7, 64}, GetParam()), 0);
    }
}

TEST(RunCollectiveOnce, sums_round_in_the_format_of_the_payload) {
    // 256 + 1 is between two bf16 values: the device packer rounds ties away from zero.
    const auto sum = [](DType dtype) {
        std::vector<Tensor> in(2, Tensor(tiled({32, 64}, dtype)));
        in[0].values.assign(in[0].elements(), 256.0F);
        in[1].values.assign(in[1].elements(), 1.0F);
        for (Tensor& one : in) one.pack();
        const Spec part = tiled({32, 32}, dtype);
        const CollectiveCommand command = command_of(
            ccl::Kind::ReduceScatter, {fabric::Topology::Line, 2}, part, 1, Form::AlongDim);
        InProcessTransport transport(18);
        std::vector<Tensor> out = carried(command, in, part, transport);
        std::vector<float> row(32);
        tensor::read_rows(part, out[1].bytes.data(), 31, 1, row.data());
        return row[31];
    };
    EXPECT_EQ(sum(DType::Float32), 257.0F);
    EXPECT_EQ(sum(DType::BFloat16), 258.0F);
}

TEST(RunCollectiveOnce, moves_over_each_hop_what_the_plan_says) {
    // The simulator carries the plan's bytes; these are the real ones, between the group's chips.
    for (const ccl::Kind kind : {ccl::Kind::AllGather, ccl::Kind::ReduceScatter}) {
        for (const Group group : groups_for(kind)) {
            SCOPED_TRACE(ccl::to_text(kind) + ", " + text(group));
            const Spec part = tiled({32, 96}, DType::BFloat16);
            const Spec whole = tiled({32, 96 * group.ranks}, DType::BFloat16);
            const bool gathers = kind == ccl::Kind::AllGather;
            std::vector<Tensor> in = inputs(group.ranks, gathers ? part : whole);
            const CollectiveCommand command = command_of(kind, group, part, 1, Form::AlongDim);
            InProcessTransport transport(18);
            carried(command, in, gathers ? whole : part, transport);

            std::map<fabric::Hop, core::Bytes> expected;
            for (const auto& [ranks, size] : ccl::Plan(command.collective).bytes_by_hop()) {
                expected[{10 + ranks.first, 10 + ranks.second}] = size;
            }
            EXPECT_EQ(transport.bytes_moved(), expected);
        }
    }
}

}  // namespace
}  // namespace dispatch

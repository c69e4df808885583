// Rows on their way to experts and back: each at its place, over the wires only where a router sent
// it, and once to a chip that holds several of its experts.
#include "dispatch/expert_exchange.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tensor/formats.h"

namespace dispatch {
namespace {

using tensor::DType;
using tensor::Spec;
using tensor::View;
using Form = CollectiveCommand::Form;

constexpr std::int64_t kRanks = 4;
constexpr std::int64_t kRows = 8;  // two of each chip
constexpr std::int64_t kExperts = 8;
constexpr std::int64_t kColumns = 40;

struct Tensor {
    explicit Tensor(const Spec& of) : spec(of), bytes(static_cast<std::size_t>(of.bytes().value)) {}
    View view() { return {spec, bytes.data()}; }
    void set(std::int64_t row, const std::vector<float>& values) {
        tensor::write_rows(spec, bytes.data(), row, 1, values.data(), tensor::Packer::Device);
    }
    std::vector<float> row(std::int64_t index) const {
        std::vector<float> values(static_cast<std::size_t>(spec.shape.cols()));
        tensor::read_rows(spec, bytes.data(), index, 1, values.data());
        return values;
    }
    Spec spec;
    std::vector<std::byte> bytes;
};

/// Small integers: exact in bf16, other ones for every row and chip.
std::vector<float> values_of(std::int64_t row, std::int64_t chip = 0) {
    std::vector<float> values;
    for (std::int64_t i = 0; i < kColumns; ++i) {
        values.push_back(static_cast<float>((row * 31 + chip * 7 + i) % 101 - 50));
    }
    return values;
}

/// The experts of each row: of one chip, of two, of all in one place, or none.
const std::vector<std::vector<std::int64_t>> kChosen{{0, 1}, {2, 7}, {4, 5}, {6, 0},
                                                     {3, 3}, {},     {1, 6}, {7, 2}};

bool visits(std::int64_t row, std::int64_t chip) {
    const auto& chosen = kChosen[static_cast<std::size_t>(row)];
    return std::ranges::any_of(chosen, [&](std::int64_t expert) { return expert / 2 == chip; });
}

struct Exchange {
    explicit Exchange(Form form, const Spec& in_spec, const Spec& out_spec,
                      std::int64_t valid = kRows)
        : in(kRanks, Tensor(in_spec)),
          out(kRanks, Tensor(out_spec)),
          routing(kRanks, Tensor({{kRows, kExperts}, DType::BFloat16})) {
        command.form = form;
        command.collective.kind = ccl::Kind::AllToAll;
        command.collective.ranks = kRanks;
        command.collective.slice_pages.assign(kRanks * kRanks, 1);
        command.collective.page = exchanged_row(kColumns, in_spec.dtype);
        for (std::int64_t chip = 0; chip < kRanks; ++chip) fill(chip, form);
        std::vector<View> views[3];
        for (std::size_t chip = 0; chip < kRanks; ++chip) {
            views[0].push_back(in[chip].view());
            views[1].push_back(routing[chip].view());
            views[2].push_back(out[chip].view());
        }
        exchange_rows(command, valid, std::vector<std::int32_t>{0, 1, 2, 3}, views[0], views[1],
                      views[2], transport);
    }

    void fill(std::int64_t chip, Form form) {
        const auto index = static_cast<std::size_t>(chip);
        for (std::int64_t row = 0; row < kRows; ++row) {
            std::vector<float> weights(kExperts, 0.0F);
            for (const std::int64_t expert : kChosen[static_cast<std::size_t>(row)]) {
                weights[static_cast<std::size_t>(expert)] = 0.5F;
            }
            routing[index].set(row, weights);
            if (form == Form::Combine) in[index].set(row, values_of(row, chip + 1));
            if (form == Form::Dispatch && row / 2 == chip) in[index].set(row % 2, values_of(row));
        }
    }

    CollectiveCommand command;
    std::vector<Tensor> in;
    std::vector<Tensor> out;
    std::vector<Tensor> routing;
    InProcessTransport transport{kRanks};
};

const std::vector<float> kZeros(kColumns, 0.0F);

/// Bytes over all hops of the line when each row goes to and from the chips it visits.
std::int64_t expected_bytes(std::int64_t row_bytes, std::int64_t valid) {
    std::int64_t hops = 0;
    for (std::int64_t row = 0; row < valid; ++row) {
        for (std::int64_t chip = 0; chip < kRanks; ++chip) {
            if (visits(row, chip)) hops += std::abs(row / 2 - chip);
        }
    }
    return hops * row_bytes;
}

std::int64_t moved(const Exchange& exchange) {
    std::int64_t sum = 0;
    for (const auto& [hop, bytes] : exchange.transport.bytes_moved()) sum += bytes.value;
    return sum;
}

TEST(ExpertExchange, a_dispatch_brings_every_row_to_the_chips_of_its_experts) {
    // Padding stays at home, and so do rows that no expert of a chip is chosen for.
    for (const std::int64_t valid : {kRows, std::int64_t{3}}) {
        for (const DType dtype : {DType::BFloat16, DType::Float32}) {
            const Exchange exchange(Form::Dispatch, {{2, kColumns}, dtype},
                                    {{kRows, kColumns}, dtype}, valid);
            for (std::int64_t chip = 0; chip < kRanks; ++chip) {
                for (std::int64_t row = 0; row < kRows; ++row) {
                    const bool here = row < valid && visits(row, chip);
                    EXPECT_EQ(exchange.out[static_cast<std::size_t>(chip)].row(row),
                              here ? values_of(row) : kZeros)
                        << chip << " " << row;
                }
            }
            const std::int64_t row_bytes = kColumns * (dtype == DType::Float32 ? 4 : 2);
            EXPECT_EQ(moved(exchange), expected_bytes(row_bytes, valid));
        }
    }
}

TEST(ExpertExchange, a_combine_brings_back_what_each_chip_made) {
    // In the order of the chips; rows of one chip alone leave the second slot empty.
    const DType dtype = DType::BFloat16;
    const Exchange exchange(Form::Combine, {{kRows, kColumns}, dtype}, {{2, 2, kColumns}, dtype});
    for (std::int64_t row = 0; row < kRows; ++row) {
        std::vector<std::vector<float>> slots;
        for (std::int64_t chip = 0; chip < kRanks; ++chip) {
            if (visits(row, chip)) slots.push_back(values_of(row, chip + 1));
        }
        slots.resize(2, kZeros);
        const Tensor& out = exchange.out[static_cast<std::size_t>(row / 2)];
        EXPECT_EQ(out.row(row % 2), slots[0]) << row;
        EXPECT_EQ(out.row(2 + row % 2), slots[1]) << row;
    }
    EXPECT_EQ(moved(exchange), expected_bytes(kColumns * 2, kRows));
}

}  // namespace
}  // namespace dispatch

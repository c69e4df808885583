#include "dispatch/expert_exchange.h"

#include <cstring>
#include <vector>

#include "ccl/carry_out.h"
#include "core/error.h"
#include "tensor/formats.h"

namespace dispatch {
namespace {

using tensor::DType;
using tensor::Spec;
using tensor::View;

constexpr std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

DType on_the_wire(DType dtype) {
    return dtype == DType::Float32 ? DType::Float32 : DType::BFloat16;
}

// Which rows of each owner visit each chip, ascending: the owner's own numbers.
class Visits {
public:
    Visits(std::span<const View> routing, std::int64_t valid)
        : ranks_(static_cast<std::int64_t>(routing.size())), rows_(at(ranks_ * ranks_)) {
        const Spec& spec = routing[0].spec;
        const std::int64_t own = spec.shape[0] / ranks_;
        const std::int64_t experts = spec.shape[1] / ranks_;
        std::vector<float> weights(at(spec.shape[1]));
        for (std::int64_t row = 0; row < std::min(valid, spec.shape[0]); ++row) {
            const std::int64_t owner = row / own;
            tensor::read_rows(spec, routing[at(owner)].data, row, 1, weights.data());
            for (std::int64_t i = 0; i < spec.shape[1]; ++i) {
                std::vector<std::int64_t>& rows = rows_[at(owner * ranks_ + i / experts)];
                const bool is_new = rows.empty() || rows.back() != row % own;
                if (weights[at(i)] != 0.0F && is_new) rows.push_back(row % own);
            }
        }
    }

    std::int64_t ranks() const { return ranks_; }
    const std::vector<std::int64_t>& of(std::int64_t owner, std::int64_t chip) const {
        return rows_[at(owner * ranks_ + chip)];
    }

private:
    std::int64_t ranks_;
    std::vector<std::vector<std::int64_t>> rows_;
};

// Rows as bytes, by the slices of an AllToAll: from * ranks + to.
class RowCarrier {
public:
    RowCarrier(ccl::Collective collective, std::span<const std::int32_t> chips,
               Transport& transport)
        : plan_(std::move(collective)),
          chips_(chips),
          transport_(transport),
          own_(plan_.collective().slice_pages.size()),
          landed_(own_.size() * chips.size()) {}

    void put(std::int64_t slice, std::vector<std::byte> bytes) {
        own_[at(slice)] = std::move(bytes);
    }
    void run() { ccl::carry_out(plan_, *this); }
    /// What rank `to` has of `from` in the end.
    const std::vector<std::byte>& arrived(std::int64_t from, std::int64_t to) const {
        const std::int64_t slice = from * ranks() + to;
        return from == to ? own_[at(slice)] : landed_[place(to, slice)];
    }

    std::vector<std::byte> read(const ccl::Transfer& t) {
        const bool own = t.payload == ccl::Payload::Own;
        const auto& bytes = own ? own_[at(t.slice)] : landed_[place(t.from, t.slice)];
        const auto first = bytes.begin() + t.first_page * page();
        return {first, first + t.pages * page()};
    }

    void land(const ccl::Transfer& t, const std::vector<std::byte>& message) {
        std::vector<std::byte>& bytes = landed_[place(t.to, t.slice)];
        bytes.resize(at(plan_.collective().slice_pages[at(t.slice)] * page()));
        transport_.move({chips_[at(t.from)], chips_[at(t.to)]}, message,
                        bytes.data() + t.first_page * page());
    }

    void finish(const ccl::Sum&) { core::require(false, "an all-to-all sums nothing"); }

private:
    std::int64_t ranks() const { return static_cast<std::int64_t>(chips_.size()); }
    std::int64_t page() const { return plan_.collective().page.value; }
    std::size_t place(std::int64_t rank, std::int64_t slice) const {
        return at(rank * ranks() * ranks() + slice);
    }

    ccl::Plan plan_;
    std::span<const std::int32_t> chips_;
    Transport& transport_;
    std::vector<std::vector<std::byte>> own_;
    std::vector<std::vector<std::byte>> landed_;
};

// Rows of a tensor [.., columns] to and from the bytes that travel.
class RowCoder {
public:
    explicit RowCoder(const Spec& spec)
        : columns_(spec.shape.cols()),
          wire_{{1, columns_}, on_the_wire(spec.dtype), tensor::Layout::RowMajor},
          values_(at(columns_)) {}

    std::vector<std::byte> encode(const View& from, std::int64_t first,
                                  std::span<const std::int64_t> rows) {
        const std::int64_t row_bytes = wire_.bytes().value;
        std::vector<std::byte> bytes(rows.size() * at(row_bytes));
        std::byte* target = bytes.data();
        for (const std::int64_t row : rows) {
            tensor::read_rows(from.spec, from.data, first + row, 1, values_.data());
            tensor::write_rows(wire_, target, 0, 1, values_.data(), tensor::Packer::Device);
            target += row_bytes;
        }
        return bytes;
    }

    void decode(const std::vector<std::byte>& bytes, std::size_t index, const View& to,
                std::int64_t row) {
        const std::size_t offset = index * at(wire_.bytes().value);
        core::require(offset < bytes.size(), "every row that was sent arrives");
        tensor::read_rows(wire_, bytes.data() + offset, 0, 1, values_.data());
        tensor::write_rows(to.spec, to.data, row, 1, values_.data(), tensor::Packer::Device);
    }

private:
    std::int64_t columns_;
    Spec wire_;
    std::vector<float> values_;
};

void clear(const View& view) {
    std::vector<float> zeros(at(view.spec.shape.cols()), 0.0F);
    for (std::int64_t row = 0; row < view.spec.shape.rows(); ++row) {
        tensor::write_rows(view.spec, view.data, row, 1, zeros.data(), tensor::Packer::Device);
    }
}

// Row t of owner i comes to lie at i * own + t.
void deliver_dispatched(const Visits& visits, const RowCarrier& carrier, std::int64_t chip,
                        std::int64_t own, const View& out) {
    RowCoder coder(out.spec);
    for (std::int64_t owner = 0; owner < visits.ranks(); ++owner) {
        const std::vector<std::int64_t>& rows = visits.of(owner, chip);
        for (std::size_t i = 0; i < rows.size(); ++i) {
            coder.decode(carrier.arrived(owner, chip), i, out, owner * own + rows[i]);
        }
    }
}

// What the chips made of a row comes to lie in its slots, in the order of the chips.
void deliver_combined(const Visits& visits, const RowCarrier& carrier, std::int64_t owner,
                      const View& out) {
    RowCoder coder(out.spec);
    const std::int64_t own = out.spec.shape[1];
    std::vector<std::int64_t> slot(at(own), 0);
    for (std::int64_t chip = 0; chip < visits.ranks(); ++chip) {
        const std::vector<std::int64_t>& rows = visits.of(owner, chip);
        for (std::size_t i = 0; i < rows.size(); ++i) {
            const std::int64_t place = slot[at(rows[i])]++ * own + rows[i];
            coder.decode(carrier.arrived(chip, owner), i, out, place);
        }
    }
}

}  // namespace

core::Bytes exchanged_row(std::int64_t columns, DType dtype) {
    return Spec{{1, columns}, on_the_wire(dtype), tensor::Layout::RowMajor}.bytes();
}

void exchange_rows(const CollectiveCommand& command, std::int64_t valid,
                   std::span<const std::int32_t> chips, std::span<const View> in,
                   std::span<const View> routing, std::span<const View> out, Transport& transport) {
    const bool out_bound = command.form == CollectiveCommand::Form::Dispatch;
    const Visits visits(routing, valid);
    const std::int64_t ranks = visits.ranks();
    const std::int64_t own = routing[0].spec.shape[0] / ranks;
    ccl::Collective routed = command.collective;
    const auto rows_of = [&](std::int64_t from, std::int64_t to) -> const auto& {
        return out_bound ? visits.of(from, to) : visits.of(to, from);
    };
    for (std::int64_t slice = 0; slice < ranks * ranks; ++slice) {
        const auto& rows = rows_of(slice / ranks, slice % ranks);
        routed.slice_pages[at(slice)] = static_cast<std::int64_t>(rows.size());
    }
    RowCarrier carrier(routed, chips, transport);
    RowCoder coder(in[0].spec);
    for (std::int64_t slice = 0; slice < ranks * ranks; ++slice) {
        const std::int64_t to = slice % ranks;
        carrier.put(slice, coder.encode(in[at(slice / ranks)], out_bound ? 0 : to * own,
                                        rows_of(slice / ranks, to)));
    }
    carrier.run();
    for (std::int64_t rank = 0; rank < ranks; ++rank) {
        clear(out[at(rank)]);
        if (out_bound) {
            deliver_dispatched(visits, carrier, rank, own, out[at(rank)]);
        } else {
            deliver_combined(visits, carrier, rank, out[at(rank)]);
        }
    }
}

}  // namespace dispatch

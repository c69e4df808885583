// Carriers for the tests: integers for values, counters for bytes, and one that loses a message.
// Invariant: written from the comment of ccl/carry_out.h alone, and stricter: reading what has not
// landed, or landing twice, throws. One page is one integer.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <stdexcept>
#include <tuple>
#include <utility>
#include <vector>

#include "ccl/carry_out.h"

namespace ccl_test {

using Values = std::vector<std::int64_t>;
using HopBytes = std::map<std::pair<std::int32_t, std::int32_t>, core::Bytes>;

class IntegerCarrier {
public:
    IntegerCarrier(const ccl::Plan& plan, std::uint32_t seed) : plan_(plan), random_(seed) {
        const ccl::Collective& all = plan.collective();
        for (std::int32_t slice = 0; slice < slices(); ++slice) {
            for (std::int32_t rank = 0; rank < all.ranks; ++rank) {
                if (!has_input(rank, slice)) continue;
                Values& values = inputs_[{rank, slice}];
                for (std::int64_t i = 0; i < pages(slice); ++i) {
                    values.push_back(static_cast<std::int64_t>(random_() % 1000));
                }
            }
        }
    }

    Values read(const ccl::Transfer& transfer) const {
        Values message;
        for (std::int64_t i = 0; i < transfer.pages; ++i) {
            const std::int64_t page = transfer.first_page + i;
            std::int64_t value = 0;
            if (transfer.payload != ccl::Payload::Landed) {
                value += inputs_.at({transfer.from, transfer.slice}).at(index(page));
            }
            if (transfer.payload != ccl::Payload::Own) {
                const auto landed = landed_page(transfer.from, transfer.slice, transfer.lane, page);
                if (!landed && transfer.payload == ccl::Payload::Landed) {
                    throw std::logic_error("read before it landed");
                }
                value += landed.value_or(0);
            }
            message.push_back(value);
        }
        return message;
    }

    void land(const ccl::Transfer& transfer, const Values& message) {
        for (std::int64_t i = 0; i < transfer.pages; ++i) {
            store(transfer.to, transfer.slice, transfer.lane, transfer.first_page + i,
                  message.at(index(i)));
        }
    }

    void finish(const ccl::Sum& sum) {
        for (std::int64_t page = 0; page < pages(sum.slice); ++page) {
            std::int64_t value = 0;
            for (const std::int32_t term : sum.terms) {
                value += term == ccl::kOwnTerm
                             ? input(sum.rank, sum.slice).at(index(page))
                             : landed_page(sum.rank, sum.slice, term, page).value();
            }
            store(sum.rank, sum.slice, plan_.output_lane(), page, value);
        }
    }

    const Values& input(std::int32_t rank, std::int32_t slice) const {
        return inputs_.at({rank, slice});
    }
    void set_input(std::int32_t rank, std::int32_t slice, Values values) {
        inputs_[{rank, slice}] = std::move(values);
    }

    /// What a rank ends with, by slice.
    std::map<std::int32_t, Values> result(std::int32_t rank) const {
        std::map<std::int32_t, Values> result;
        for (std::int32_t slice = 0; slice < slices(); ++slice) {
            if (!ends_with(rank, slice)) continue;
            if (!reduces() && has_input(rank, slice)) {
                result[slice] = input(rank, slice);
                continue;
            }
            Values& values = result[slice];
            for (std::int64_t page = 0; page < pages(slice); ++page) {
                values.push_back(landed_page(rank, slice, plan_.output_lane(), page).value());
            }
        }
        return result;
    }

    /// The same by the meaning of the collective, without a plan.
    std::map<std::int32_t, Values> expected(std::int32_t rank) const {
        std::map<std::int32_t, Values> expected;
        for (std::int32_t slice = 0; slice < slices(); ++slice) {
            if (!ends_with(rank, slice)) continue;
            Values& values = expected[slice];
            values.assign(index(pages(slice)), 0);
            for (std::int32_t source = 0; source < plan_.collective().ranks; ++source) {
                if (!has_input(source, slice)) continue;
                for (std::size_t i = 0; i < values.size(); ++i) {
                    values[i] += input(source, slice).at(i);
                }
            }
        }
        return expected;
    }

private:
    static std::size_t index(std::int64_t page) { return static_cast<std::size_t>(page); }
    std::int32_t slices() const {
        return static_cast<std::int32_t>(plan_.collective().slice_pages.size());
    }
    std::int64_t pages(std::int32_t slice) const {
        return plan_.collective().slice_pages.at(index(slice));
    }
    bool reduces() const {
        const ccl::Kind kind = plan_.collective().kind;
        return kind == ccl::Kind::ReduceScatter || kind == ccl::Kind::AllReduce;
    }

    bool has_input(std::int32_t rank, std::int32_t slice) const {
        const ccl::Collective& all = plan_.collective();
        switch (all.kind) {
            case ccl::Kind::AllGather:
                return slice == rank;
            case ccl::Kind::ReduceScatter:
            case ccl::Kind::AllReduce:
                return true;
            case ccl::Kind::AllToAll:
                return slice / all.ranks == rank;
            case ccl::Kind::Broadcast:
            case ccl::Kind::PointToPoint:
                return rank == all.root;
        }
        throw std::logic_error("unknown kind");
    }

    bool ends_with(std::int32_t rank, std::int32_t slice) const {
        const ccl::Collective& all = plan_.collective();
        switch (all.kind) {
            case ccl::Kind::AllGather:
            case ccl::Kind::AllReduce:
            case ccl::Kind::Broadcast:
                return true;
            case ccl::Kind::ReduceScatter:
                return slice == rank;
            case ccl::Kind::AllToAll:
                return slice % all.ranks == rank;
            case ccl::Kind::PointToPoint:
                return rank == all.target;
        }
        throw std::logic_error("unknown kind");
    }

    std::optional<std::int64_t> landed_page(std::int32_t rank, std::int32_t slice,
                                            std::int32_t lane, std::int64_t page) const {
        const auto found = landed_.find({rank, slice, lane, page});
        if (found == landed_.end()) return std::nullopt;
        return found->second;
    }

    void store(std::int32_t rank, std::int32_t slice, std::int32_t lane, std::int64_t page,
               std::int64_t value) {
        if (!landed_.insert({{rank, slice, lane, page}, value}).second) {
            throw std::logic_error("a page landed twice");
        }
    }

    const ccl::Plan& plan_;
    std::mt19937 random_;
    std::map<std::pair<std::int32_t, std::int32_t>, Values> inputs_;
    std::map<std::tuple<std::int32_t, std::int32_t, std::int32_t, std::int64_t>, std::int64_t>
        landed_;
};

/// Counts what lands; can lose one transfer on the way, the `lost`-th of the plan.
class CountingCarrier {
public:
    explicit CountingCarrier(core::Bytes page, std::int64_t lost = -1) : page_(page), lost_(lost) {}

    core::Bytes read(const ccl::Transfer& transfer) const { return page_ * transfer.pages; }
    void land(const ccl::Transfer& transfer, core::Bytes message) {
        if (transfers_++ != lost_) moved_[{transfer.from, transfer.to}] += message;
    }
    void finish(const ccl::Sum&) { ++sums_; }

    const HopBytes& moved() const { return moved_; }
    std::int64_t transfers() const { return transfers_; }
    std::int64_t sums() const { return sums_; }

private:
    core::Bytes page_;
    std::int64_t lost_;
    std::int64_t transfers_ = 0;
    std::int64_t sums_ = 0;
    HopBytes moved_;
};

}  // namespace ccl_test

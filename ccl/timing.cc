#include "ccl/timing.h"

#include <algorithm>
#include <map>
#include <memory>
#include <tuple>
#include <utility>

#include "core/error.h"

namespace ccl {
namespace {

/// A transfer, or a local sum (from == to, no bytes).
struct Node {
    std::int32_t from = 0;
    std::int32_t to = 0;
    core::Bytes size;
    std::int32_t waits = 1;  // the rank's start, and what must have landed before
    std::vector<std::size_t> next;
};

/// What a page range of (rank, slice, lane) is waiting for; keyed by its first page.
struct Landing {
    std::int64_t end = 0;
    std::size_t node = 0;
};

/// Turns a plan into nodes: who waits for whose landing.
class Dependencies {
public:
    explicit Dependencies(const Plan& plan) : plan_(plan) {
        const std::int32_t steps = plan.step_count();
        for (std::int32_t index = 0; index <= steps; ++index) {
            if (index == plan.gather_phase()) {
                for (const Sum& sum : plan.sums()) add(sum);
            }
            if (index == steps) break;
            for (const Transfer& transfer : plan.step(index)) add(transfer);
        }
    }

    std::vector<Node> take() { return std::move(nodes_); }

private:
    using Key = std::tuple<std::int32_t, std::int32_t, std::int32_t, std::int64_t>;

    void add(const Transfer& transfer) {
        const std::size_t node = nodes_.size();
        nodes_.push_back(
            {transfer.from, transfer.to, plan_.collective().page * transfer.pages, 1, {}});
        const std::int64_t end = transfer.first_page + transfer.pages;
        if (transfer.payload != Payload::Own) {
            const std::int64_t landed = wait_for(
                {transfer.from, transfer.slice, transfer.lane, transfer.first_page}, end, node);
            core::require(transfer.payload != Payload::Landed || landed == transfer.pages,
                          "a relay sends on only what lands at it");
        }
        landings_[{transfer.to, transfer.slice, transfer.lane, transfer.first_page}] = {end, node};
    }

    void add(const Sum& sum) {
        const std::size_t node = nodes_.size();
        const auto& slices = plan_.collective().slice_pages;
        const std::int64_t pages = slices[static_cast<std::size_t>(sum.slice)];
        nodes_.push_back({sum.rank, sum.rank, {}, 1, {}});
        for (const std::int32_t lane : sum.terms) {
            if (lane == kOwnTerm) continue;
            const std::int64_t landed = wait_for({sum.rank, sum.slice, lane, 0}, pages, node);
            core::require(landed == pages, "a sum has all pages of its lanes");
        }
        landings_[{sum.rank, sum.slice, plan_.output_lane(), 0}] = {pages, node};
    }

    /// `node` waits for all that lands on the pages from `first` to `end`; returns how many do.
    std::int64_t wait_for(const Key& first, std::int64_t end, std::size_t node) {
        const auto [rank, slice, lane, page] = first;
        std::int64_t landed = 0;
        auto at = landings_.upper_bound(first);
        if (at != landings_.begin()) --at;
        for (; at != landings_.end() && at->first < Key{rank, slice, lane, end}; ++at) {
            const Landing& landing = at->second;
            if (at->first < Key{rank, slice, lane, 0} || landing.end <= page) continue;
            landed += std::min(end, landing.end) - std::max(page, std::get<3>(at->first));
            nodes_[landing.node].next.push_back(node);
            ++nodes_[node].waits;
        }
        return landed;
    }

    const Plan& plan_;
    std::vector<Node> nodes_;
    std::map<Key, Landing> landings_;
};

/// Lives in the events it has scheduled, until the last of them has run.
class Player : public std::enable_shared_from_this<Player> {
public:
    Player(const Plan& plan, std::span<const std::int32_t> chips, fabric::Network& network,
           Playing& result)
        : nodes_(Dependencies(plan).take()),
          chips_(chips.begin(), chips.end()),
          links_(plan.collective().links),
          network_(network),
          result_(result) {}

    void start(std::vector<core::SimTime> starts) {
        for (std::size_t rank = 0; rank < starts.size(); ++rank) {
            network_.queue().schedule(starts[rank],
                                      [self = shared_from_this(), rank] { self->begin(rank); });
        }
        result_.done = std::move(starts);
    }

private:
    void begin(std::size_t rank) {
        for (std::size_t node = 0; node < nodes_.size(); ++node) {
            if (static_cast<std::size_t>(nodes_[node].from) == rank) release(node);
        }
    }

    void release(std::size_t index) {
        Node& node = nodes_[index];
        core::require(node.waits > 0, "a transfer waits for each landing once");
        if (--node.waits > 0) return;
        if (node.from == node.to) {
            complete(index, network_.queue().now());
            return;
        }
        network_.send({chip(node.from), chip(node.to)}, node.size, links_,
                      [self = shared_from_this(), index](core::SimTime when) {
                          self->complete(index, when);
                      });
    }

    void complete(std::size_t index, core::SimTime when) {
        const Node& node = nodes_[index];
        for (const std::int32_t rank : {node.from, node.to}) {
            core::SimTime& done = result_.done[static_cast<std::size_t>(rank)];
            done = std::max(done, when);
        }
        for (const std::size_t next : node.next) release(next);
    }

    std::int32_t chip(std::int32_t rank) const { return chips_[static_cast<std::size_t>(rank)]; }

    std::vector<Node> nodes_;
    std::vector<std::int32_t> chips_;
    std::int32_t links_;
    fabric::Network& network_;
    Playing& result_;
};

}  // namespace

void play(const Plan& plan, std::span<const std::int32_t> chips,
          std::span<const core::SimTime> ready, core::Picoseconds setup, fabric::Network& network,
          Playing& result) {
    const auto ranks = static_cast<std::size_t>(plan.collective().ranks);
    core::require(chips.size() == ranks && ready.size() == ranks,
                  "a collective is played with one chip and one ready time per rank");
    std::vector<core::SimTime> starts;
    for (const core::SimTime input : ready) {
        starts.push_back(std::max(input + setup, network.queue().now()));
    }
    std::make_shared<Player>(plan, chips, network, result)->start(std::move(starts));
}

}  // namespace ccl

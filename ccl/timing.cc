#include "ccl/timing.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "ccl/costs.h"
#include "ccl/dependencies.h"
#include "ccl/uniform_ring.h"
#include "ccl/waits.h"
#include "core/error.h"

namespace ccl {

namespace {
constexpr core::SimTime kNever = core::SimTime::max();
}  // namespace

/// Lives in the events it has scheduled, until the last of them has run.
class Player : public std::enable_shared_from_this<Player> {
public:
    Player(Plan plan, std::span<const std::int32_t> chips, fabric::Network& network,
           Playing& result)
        : plan_(std::move(plan)),
          phases_(phases_of(plan_)),
          chips_(chips.begin(), chips.end()),
          network_(network),
          result_(result) {}

    void start(std::vector<core::SimTime> ready) {
        result_.done = std::move(ready);
        result_.player = shared_from_this();
        next_phase();
    }

    /// What has not come, when nothing is under way any more; empty when all is over.
    std::vector<Wait> waits() const {
        if (open_ == 0) return {};
        std::vector<Wait> waits = barrier_waits_;
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            const Node& node = nodes_[i];
            if (is_over_[i] || node.from == node.to || waits_at_barrier(node.to)) continue;
            waits.push_back({chip(node.to), chip(node.from), Wait::For::Data});
        }
        return waits;
    }

    const fabric::Mesh& mesh() const { return network_.mesh(); }

    bool waits_at_barrier(std::int32_t rank) const {
        return std::ranges::any_of(barrier_waits_,
                                   [at = chip(rank)](const Wait& wait) { return wait.chip == at; });
    }

private:
    void next_phase() {
        if (phase_ == phases_.size()) return;
        const Phase& phase = phases_[phase_++];
        costs_.emplace(plan_.collective(), phase.movement, network_.mesh().system.link);
        nodes_ = nodes_of(plan_, phase);
        latest_.assign(nodes_.size(), {});
        is_over_.assign(nodes_.size(), false);
        barrier_waits_.clear();
        injected_.clear();
        open_ = nodes_.size() + chips_.size();
        result_.done = starts(result_.done);
        for (std::size_t rank = 0; rank < chips_.size(); ++rank) {
            if (result_.done[rank] == kNever) continue;
            network_.queue().schedule(result_.done[rank],
                                      [self = shared_from_this(), rank] { self->begin(rank); });
        }
    }

    /// When each rank may send; with a barrier, after every other's semaphore.
    std::vector<core::SimTime> starts(const std::vector<core::SimTime>& ready) {
        const auto ranks = static_cast<std::int32_t>(ready.size());
        std::vector<core::SimTime> starts;
        for (std::int32_t rank = 0; rank < ranks; ++rank) {
            core::SimTime start{};
            for (std::int32_t other = 0; other < ranks; ++other) {
                if (other != rank && !costs_->has_entry_barrier()) continue;
                const std::optional<std::int64_t> hops = semaphore_hops(other, rank);
                if (!hops) {
                    barrier_waits_.push_back({chip(rank), chip(other), Wait::For::Barrier});
                    start = kNever;
                }
                if (start == kNever) continue;
                const core::SimTime input =
                    std::max(ready[static_cast<std::size_t>(other)], network_.queue().now());
                start = std::max(start, input + costs_->setup() + costs_->semaphore_hop() * *hops);
            }
            starts.push_back(start);
        }
        return starts;
    }

    /// Links a rank's semaphore crosses to another rank, the shorter way around a ring; nullopt
    /// when a stopped router keeps it.
    std::optional<std::int64_t> semaphore_hops(std::int32_t from, std::int32_t to) const {
        const auto ranks = static_cast<std::int32_t>(chips_.size());
        const std::int32_t straight = std::abs(from - to);
        const bool around =
            plan_.collective().topology == fabric::Topology::Ring && ranks - straight < straight;
        const std::int32_t hops = around ? ranks - straight : straight;
        if (mesh().system.wiring.stopped.empty()) return hops;
        const std::int32_t step = (to > from) != around ? 1 : ranks - 1;
        std::int64_t crossed = 0;
        for (std::int32_t at = from; at != to; at = (at + step) % ranks) {
            const auto& way = network_.way({chip(at), chip((at + step) % ranks)});
            if (way.empty()) return std::nullopt;
            crossed += static_cast<std::int64_t>(way.size());
        }
        return crossed;
    }

    void begin(std::size_t rank) {
        for (std::size_t node = 0; node < nodes_.size(); ++node) {
            if (static_cast<std::size_t>(nodes_[node].from) == rank) release(node, {});
        }
        closed();
    }

    /// `not_before`: when the last byte of what it relays leaves the hop before at the earliest.
    void release(std::size_t index, core::SimTime not_before) {
        Node& node = nodes_[index];
        core::require(node.waits > 0, "a transfer waits for each landing once");
        latest_[index] = std::max(latest_[index], not_before);
        if (--node.waits > 0) return;
        const core::SimTime now = network_.queue().now();
        if (node.from == node.to) {
            at(now + costs_->sum(node.pages), [index](Player& player) { player.complete(index); });
        } else if (node.is_relay && costs_->relay().count() > 0) {
            at(now + costs_->relay(), [index](Player& player) { player.send(index); });
        } else {
            send(index);
        }
    }

    void send(std::size_t index) {
        const Node& node = nodes_[index];
        const bool forwards = costs_->routers_forward();
        fabric::Network::Message message;
        message.size = plan_.collective().page * node.pages;
        message.links = plan_.collective().links;
        message.occupied = costs_->occupied(node.from, node.to, node.pages);
        message.latency =
            forwards && node.is_relay ? costs_->forwarded_latency() : costs_->latency(node.pages);
        message.not_before = latest_[index];
        const std::optional<core::SimTime> begin = network_.send(
            {chip(node.from), chip(node.to)}, message,
            [self = shared_from_this(), index](core::SimTime) { self->complete(index); });
        if (!begin) return;
        if (!node.is_relay) inject(node, message.latency);
        if (forwards) forward(index, *begin, message);
    }

    /// The workers hand over the pages of a rank one after the other, beside the wire.
    void inject(const Node& node, core::Picoseconds latency) {
        core::SimTime& until = injected_[{node.from, node.to}];
        until = std::max(until, network_.queue().now()) + costs_->injection(node.pages);
        finish(node, until + latency);
    }

    /// What passes through a router follows its first packet.
    void forward(std::size_t index, core::SimTime begin, const fabric::Network::Message& message) {
        const core::Picoseconds head =
            std::min(costs_->first_packet(nodes_[index].pages), message.occupied);
        const core::SimTime last =
            std::max(begin + message.occupied, message.not_before) + message.latency;
        at(begin + head + message.latency, [index, last](Player& player) {
            for (const std::size_t next : player.nodes_[index].next) {
                if (player.is_transfer(next)) player.release(next, last);
            }
        });
    }

    void complete(std::size_t index) {
        const Node& node = nodes_[index];
        is_over_[index] = true;
        finish(node, network_.queue().now());
        for (const std::size_t next : node.next) {
            if (!costs_->routers_forward() || !is_transfer(next)) release(next, {});
        }
        closed();
    }

    bool is_transfer(std::size_t index) const { return nodes_[index].from != nodes_[index].to; }

    void finish(const Node& node, core::SimTime when) {
        for (const std::int32_t rank : {node.from, node.to}) {
            core::SimTime& done = result_.done[static_cast<std::size_t>(rank)];
            done = std::max(done, when);
        }
    }

    /// One node, or one rank's begin, is over; after the last the phase is.
    void closed() {
        if (--open_ > 0) return;
        if (!nodes_.empty()) {
            for (core::SimTime& done : result_.done) done += costs_->fill();
        }
        next_phase();
    }

    template <class Act>
    void at(core::SimTime when, Act act) {
        network_.queue().schedule(when, [self = shared_from_this(), act] { act(*self); });
    }

    std::int32_t chip(std::int32_t rank) const { return chips_[static_cast<std::size_t>(rank)]; }

    Plan plan_;
    std::vector<Phase> phases_;
    std::vector<std::int32_t> chips_;
    fabric::Network& network_;
    Playing& result_;
    std::size_t phase_ = 0;
    std::optional<PhaseCosts> costs_;
    std::vector<Node> nodes_;
    std::vector<core::SimTime> latest_;  // per node: its last byte leaves no earlier
    std::map<std::pair<std::int32_t, std::int32_t>, core::SimTime> injected_;  // per hop
    std::vector<bool> is_over_;                                                // per node
    std::vector<Wait> barrier_waits_;  // semaphores that never come
    std::size_t open_ = 0;             // nodes and ranks of this phase that are not over
};

void require_ended(const Playing& playing) {
    if (playing.player == nullptr) return;
    const std::vector<Wait> waits = playing.player->waits();
    if (!waits.empty()) throw hang_of(waits, playing.player->mesh());
}

void play(const Plan& plan, std::span<const std::int32_t> chips,
          std::span<const core::SimTime> ready, fabric::Network& network, Playing& result) {
    const auto ranks = static_cast<std::size_t>(plan.collective().ranks);
    core::require(chips.size() == ranks && ready.size() == ranks,
                  "a collective is played with one chip and one ready time per rank");
    const bool is_whole = network.mesh().system.wiring.stopped.empty();
    if (plan.collective().ranks > kMostPlayed && is_whole && is_uniform_ring(plan, ready)) {
        const core::SimTime start = std::max(ready.front(), network.queue().now());
        const core::SimTime end = start + play_uniform_ring(plan, chips, network);
        result.done.assign(ranks, end);
        network.queue().schedule(end, [] {});
        return;
    }
    std::make_shared<Player>(plan, chips, network, result)->start({ready.begin(), ready.end()});
}

core::Picoseconds time_alone(const Plan& plan, const fabric::Mesh& mesh,
                             std::span<const std::int32_t> chips) {
    core::EventQueue queue;
    fabric::Network network(mesh, queue);
    Playing playing;
    const std::vector<core::SimTime> ready(chips.size());
    play(plan, chips, ready, network, playing);
    queue.run_all();
    require_ended(playing);
    return std::max_element(playing.done.begin(), playing.done.end())->time_since_epoch();
}

}  // namespace ccl

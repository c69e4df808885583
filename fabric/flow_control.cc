// One sweep over the routers moves at most one packet per channel; when a sweep moves none, none
// will ever move.
#include "fabric/flow_control.h"

#include <deque>
#include <numeric>
#include <span>

#include "core/error.h"

namespace fabric {
namespace {

struct Router {
    std::deque<Flow> own;               // not sent yet
    std::deque<std::int32_t> passing;   // hops left, of packets for the next link
    std::deque<std::int32_t> received;  // hops left, of packets that came over the link before
    bool own_turn = true;               // the two sender channels take turns
};

class Ring {
public:
    Ring(const std::vector<std::vector<Flow>>& flows, Slots slots, FabricConfig config)
        : slots_(slots), config_(config) {
        for (const std::vector<Flow>& own : flows) {
            Router router;
            for (const Flow& flow : own) {
                core::require(flow.hops >= 1, "a packet crosses at least one link");
                if (flow.packets > 0) router.own.push_back(flow);
            }
            routers_.push_back(std::move(router));
        }
    }

    void run() {
        while (sweep()) {
        }
    }

    /// The routers that still hold packets. They are all of the ring: one that is not full would
    /// let the packets before it move.
    std::vector<std::int32_t> at_rest() const {
        std::vector<std::int32_t> waiting;
        for (std::size_t i = 0; i < routers_.size(); ++i) {
            const Router& router = routers_[i];
            if (!router.received.empty() || !router.passing.empty()) {
                waiting.push_back(static_cast<std::int32_t>(i));
            }
        }
        return waiting;
    }

private:
    bool sweep() {
        bool moved = false;
        for (std::size_t i = 0; i < routers_.size(); ++i) {
            moved = take(routers_[i]) || moved;
            moved = send(routers_[i], routers_[(i + 1) % routers_.size()]) || moved;
        }
        return moved;
    }

    /// The oldest packet received: to a worker, which always has room, or on its way further.
    bool take(Router& router) const {
        if (router.received.empty()) return false;
        const std::int32_t left = router.received.front();
        if (left > 0) {
            if (router.passing.size() >= size(slots_.sender)) return false;
            router.passing.push_back(left);
        }
        router.received.pop_front();
        return true;
    }

    /// One packet over the link.
    bool send(Router& from, Router& to) const {
        const std::size_t room = size(slots_.receiver) - to.received.size();
        const bool can_pass = !from.passing.empty() && room >= 1;
        const std::size_t needed = config_ == FabricConfig::Ring ? 2 : 1;
        const bool can_send = !from.own.empty() && room >= needed;
        if (can_send && (from.own_turn || !can_pass)) {
            Flow& flow = from.own.front();
            to.received.push_back(flow.hops - 1);
            if (--flow.packets == 0) from.own.pop_front();
            from.own_turn = false;
            return true;
        }
        if (!can_pass) return false;
        to.received.push_back(from.passing.front() - 1);
        from.passing.pop_front();
        from.own_turn = true;
        return true;
    }

    static std::size_t size(std::int32_t slots) { return static_cast<std::size_t>(slots); }

    Slots slots_;
    FabricConfig config_;
    std::vector<Router> routers_;
};

}  // namespace

// tt_metal/fabric/builder/fabric_static_sized_channels_allocator.cpp (2026-05-23), line and ring.
// GUESS: the second of its options, as the first seldom fits the memory of a router.
Slots slots_of(mesh::Arch arch) {
    return arch == mesh::Arch::Blackhole ? Slots{16, 32} : Slots{8, 16};
}

std::vector<std::int32_t> deadlock_of(const std::vector<std::vector<Flow>>& flows, Slots slots,
                                      FabricConfig config) {
    Ring ring(flows, slots, config);
    ring.run();
    return ring.at_rest();
}

}  // namespace fabric

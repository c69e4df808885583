#include "ccl/dependencies.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "core/error.h"

namespace ccl {
namespace {

/// What a page range of (rank, slice, lane) is waiting for; keyed by its first page.
struct Landing {
    std::int64_t end = 0;
    std::size_t node = 0;
};

class Dependencies {
public:
    Dependencies(const Plan& plan, const Phase& phase) : plan_(plan), first_(phase.first) {
        for (std::int32_t index = phase.first; index < phase.end; ++index) {
            for (const Transfer& transfer : plan.step(index)) add(transfer);
        }
        if (phase.end != plan.gather_phase()) return;
        for (const Sum& sum : plan.sums()) add(sum);
    }

    std::vector<Node> take() { return std::move(nodes_); }

private:
    using Key = std::tuple<std::int32_t, std::int32_t, std::int32_t, std::int64_t>;

    void add(const Transfer& transfer) {
        const std::size_t node = nodes_.size();
        nodes_.push_back({transfer.from, transfer.to, transfer.pages, 1, false, {}});
        const std::int64_t end = transfer.first_page + transfer.pages;
        if (transfer.payload != Payload::Own) {
            const std::int64_t landed = wait_for(
                {transfer.from, transfer.slice, transfer.lane, transfer.first_page}, end, node);
            nodes_[node].is_relay = landed > 0;
            const bool is_own_sum = first_ > 0 && landed == 0;  // summed in the phase before
            core::require(
                transfer.payload != Payload::Landed || is_own_sum || landed == transfer.pages,
                "a relay sends on only what lands at it");
        }
        landings_[{transfer.to, transfer.slice, transfer.lane, transfer.first_page}] = {end, node};
    }

    void add(const Sum& sum) {
        const std::size_t node = nodes_.size();
        const auto& slices = plan_.collective().slice_pages;
        const std::int64_t pages = slices[static_cast<std::size_t>(sum.slice)];
        nodes_.push_back({sum.rank, sum.rank, pages, 1, false, {}});
        for (const std::int32_t lane : sum.terms) {
            if (lane == kOwnTerm) continue;
            const std::int64_t landed = wait_for({sum.rank, sum.slice, lane, 0}, pages, node);
            core::require(landed == pages, "a sum has all pages of its lanes");
        }
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
    std::int32_t first_;
    std::vector<Node> nodes_;
    std::map<Key, Landing> landings_;
};

}  // namespace

std::vector<Node> nodes_of(const Plan& plan, const Phase& phase) {
    return Dependencies(plan, phase).take();
}

}  // namespace ccl

#include "fabric/wiring.h"

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace fabric {
namespace {

std::int32_t links_in(const std::vector<Edge>& edges, ChipId a, ChipId b) {
    if (b < a) std::swap(a, b);
    const auto before = [](const Edge& edge, const std::pair<ChipId, ChipId>& key) {
        return std::pair(edge.a, edge.b) < key;
    };
    const auto at = std::lower_bound(edges.begin(), edges.end(), std::pair(a, b), before);
    return at != edges.end() && at->a == a && at->b == b ? at->links : 0;
}

}  // namespace

std::int32_t Wiring::links_between(ChipId a, ChipId b) const { return links_in(edges, a, b); }

std::int32_t Wiring::built_between(ChipId a, ChipId b) const {
    return links_in(edges, a, b) + links_in(cut, a, b);
}

const StoppedRouter* Wiring::stopped_between(ChipId a, ChipId b) const {
    const auto found =
        std::find_if(stopped.begin(), stopped.end(), [&](const StoppedRouter& router) {
            return router == StoppedRouter{a, b} || router == StoppedRouter{b, a};
        });
    return found == stopped.end() ? nullptr : &*found;
}

std::int32_t Wiring::total_links() const {
    std::int32_t total = 0;
    for (const Edge& edge : edges) total += edge.links;
    return total;
}

std::vector<ChipId> Wiring::neighbours(ChipId chip) const {
    std::vector<ChipId> result;
    for (const Edge& edge : edges) {
        if (edge.a == chip) result.push_back(edge.b);
        if (edge.b == chip) result.push_back(edge.a);
    }
    std::sort(result.begin(), result.end());
    return result;
}

core::BytesPerSecond payload_rate(const LinkSpec& link) {
    const core::Bytes packet = link.packet_payload + link.packet_header;
    core::require(link.packet_payload.value > 0 && link.ethernet_frame.value > 0,
                  "a link carries packets in frames");
    const std::int64_t frames = core::ceil_div(packet.value, link.ethernet_frame.value);
    const core::Bytes on_the_wire = packet + link.ethernet_overhead * frames;
    const core::detail::Wide scaled =
        core::detail::Wide{link.line_rate.value} * link.packet_payload.value;
    return {static_cast<std::int64_t>(scaled / on_the_wire.value)};
}

}  // namespace fabric

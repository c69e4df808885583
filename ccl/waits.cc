#include "ccl/waits.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace ccl {
namespace {

using Graph = std::map<std::int32_t, std::set<std::int32_t>>;

Graph graph_of(std::span<const Wait> waits) {
    Graph graph;
    for (const Wait& wait : waits) graph[wait.chip].insert(wait.sender);
    return graph;
}

/// The shortest way from `first` back to itself; empty when there is none.
std::vector<std::int32_t> way_back(const Graph& graph, std::int32_t first) {
    std::map<std::int32_t, std::int32_t> before;
    std::vector<std::int32_t> reached{first};
    for (std::size_t i = 0; i < reached.size(); ++i) {
        const auto at = graph.find(reached[i]);
        if (at == graph.end()) continue;
        for (const std::int32_t next : at->second) {
            if (!before.try_emplace(next, reached[i]).second) continue;
            if (next != first) {
                reached.push_back(next);
                continue;
            }
            std::vector<std::int32_t> way;
            for (std::int32_t back = before.at(first); back != first; back = before.at(back)) {
                way.push_back(back);
            }
            way.push_back(first);
            std::reverse(way.begin(), way.end());
            return way;
        }
    }
    return {};
}

std::string chips_text(const fabric::Mesh& mesh, const std::set<std::int32_t>& chips) {
    std::vector<std::int32_t> numbers;
    for (const std::int32_t chip : chips) {
        numbers.push_back(mesh.chips[static_cast<std::size_t>(chip)].value);
    }
    return fmt::format("chip{} {}", numbers.size() == 1 ? "" : "s", fmt::join(numbers, ", "));
}

const char* for_what(Wait::For what) {
    switch (what) {
        case Wait::For::Barrier:
            return "at its barrier for";
        case Wait::For::Slot:
            return "for a free slot of the router of";
        case Wait::For::Data:
            break;
    }
    return "for";
}

}  // namespace

std::vector<std::int32_t> cycle_of(std::span<const Wait> waits) {
    const Graph graph = graph_of(waits);
    for (const auto& entry : graph) {
        std::vector<std::int32_t> way = way_back(graph, entry.first);
        if (!way.empty()) return way;
    }
    return {};
}

fabric::Hang hang_of(std::span<const Wait> waits, const fabric::Mesh& mesh) {
    std::vector<std::string> texts;
    for (const fabric::StoppedRouter& router : mesh.system.wiring.stopped) {
        texts.push_back(fmt::format("the router of chip {} towards chip {} stands still",
                                    router.at.value, router.towards.value));
    }
    std::map<std::pair<std::int32_t, Wait::For>, std::set<std::int32_t>> senders;
    for (const Wait& wait : waits) senders[{wait.chip, wait.what}].insert(wait.sender);
    for (const auto& [waiter, from] : senders) {
        if (waiter.second == Wait::For::Slot) continue;  // the cycle says it
        texts.push_back(fmt::format("{} waits {} {}", chips_text(mesh, {waiter.first}),
                                    for_what(waiter.second), chips_text(mesh, from)));
    }
    const bool full = !waits.empty() && waits.front().what == Wait::For::Slot;
    const std::vector<std::int32_t> cycle = cycle_of(waits);
    if (!cycle.empty()) {
        const char* slots = full ? "a free slot of the router of " : "";
        std::string text = "in a cycle: " + chips_text(mesh, {cycle.front()});
        for (std::size_t i = 1; i <= cycle.size(); ++i) {
            text +=
                fmt::format(" waits for {}{}", slots, chips_text(mesh, {cycle[i % cycle.size()]}));
            if (i < cycle.size()) text += ", which";
        }
        texts.push_back(text);
    }
    return {std::move(texts),
            full ? "FABRIC_1D_RING keeps a slot of the ring free; a line has no cycle"
                 : "cut the pair (`cut:` in the topology file) and open the mesh anew"};
}

}  // namespace ccl

#include "ccl/flows.h"

#include <vector>

#include "ccl/algorithms.h"
#include "ccl/costs.h"
#include "ccl/dependencies.h"
#include "ccl/waits.h"

namespace ccl {
namespace {

/// Routers of a direction in the order packets meet them: rank r is `flows[place(r)]`.
std::size_t place(std::int32_t rank, std::int32_t ranks, Direction direction) {
    return static_cast<std::size_t>(direction == Direction::Forward ? rank : ranks - 1 - rank);
}

/// How far what `node` sends goes: its hop, and those of the relays behind it.
std::int32_t hops_of(const std::vector<Node>& nodes, const Node& node) {
    std::int32_t hops = 1;
    const Node* at = &node;
    while (at != nullptr) {
        const Node* further = nullptr;
        for (const std::size_t next : at->next) {
            if (nodes[next].from != nodes[next].to) further = &nodes[next];
        }
        if (further != nullptr) ++hops;
        at = further;
    }
    return hops;
}

std::vector<std::vector<fabric::Flow>> flows_of(const Plan& plan, const std::vector<Node>& nodes,
                                                core::Bytes payload, Direction direction) {
    const std::int32_t ranks = plan.collective().ranks;
    std::vector<std::vector<fabric::Flow>> flows(static_cast<std::size_t>(ranks));
    for (const Node& node : nodes) {
        const std::int32_t next = rank_at(plan.collective(), node.from, direction, 1);
        if (node.is_relay || node.to != next) continue;
        const core::Bytes size = plan.collective().page * node.pages;
        flows[place(node.from, ranks, direction)].push_back(
            {hops_of(nodes, node), core::ceil_div(size.value, payload.value)});
    }
    return flows;
}

}  // namespace

void require_no_deadlock(const Plan& plan, const fabric::Mesh& mesh,
                         std::span<const std::int32_t> chips, fabric::FabricConfig config) {
    const std::int32_t ranks = plan.collective().ranks;
    if (plan.collective().topology != fabric::Topology::Ring) return;
    const fabric::Slots slots = fabric::slots_of(mesh.system.chip.arch);
    for (const Phase& phase : phases_of(plan)) {
        const PhaseCosts costs(plan.collective(), phase.movement, mesh.system.link);
        if (!costs.routers_forward()) continue;
        const std::vector<Node> nodes = nodes_of(plan, phase);
        for (const Direction direction : kDirections) {
            const std::vector<std::int32_t> cycle = fabric::deadlock_of(
                flows_of(plan, nodes, mesh.system.link.packet_payload, direction), slots, config);
            std::vector<Wait> waits;
            for (const std::int32_t at : cycle) {
                const auto chip = [&](std::int32_t index) {
                    return chips[place(index % ranks, ranks, direction)];
                };
                waits.push_back({chip(at), chip(at + 1), Wait::For::Slot});
            }
            if (!waits.empty()) throw hang_of(waits, mesh);
        }
    }
}

}  // namespace ccl

#include "fabric/network.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <span>
#include <utility>

#include "core/error.h"

namespace fabric {
namespace {

/// Signed steps from coordinate `from` to `to` along an axis; a tie goes the increasing way.
std::int32_t steps_along(std::int32_t from, std::int32_t to, std::int32_t extent, bool wraps) {
    const std::int32_t direct = to - from;
    if (!wraps || direct == 0) return direct;
    const std::int32_t around = direct > 0 ? direct - extent : direct + extent;
    if (std::abs(around) != std::abs(direct)) {
        return std::abs(around) < std::abs(direct) ? around : direct;
    }
    return std::max(around, direct);
}

bool adjacent_along(std::int32_t a, std::int32_t b, std::int32_t extent, bool wraps) {
    const std::int32_t distance = std::abs(a - b);
    return distance == 1 || (wraps && distance == extent - 1);
}

bool are_neighbours(const Mesh& mesh, Hop hop) {
    const mesh::Coord a = mesh.shape.coord(hop.from);
    const mesh::Coord b = mesh.shape.coord(hop.to);
    if (a.row == b.row) {
        return adjacent_along(a.col, b.col, mesh.shape.cols, mesh.wrap_wired[1]);
    }
    return a.col == b.col && adjacent_along(a.row, b.row, mesh.shape.rows, mesh.wrap_wired[0]);
}

}  // namespace

std::vector<Hop> route(const Mesh& mesh, std::int32_t from, std::int32_t to) {
    const mesh::Shape shape = mesh.shape;
    core::require(from >= 0 && from < shape.chips() && to >= 0 && to < shape.chips(),
                  "a route joins chips of the mesh");
    mesh::Coord at = shape.coord(from);
    const mesh::Coord end = shape.coord(to);
    std::vector<Hop> hops;
    const auto walk = [&](std::int32_t& position, std::int32_t target, std::int32_t extent,
                          bool wraps) {
        const std::int32_t steps = steps_along(position, target, extent, wraps);
        for (std::int32_t i = 0; i < std::abs(steps); ++i) {
            const std::int32_t before = shape.index(at);
            position = (position + (steps > 0 ? 1 : extent - 1)) % extent;
            hops.push_back({before, shape.index(at)});
        }
    };
    walk(at.col, end.col, shape.cols, mesh.wrap_wired[1]);
    walk(at.row, end.row, shape.rows, mesh.wrap_wired[0]);
    return hops;
}

Network::Network(const Mesh& mesh, core::EventQueue& queue)
    : mesh_(mesh), queue_(queue), payload_rate_(payload_rate(mesh.system.link)) {}

void Network::check(Hop hop, const Message& message) const {
    core::require(hop.from >= 0 && hop.from < mesh_.chip_count() && hop.to >= 0 &&
                      hop.to < mesh_.chip_count() && are_neighbours(mesh_, hop),
                  "a transfer crosses one hop between neighbours");
    core::require(message.size.value >= 0, "a transfer has no negative size");
    core::require(message.links >= 1 && message.links <= links_of(hop),
                  "a transfer uses at least one and at most all links of its pair");
}

std::int32_t Network::links_of(Hop hop) const {
    return mesh_.system.wiring.links_between(mesh_.chips[static_cast<std::size_t>(hop.from)],
                                             mesh_.chips[static_cast<std::size_t>(hop.to)]);
}

const std::vector<Hop>& Network::way(Hop hop) const {
    const auto [place, is_new] = ways_.try_emplace(hop);
    if (is_new) place->second = find_way(hop);
    return place->second;
}

// Breadth first over the pairs whose routers run; the lowest chip first, so always the same way.
std::vector<Hop> Network::find_way(Hop hop) const {
    const Wiring& wiring = mesh_.system.wiring;
    const auto stopped = [&](std::int32_t a, std::int32_t b) {
        return wiring.stopped_between(mesh_.chips[static_cast<std::size_t>(a)],
                                      mesh_.chips[static_cast<std::size_t>(b)]) != nullptr;
    };
    if (!stopped(hop.from, hop.to)) return {hop};
    if (mesh_.rerouting == Rerouting::Off) return {};
    std::vector<std::int32_t> before(static_cast<std::size_t>(mesh_.chip_count()), -1);
    std::vector<std::int32_t> reached{hop.from};
    for (std::size_t i = 0; i < reached.size(); ++i) {
        for (std::int32_t next = 0; next < mesh_.chip_count(); ++next) {
            const bool seen = next == hop.from || before[static_cast<std::size_t>(next)] >= 0;
            if (seen || links_of({reached[i], next}) == 0 || stopped(reached[i], next)) continue;
            before[static_cast<std::size_t>(next)] = reached[i];
            reached.push_back(next);
        }
    }
    std::vector<Hop> hops;
    for (std::int32_t at = hop.to; at != hop.from;) {
        const std::int32_t previous = before[static_cast<std::size_t>(at)];
        if (previous < 0) return {};
        hops.insert(hops.begin(), {previous, at});
        at = previous;
    }
    return hops;
}

void Network::send(Hop hop, core::Bytes size, std::int32_t links, Done done) {
    core::require(links >= 1, "a transfer uses at least one and at most all links of its pair");
    send(hop,
         Message{.size = size,
                 .links = links,
                 .occupied = size / (payload_rate_ * links),
                 .latency = mesh_.system.link.hop_latency},
         std::move(done));
}

std::optional<core::SimTime> Network::send(Hop hop, const Message& message, Done done) {
    check(hop, message);
    std::optional<core::SimTime> first;
    core::SimTime head = queue_.now();
    core::SimTime last = message.not_before;
    const std::array direct{hop};
    const bool is_whole = mesh_.system.wiring.stopped.empty();
    for (const Hop& part : is_whole ? std::span<const Hop>(direct) : std::span(way(hop))) {
        // A pair with fewer links than the message's own is occupied for longer.
        const std::int64_t links = std::min(message.links, links_of(part));
        const core::Picoseconds occupied = message.occupied * message.links / links;
        core::SimTime& free = free_at_[part];
        const core::SimTime start = std::max(head, free);
        free = std::max(start + occupied, last);
        carried_[part] += message.size;
        busy_[part] += occupied;
        if (!first) first = start;
        head = start + message.latency;
        last = free + message.latency;
    }
    if (!first) return std::nullopt;
    queue_.schedule(last, [last, done = std::move(done)] {
        if (done) done(last);
    });
    return first;
}

void Network::book(Hop hop, const Message& message) {
    check(hop, message);
    carried_[hop] += message.size;
    busy_[hop] += message.occupied;
}

}  // namespace fabric

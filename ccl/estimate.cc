#include "ccl/estimate.h"

#include <algorithm>
#include <utility>

#include "ccl/closed_form.h"
#include "ccl/flows.h"
#include "ccl/timing.h"
#include "core/error.h"
#include "fabric/hang.h"

namespace ccl {
namespace {

using fabric::Topology;

std::size_t index_of(int axis) { return static_cast<std::size_t>(axis); }

std::vector<int> axes_of(const fabric::Mesh& mesh, const Question& question) {
    if (question.axis) {
        const int axis = *question.axis;
        if (axis != 0 && axis != 1) {
            throw core::Error::mismatch("axis", "", "0 or 1", std::to_string(axis));
        }
        if (mesh.shape.extent(axis) == 1) {
            throw core::Error::mismatch("axis", std::to_string(axis), "more than one chip",
                                        "1 of a " + mesh.shape.text() + " mesh");
        }
        return {axis};
    }
    std::vector<int> axes;
    for (const int axis : {0, 1}) {
        if (mesh.shape.extent(axis) > 1) axes.push_back(axis);
    }
    if (axes.empty()) throw core::Error("a collective needs more than one chip, the mesh has one");
    if (axes.size() == 1) return axes;
    if (question.kind == Kind::AllGather) std::swap(axes[0], axes[1]);
    const bool runs_per_axis = question.kind == Kind::AllGather ||
                               question.kind == Kind::ReduceScatter ||
                               question.kind == Kind::AllReduce;
    if (!runs_per_axis) {
        throw core::Error::mismatch(to_text(question.kind), "axis", "0 or 1", "none")
            .hint("only gathers and reductions run over both axes of a mesh");
    }
    return axes;
}

/// A ring cannot reduce over an odd number of chips.
bool can_be_ring(const Question& question, std::int32_t ranks) {
    const bool reduces = question.kind == Kind::ReduceScatter || question.kind == Kind::AllReduce;
    return !reduces || ranks % 2 == 0;
}

Topology topology_of(const fabric::Mesh& mesh, const Question& question, int axis,
                     std::vector<std::string>& notes) {
    const std::int32_t ranks = mesh.shape.extent(axis);
    const bool line_fabric = question.fabric_config == fabric::FabricConfig::Line;
    Topology wanted = question.topology.value_or(line_fabric ? Topology::Line : Topology::Ring);
    if (!question.topology && !can_be_ring(question, ranks)) wanted = Topology::Line;
    const Topology used = fabric::usable_topology(mesh, axis, wanted);
    if (question.topology == Topology::Ring && used == Topology::Line) {
        if (ranks > 2 && question.wiring_check == WiringCheck::Absent) {
            throw fabric::Hang(
                {"ring along axis " + std::to_string(axis) + ": its last and first chip are not " +
                     "linked, and this release does not look",
                 "every chip waits at its barrier for the semaphores that would cross that link"},
                "ask for a line, or for a release after 2026-05, which takes one by itself");
        }
        notes.push_back("ring asked for along axis " + std::to_string(axis) + ": " +
                        (ranks == 2 ? "two chips have one pair of neighbours"
                                    : "its last and first chip are not linked") +
                        "; line is used");
    }
    return used;
}

std::int32_t links_of(const fabric::Mesh& mesh, const Question& question, int axis) {
    const std::int32_t usable = mesh.links[index_of(axis)];
    if (!question.links) return usable;
    if (*question.links < 1 || *question.links > usable) {
        throw core::Error::mismatch("links", "axis " + std::to_string(axis),
                                    "1 to " + std::to_string(usable),
                                    std::to_string(*question.links))
            .hint("links of every pair of neighbours, less dispatch's");
    }
    return *question.links;
}

std::vector<std::int32_t> first_group(const fabric::Mesh& mesh, int axis) {
    std::vector<std::int32_t> chips;
    for (std::int32_t rank = 0; rank < mesh.shape.extent(axis); ++rank) {
        chips.push_back(mesh.shape.index(axis == 0 ? mesh::Coord{rank, 0} : mesh::Coord{0, rank}));
    }
    return chips;
}

Run run_along(const fabric::Mesh& mesh, const Question& question, int axis, core::Bytes total,
              std::vector<std::string>& notes) {
    Run run;
    run.axis = axis;
    run.request = {question.kind,           topology_of(mesh, question, axis, notes),
                   mesh.shape.extent(axis), total,
                   question.page,           links_of(mesh, question, axis)};
    run.algorithm = usual_algorithm(run.request, question.one_shot);
    const Plan plan(collective_of(run.request, run.algorithm));
    run.bottleneck =
        bottleneck_closed_form(question.kind, run.request.topology, run.request.ranks, total) *
        directions(run.request.topology);
    run.busiest_hop = plan.bottleneck_bytes();
    const std::vector<std::int32_t> group = first_group(mesh, axis);
    if (question.fabric_config == fabric::FabricConfig::Line) {
        require_no_deadlock(plan, mesh, group, fabric::FabricConfig::Line);
    }
    run.time = time_alone(plan, mesh, group);
    if (run.algorithm == Algorithm::Default) {
        run.workers = usual_workers(run.request, mesh.system.chip.worker_grid.cores());
    }
    return run;
}

}  // namespace

core::Picoseconds Estimate::time() const {
    core::Picoseconds sum{};
    for (const Run& run : runs) sum += run.time;
    return sum;
}

Estimate estimate(const fabric::Mesh& mesh, const Question& question) {
    fabric::Mesh used = mesh;
    fabric::LinkSpec& link = used.system.link;
    Estimate estimate;
    const core::Bytes tuned = link.collectives.tuned_payload.value > 0
                                  ? link.collectives.tuned_payload
                                  : link.packet_payload;
    estimate.packet_payload = question.packet_payload.value_or(tuned);
    if (estimate.packet_payload.value < 1) {
        throw core::Error::mismatch("packet", "", "at least 1 byte",
                                    std::to_string(estimate.packet_payload.value));
    }
    link.packet_payload = estimate.packet_payload;

    const std::vector<int> axes = axes_of(mesh, question);
    core::Bytes total = question.total;
    // A gather over two axes grows to T with its last run, a scatter shrinks after its first.
    if (axes.size() == 2 && question.kind == Kind::AllGather) {
        total = {core::ceil_div(total.value, mesh.shape.extent(axes[1]))};
    }
    for (const int axis : axes) {
        estimate.runs.push_back(run_along(used, question, axis, total, estimate.notes));
        if (question.kind == Kind::AllGather) total = question.total;
        if (question.kind == Kind::ReduceScatter) {
            total = {core::ceil_div(total.value, mesh.shape.extent(axis))};
        }
    }
    return estimate;
}

}  // namespace ccl

#include "model/expert_exchange.h"

#include <algorithm>
#include <cmath>

#include "ccl/plan.h"
#include "core/error.h"
#include "dispatch/expert_exchange.h"
#include "model/transitions.h"

namespace model {
namespace {

using dispatch::CollectiveCommand;
using tensor::Placement;
using tensor::Spec;
using Form = CollectiveCommand::Form;

constexpr std::size_t at(int index) { return static_cast<std::size_t>(index); }

ccl::Collective all_to_all(const ProgramWriter& writer, int axis, std::int64_t own,
                           const Spec& rows, const tensor::Experts& experts) {
    ccl::Collective plan;
    plan.kind = ccl::Kind::AllToAll;
    plan.topology = writer.profile().topology[at(axis)];
    plan.ranks = writer.mesh().shape.extent(axis);
    const std::int64_t pages = balanced_rows(own, experts.experts / plan.ranks, experts);
    plan.slice_pages.assign(at(plan.ranks * plan.ranks), pages);
    plan.page = dispatch::exchanged_row(rows.shape.cols(), rows.dtype);
    plan.links = writer.profile().links[at(axis)];
    return plan;
}

Located exchanged(ProgramWriter& writer, const std::string& label, const Located& from,
                  CollectiveCommand body, const Spec& local, const Placements& placed) {
    const Spec global = writer.program.buffer(from.ref).global;
    body.input = from.ref;
    body.output = writer.activation(label, local, global, placed, writer.activation_memory(local));
    const core::Bytes staging = ccl::Plan(body.collective).staging_bytes();
    if (staging.value > 0) {
        body.staging =
            writer.scratch(label + ".intermediate", staging, dispatch::Owner::Collectives);
    }
    const dispatch::BufferRef out = body.output;
    writer.emit(label).body = std::move(body);
    return {out, placed};
}

Located in_stream(ProgramWriter& writer, const std::string& label, const Located& made, int axis) {
    const auto stream = pinned(writer.profile(), tensor::Role::Residual, writer.phase(), axis);
    core::require(stream.has_value(), "the stream has its place on every axis");
    return move_to(writer, label, made, axis, *stream, AllReduceForm::ReduceScatterAllGather);
}

}  // namespace

std::optional<int> exchange_axis(const Profile& profile, std::int64_t rows) {
    if (profile.expert_rows_travel == Profile::ExpertRows::Stay) return std::nullopt;
    std::optional<int> found;
    for (const int axis : {0, 1}) {
        const bool shared_out = profile.experts_over[at(axis)] == Profile::ExpertsOver::Experts;
        if (profile.shape.extent(axis) == 1 || !shared_out) continue;
        if (found) return std::nullopt;  // over both axes: a row's experts are anywhere
        found = axis;
    }
    if (found && rows % profile.shape.extent(*found) != 0) return std::nullopt;
    return found;
}

std::int64_t balanced_rows(std::int64_t own, std::int64_t per_chip,
                           const tensor::Experts& experts) {
    // A chip has none of the top_k when all of them are among the other experts.
    double none = 1;
    for (std::int64_t i = 0; i < experts.top_k; ++i) {
        none *= static_cast<double>(std::max<std::int64_t>(experts.experts - per_chip - i, 0)) /
                static_cast<double>(experts.experts - i);
    }
    // Exact shares such as 1/4 come out a few bits off.
    const double share = std::round((1 - none) * 1e9) / 1e9;
    return static_cast<std::int64_t>(std::ceil(share * static_cast<double>(own)));
}

Located dispatch_rows(ProgramWriter& writer, const std::string& label, const Located& x,
                      const Located& routing, int axis, const tensor::Experts& experts) {
    const Spec all = writer.local_spec(x);
    const Located own = move_to(writer, label, x, axis, Placement::sharded(0),
                                AllReduceForm::ReduceScatterAllGather);
    CollectiveCommand body;
    body.axis = axis;
    body.form = Form::Dispatch;
    body.routing = routing.ref;
    const Spec local = writer.local_spec(own);
    body.collective = all_to_all(writer, axis, local.shape[0], local, experts);
    Spec visiting = all;
    visiting.dtype = local.dtype;
    // A chip has only the rows it needs: neither all rows nor a part of its own.
    return exchanged(writer, label + ".all_to_all_dispatch", own, std::move(body), visiting,
                     x.placed);
}

Located combine_rows(ProgramWriter& writer, const std::string& label, const Located& y,
                     const Located& routing, int axis, const tensor::Experts& experts) {
    const Spec made = writer.local_spec(y);
    const std::int64_t ranks = writer.mesh().shape.extent(axis);
    const std::int64_t own = made.shape[0] / ranks;
    const std::int64_t slots = std::min(ranks, experts.top_k);
    CollectiveCommand body;
    body.axis = axis;
    body.form = Form::Combine;
    body.routing = routing.ref;
    body.collective = all_to_all(writer, axis, own, made, experts);
    Placements placed = y.placed;
    placed[at(axis)] = Placement::sharded(0);
    const Spec stacked{{slots, own, made.shape[1]}, made.dtype, made.layout};
    const Located parts =
        exchanged(writer, label + ".all_to_all_combine", y, std::move(body), stacked, placed);
    const Located sum = writer.append(label + ".sum", tensor::SumParts{made.dtype}, {parts},
                                      writer.program.buffer(y.ref).global, placed);
    return in_stream(writer, label, sum, axis);
}

Located copies_in_stream(ProgramWriter& writer, const std::string& label, Located made) {
    for (const int axis : {0, 1}) {
        const bool copies = writer.profile().experts_over[at(axis)] == Profile::ExpertsOver::Copies;
        if (copies) made = in_stream(writer, label, made, axis);
    }
    return made;
}

}  // namespace model

#include "model/transitions.h"

#include "ccl/plan.h"
#include "core/error.h"

namespace model {

using dispatch::BufferRef;
using dispatch::CollectiveCommand;
using dispatch::Owner;
using tensor::Placement;
using tensor::Spec;

namespace {

constexpr std::size_t at(int index) { return static_cast<std::size_t>(index); }

ccl::Collective collective(const ProgramWriter& writer, ccl::Kind kind, int axis,
                           const Spec& slice) {
    ccl::Collective plan;
    plan.kind = kind;
    plan.topology = writer.profile().topology[at(axis)];
    plan.ranks = writer.mesh().shape.extent(axis);
    plan.slice_pages.assign(static_cast<std::size_t>(plan.ranks), slice.pages());
    plan.page = slice.page_bytes();
    // llama_ccl.py keeps buffers for the collectives of decode steps and of every traced length of
    // a prompt. Programs with a collective in them send every part straight to where it is needed:
    // no barrier, no relay.
    if (writer.profile().fuses()) plan.buffers = ccl::Buffers::Persistent;
    if (writer.fuses()) plan.algorithm = ccl::Algorithm::Direct;
    plan.links = writer.profile().links[at(axis)];
    // The ring reduce-scatter of the real stack needs an even number of chips.
    if (kind == ccl::Kind::ReduceScatter && plan.ranks % 2 != 0) {
        plan.topology = fabric::Topology::Line;
    }
    return plan;
}

Located move(ProgramWriter& writer, const std::string& label, const Located& from,
             CollectiveCommand body, const Spec& local, const Spec& global,
             const Placements& placed) {
    const bool stacked = body.form == CollectiveCommand::Form::Stacked;
    const dispatch::MemoryConfig memory =
        stacked ? writer.stacked_memory(local) : writer.activation_memory(local);
    body.input = from.ref;
    body.output = writer.activation(label, local, global, placed, memory);
    const core::Bytes staging = ccl::Plan(body.collective).staging_bytes();
    if (staging.value > 0) {
        // Intermediate tensors of collectives live in DRAM (tt_transformers ccl.py).
        const std::int64_t pages = staging / body.collective.page;
        const Spec spec{
            {pages * tensor::kTileSide, tensor::kTileSide}, local.dtype, tensor::Layout::Tile};
        body.staging = writer.activation(label + ".intermediate", spec, spec, {},
                                         {mesh::BufferType::Dram}, Owner::Collectives);
    }
    const BufferRef out = body.output;
    writer.emit(label).body = std::move(body);
    return {out, placed};
}

// ccl.py and attention.py: what was gathered is interleaved before it is summed or merged.
Located interleaved(ProgramWriter& writer, const std::string& label, const Located& from) {
    if (writer.fuses()) return from;
    const mesh::BufferType type = writer.program.buffer(from.ref).memory.type;
    return writer.at_memory(label + ".all_gather", from, dispatch::MemoryConfig{type});
}

}  // namespace

Located all_gather(ProgramWriter& writer, const std::string& label, const Located& from, int axis) {
    const Spec& part = writer.local_spec(from);
    const int dim = from.placed[at(axis)].dim();
    const std::int64_t ranks = writer.mesh().shape.extent(axis);
    Placements placed = from.placed;
    placed[at(axis)] = Placement::replicated();
    const Spec global = writer.program.buffer(from.ref).global;
    CollectiveCommand body;
    body.axis = axis;
    body.collective = collective(writer, ccl::Kind::AllGather, axis, part);
    const bool rows_of_users =
        part.shape.rank() == 2 && dim == 0 && part.shape[0] % tensor::kTileSide != 0;
    if (rows_of_users) {
        // Users of the other columns arrive as whole tiles; the padding is dropped after.
        body.form = CollectiveCommand::Form::Stacked;
        const Spec stacked{{ranks, part.shape[0], part.shape[1]}, part.dtype, part.layout};
        const Located all = interleaved(
            writer, label,
            move(writer, label + ".all_gather", from, std::move(body), stacked, stacked, placed));
        return writer.append(label + ".merge_rows", tensor::MergeRows{}, {all}, global, placed);
    }
    body.dim = dim;
    Spec whole = part;
    whole.shape.set(dim, part.shape[dim] * ranks);
    return move(writer, label + ".all_gather", from, std::move(body), whole, global, placed);
}

namespace {

Located reduce_scatter(ProgramWriter& writer, const std::string& label, const Located& from,
                       int axis, int dim) {
    Spec slice = writer.local_spec(from);
    const std::int64_t ranks = writer.mesh().shape.extent(axis);
    if (slice.shape[dim] % ranks != 0) {
        throw core::Error::mismatch(label, "the part that one chip has to scatter",
                                    "a multiple of " + std::to_string(ranks) + " chips",
                                    std::to_string(slice.shape[dim]));
    }
    slice.shape.set(dim, slice.shape[dim] / ranks);
    Placements placed = from.placed;
    placed[at(axis)] = Placement::sharded(dim);
    CollectiveCommand body;
    body.axis = axis;
    body.dim = dim;
    body.collective = collective(writer, ccl::Kind::ReduceScatter, axis, slice);
    const Spec global = writer.program.buffer(from.ref).global;
    return move(writer, label + ".reduce_scatter", from, std::move(body), slice, global, placed);
}

Located gather_and_sum(ProgramWriter& writer, const std::string& label, const Located& from,
                       int axis) {
    const Spec& part = writer.local_spec(from);
    const std::int64_t ranks = writer.mesh().shape.extent(axis);
    Placements placed = from.placed;
    placed[at(axis)] = Placement::replicated();
    const Spec global = writer.program.buffer(from.ref).global;
    const Spec stacked{{ranks, part.shape[0], part.shape[1]}, part.dtype, part.layout};
    CollectiveCommand body;
    body.axis = axis;
    body.form = CollectiveCommand::Form::Stacked;
    body.collective = collective(writer, ccl::Kind::AllGather, axis, part);
    const Located all = interleaved(
        writer, label,
        move(writer, label + ".all_gather", from, std::move(body), stacked, stacked, placed));
    return writer.append(label + ".reduce", tensor::SumParts{part.dtype}, {all}, global, placed,
                         writer.program.buffer(all.ref).memory);
}

Located all_reduce(ProgramWriter& writer, const std::string& label, const Located& from, int axis,
                   AllReduceForm form) {
    const int last = writer.local_spec(from).shape.rank() - 1;
    const bool even = writer.local_spec(from).shape[last] % writer.mesh().shape.extent(axis) == 0;
    if (form == AllReduceForm::ReduceScatterAllGather && even) {
        return all_gather(writer, label, reduce_scatter(writer, label, from, axis, last), axis);
    }
    return gather_and_sum(writer, label, from, axis);
}

Located own_part(ProgramWriter& writer, const std::string& label, const Located& from, int axis,
                 int dim) {
    Placements placed = from.placed;
    placed[at(axis)] = Placement::sharded(dim);
    // Users are picked from rows by a matrix (attention.py: slice_mat).
    const bool users = writer.phase() == tensor::Phase::Decode && dim == 0 &&
                       writer.local_spec(from).shape.rank() == 2;
    const auto how =
        users ? tensor::MeshPartition::How::Selection : tensor::MeshPartition::How::Slice;
    // A slice is where its input is.
    const dispatch::Buffer buffer = writer.program.buffer(from.ref);
    const bool dram = buffer.memory.type == mesh::BufferType::Dram;
    const auto memory = dram ? std::optional(buffer.memory) : std::nullopt;
    return writer.append(label + ".partition",
                         tensor::MeshPartition{axis, dim, writer.mesh().shape.extent(axis), how},
                         {from}, buffer.global, placed, memory);
}

}  // namespace

Located gathered_and_cut(ProgramWriter& writer, const std::string& label, const Located& from,
                         int axis) {
    const Located whole = all_gather(writer, label, from, axis);
    return own_part(writer, label, whole, axis, from.placed[at(axis)].dim());
}

Located move_to(ProgramWriter& writer, const std::string& label, Located from, int axis,
                Placement need, AllReduceForm form) {
    const Placement have = from.placed[at(axis)];
    if (have == need || writer.mesh().shape.extent(axis) == 1) {
        from.placed[at(axis)] = need;
        return from;
    }
    if (have.is_partial()) {
        const bool last = need.is_sharded(writer.local_spec(from).shape.rank() - 1);
        if (last) return reduce_scatter(writer, label, from, axis, need.dim());
        from = all_reduce(writer, label, from, axis, form);
    } else if (have.is_sharded()) {
        from = all_gather(writer, label, from, axis);
    }
    if (need.is_sharded()) return own_part(writer, label, from, axis, need.dim());
    core::require(need.is_replicated(), "nothing asks for a partial value");
    return from;
}

}  // namespace model

#include "model/partition.h"

#include <map>
#include <set>

#include "core/error.h"
#include "dispatch/lower.h"

namespace model {
namespace {

using dispatch::Buffer;
using dispatch::BufferRef;
using dispatch::CollectiveCommand;
using dispatch::Command;
using dispatch::Instance;
using dispatch::Owner;
using tensor::Placement;
using tensor::Spec;
using tensor::ValueId;
using tensor::ValueKind;

constexpr std::size_t at(int index) { return static_cast<std::size_t>(index); }

Owner owner_of(tensor::Role role, ValueKind kind) {
    if (kind == ValueKind::Input) return Owner::Inputs;
    switch (role) {
        case tensor::Role::EmbeddingTable: return Owner::Embedding;
        case tensor::Role::NormWeight: return Owner::Norms;
        case tensor::Role::RopeTable: return Owner::RopeTables;
        case tensor::Role::WeightLmHead: return Owner::LmHead;
        case tensor::Role::KvCache: return Owner::KvCache;
        default: return kind == ValueKind::Weight ? Owner::Weights : Owner::Activations;
    }
}

// A value somewhere on the mesh: which buffer, how it is placed.
struct Located {
    BufferRef ref;
    Placements placed;
};

class Partitioner {
public:
    Partitioner(const tensor::Graph& graph, const Profile& profile, const Precision& precision,
                const fabric::Mesh& mesh, const PartitionOptions& options)
        : graph_(graph), profile_(profile), precision_(precision), mesh_(mesh), options_(options) {
        program_.name = options.name;
        program_.phase = graph.phase;
        program_.shape = mesh.shape;
        for (const tensor::Block& block : graph.blocks) {
            if (block.carry_in.value >= 0) carried_.insert(block.carry_in);
            if (block.carry_out.value >= 0) carried_.insert(block.carry_out);
        }
    }

    std::shared_ptr<const dispatch::Program> run() {
        for (const tensor::Block& block : graph_.blocks) place_block(block);
        return std::make_shared<const dispatch::Program>(std::move(program_));
    }

private:
    // --- values and buffers ---

    Spec shard(const Spec& global, const Placements& placed, const std::string& name) const {
        Spec local = global;
        for (const int axis : {0, 1}) {
            const std::int64_t chips = mesh_.shape.extent(axis);
            if (!placed[at(axis)].is_sharded() || chips == 1) continue;
            const int dim = placed[at(axis)].dim();
            if (local.shape[dim] % chips != 0) {
                throw core::Error::mismatch(name, "axis " + std::to_string(dim),
                                            "a multiple of " + std::to_string(chips) + " chips",
                                            std::to_string(local.shape[dim]))
                    .hint("use a mesh whose axes divide the model (see `tessera check`)");
            }
            local.shape.set(dim, local.shape[dim] / chips);
        }
        return local;
    }

    std::int32_t add_buffer(Buffer buffer) {
        program_.buffers.push_back(std::move(buffer));
        return static_cast<std::int32_t>(program_.buffers.size()) - 1;
    }

    // Weights, caches, inputs: one buffer per (value, placement), alive as long as the model.
    Located persistent(ValueId id, const Placements& placed) {
        const tensor::Value& value = graph_.value(id);
        std::string name = value.name;
        if (value.kind == ValueKind::Input) name = options_.name + "." + name;
        if (value.role == tensor::Role::NormWeight && placed != Placements{}) name += ".sharded";
        const auto key = std::make_pair(id, name);
        const Instance instance = value.per_layer ? Instance::Layer : Instance::Only;
        if (const auto found = persistent_.find(key); found != persistent_.end()) {
            return {{found->second, instance}, placed};
        }
        Buffer buffer;
        buffer.name = name;
        buffer.global = value.spec;
        buffer.spec = shard(value.spec, placed, name);
        buffer.placement = placed;
        buffer.memory = value.kind == ValueKind::Weight
                            ? weight_memory(profile_, value.role)
                            : dispatch::MemoryConfig{};
        buffer.owner = owner_of(value.role, value.kind);
        buffer.kind = value.kind;
        buffer.instances = value.per_layer ? graph_.layers : 1;
        buffer.sources = value.sources;
        const std::int32_t index = add_buffer(std::move(buffer));
        persistent_.emplace(key, index);
        return {{index, instance}, placed};
    }

    BufferRef activation(const std::string& name, const Spec& local, const Spec& global,
                         const Placements& placed, const dispatch::MemoryConfig& memory,
                         Owner owner = Owner::Activations) {
        Buffer buffer;
        buffer.name = name;
        buffer.spec = local;
        buffer.global = global;
        buffer.placement = placed;
        buffer.memory = memory;
        buffer.owner = owner;
        return {add_buffer(std::move(buffer)), Instance::Only};
    }

    // The buffer a node writes: carried, an output of the program, or a plain activation.
    BufferRef result(ValueId id, const Spec& local, const Placements& placed,
                     const dispatch::MemoryConfig& memory) {
        const tensor::Value& value = graph_.value(id);
        if (carried_.contains(id)) return carried_ref(id, local, placed, memory);
        const BufferRef ref = activation(value.name, local, value.spec, placed, memory);
        return ref;
    }

    BufferRef carried_ref(ValueId id, const Spec& local, const Placements& placed,
                          const dispatch::MemoryConfig& memory) {
        if (carried_buffer_ < 0) {
            const BufferRef ref =
                activation("residual", local, graph_.value(id).spec, placed, memory);
            carried_buffer_ = ref.buffer;
            program_.buffers[static_cast<std::size_t>(ref.buffer)].instances = 2;
        }
        const Buffer& buffer = program_.buffers[static_cast<std::size_t>(carried_buffer_)];
        core::require(buffer.spec == local && buffer.placement == placed,
                      "the residual stream is the same between all layers");
        return {carried_buffer_,
                id == block_->carry_out ? Instance::CarryOut : Instance::CarryIn};
    }

    Located locate(ValueId id) {
        const tensor::Value& value = graph_.value(id);
        if (value.kind != ValueKind::Computed) {
            return persistent(id, placement_of(profile_, value.role, graph_.phase));
        }
        if (const auto found = located_.find(id); found != located_.end()) return found->second;
        core::require(carried_.contains(id), "a value is made before it is used");
        const Buffer& buffer = program_.buffers[static_cast<std::size_t>(carried_buffer_)];
        return {{carried_buffer_, Instance::CarryIn}, buffer.placement};
    }

    const Spec& local_spec(const Located& value) const { return program_.buffer(value.ref).spec; }

    // --- commands ---

    Command& emit(std::string label) {
        Command command;
        command.label = std::move(label);
        segment_->commands.push_back(std::move(command));
        return segment_->commands.back();
    }

    dispatch::LowerContext context(int group) const {
        const LayerPrecision& layer =
            precision_.layers[static_cast<std::size_t>(
                std::min<std::int32_t>(block_->first_layer, graph_.layers - 1))];
        return {&mesh_.system.chip, options_.worker_grid, graph_.phase,
                layer.fidelity_of(static_cast<OpGroup>(group))};
    }

    dispatch::KernelPlan lowered(const tensor::Op& op, const std::vector<Located>& inputs,
                                 const std::vector<Spec>& out, int group) const {
        std::vector<Spec> in;
        std::vector<dispatch::MemoryConfig> placed;
        for (const Located& input : inputs) {
            in.push_back(local_spec(input));
            placed.push_back(program_.buffer(input.ref).memory);
        }
        return dispatch::lower(op, in, out, placed, context(group));
    }

    // An op that partition itself adds: one output, whose global shape is `global`.
    Located local_op(const std::string& label, const tensor::Op& op,
                     const std::vector<Located>& inputs, const Spec& global,
                     const Placements& placed) {
        std::vector<Spec> in;
        for (const Located& input : inputs) in.push_back(local_spec(input));
        const std::vector<Spec> out = tensor::infer(op, in);
        dispatch::OpCommand body{op, {}, {}, lowered(op, inputs, out, int(OpGroup::Other))};
        for (const Located& input : inputs) body.inputs.push_back(input.ref);
        const BufferRef ref =
            activation(label, out.front(), global, placed, body.plan.outputs.front());
        body.outputs = {ref};
        emit(label).body = std::move(body);
        return {ref, placed};
    }

    ccl::Collective collective(ccl::Kind kind, int axis, const Spec& slice) const {
        ccl::Collective plan;
        plan.kind = kind;
        plan.topology = profile_.topology[at(axis)];
        plan.ranks = mesh_.shape.extent(axis);
        plan.slice_pages.assign(static_cast<std::size_t>(plan.ranks), slice.pages());
        plan.page = slice.page_bytes();
        plan.links = profile_.links[at(axis)];
        // The ring reduce-scatter of the real stack needs an even number of chips.
        if (kind == ccl::Kind::ReduceScatter && plan.ranks % 2 != 0) {
            plan.topology = fabric::Topology::Line;
        }
        return plan;
    }

    Located move(const std::string& label, const Located& from, CollectiveCommand body,
                 const Spec& local, const Spec& global, const Placements& placed) {
        const dispatch::MemoryConfig memory =
            dispatch::activation_memory(local, graph_.phase, options_.worker_grid);
        body.input = from.ref;
        body.output = activation(label, local, global, placed, memory);
        const core::Bytes staging = ccl::Plan(body.collective).staging_bytes();
        if (staging.value > 0) {
            // Intermediate tensors of collectives live in DRAM (tt_transformers ccl.py).
            const std::int64_t pages = staging / body.collective.page;
            const Spec spec{{pages * tensor::kTileSide, tensor::kTileSide},
                            local.dtype,
                            tensor::Layout::Tile};
            body.staging = activation(label + ".intermediate", spec, spec, {},
                                      {mesh::BufferType::Dram}, Owner::Collectives);
        }
        const BufferRef out = body.output;
        emit(label).body = std::move(body);
        return {out, placed};
    }

    // --- transitions along one axis ---

    Located all_gather(const std::string& label, const Located& from, int axis) {
        const Spec& part = local_spec(from);
        const int dim = from.placed[at(axis)].dim();
        const std::int64_t ranks = mesh_.shape.extent(axis);
        Placements placed = from.placed;
        placed[at(axis)] = Placement::replicated();
        const Spec global = program_.buffer(from.ref).global;
        CollectiveCommand body;
        body.axis = axis;
        body.collective = collective(ccl::Kind::AllGather, axis, part);
        const bool rows_of_users = part.shape.rank() == 2 && dim == 0 &&
                                   part.shape[0] % tensor::kTileSide != 0;
        if (rows_of_users) {
            // Users of the other columns arrive as whole tiles; the padding is dropped after.
            body.form = CollectiveCommand::Form::Stacked;
            const Spec stacked{{ranks, part.shape[0], part.shape[1]}, part.dtype, part.layout};
            const Located all =
                move(label + ".all_gather", from, std::move(body), stacked, stacked, placed);
            return local_op(label + ".merge_rows", tensor::MergeRows{}, {all}, global, placed);
        }
        body.dim = dim;
        Spec whole = part;
        whole.shape.set(dim, part.shape[dim] * ranks);
        return move(label + ".all_gather", from, std::move(body), whole, global, placed);
    }

    Located reduce_scatter(const std::string& label, const Located& from, int axis, int dim) {
        Spec slice = local_spec(from);
        const std::int64_t ranks = mesh_.shape.extent(axis);
        core::require(slice.shape[dim] % ranks == 0, "a reduce-scatter has equal slices");
        slice.shape.set(dim, slice.shape[dim] / ranks);
        Placements placed = from.placed;
        placed[at(axis)] = Placement::sharded(dim);
        CollectiveCommand body;
        body.axis = axis;
        body.dim = dim;
        body.collective = collective(ccl::Kind::ReduceScatter, axis, slice);
        const Spec global = program_.buffer(from.ref).global;
        return move(label + ".reduce_scatter", from, std::move(body), slice, global, placed);
    }

    Located gather_and_sum(const std::string& label, const Located& from, int axis) {
        const Spec& part = local_spec(from);
        const std::int64_t ranks = mesh_.shape.extent(axis);
        Placements placed = from.placed;
        placed[at(axis)] = Placement::replicated();
        const Spec global = program_.buffer(from.ref).global;
        const Spec stacked{
            {ranks, part.shape[0], part.shape[1]}, part.dtype, part.layout};
        CollectiveCommand body;
        body.axis = axis;
        body.form = CollectiveCommand::Form::Stacked;
        body.collective = collective(ccl::Kind::AllGather, axis, part);
        const Located all =
            move(label + ".all_gather", from, std::move(body), stacked, stacked, placed);
        return local_op(label + ".reduce", tensor::SumParts{part.dtype}, {all}, global, placed);
    }

    Located all_reduce(const std::string& label, const Located& from, int axis) {
        const AllReduceForm form = axis == 0 ? profile_.reduce_rows : profile_.reduce_cols;
        const int last = local_spec(from).shape.rank() - 1;
        const bool even = local_spec(from).shape[last] % mesh_.shape.extent(axis) == 0;
        if (form == AllReduceForm::ReduceScatterAllGather && even) {
            return all_gather(label, reduce_scatter(label, from, axis, last), axis);
        }
        return gather_and_sum(label, from, axis);
    }

    Located own_part(const std::string& label, const Located& from, int axis, int dim) {
        Placements placed = from.placed;
        placed[at(axis)] = Placement::sharded(dim);
        return local_op(label + ".partition",
                        tensor::MeshPartition{axis, dim, mesh_.shape.extent(axis)}, {from},
                        program_.buffer(from.ref).global, placed);
    }

    Located move_to(const std::string& label, Located from, int axis, Placement need) {
        const Placement have = from.placed[at(axis)];
        if (have == need || mesh_.shape.extent(axis) == 1) {
            from.placed[at(axis)] = need;
            return from;
        }
        if (have.is_partial()) {
            const bool last = need.is_sharded(local_spec(from).shape.rank() - 1);
            if (last) return reduce_scatter(label, from, axis, need.dim());
            from = all_reduce(label, from, axis);
        } else if (have.is_sharded()) {
            from = all_gather(label, from, axis);
        }
        if (need.is_sharded()) return own_part(label, from, axis, need.dim());
        core::require(need.is_replicated(), "nothing asks for a partial value");
        return from;
    }

    // Brings `id` to `need` on both axes; what was moved once in this block is reused.
    Located brought(ValueId id, const Located& from, const Placements& need) {
        Placements effective = need;
        for (const int axis : {0, 1}) {
            if (mesh_.shape.extent(axis) == 1) effective[at(axis)] = from.placed[at(axis)];
        }
        if (effective == from.placed) return from;
        const auto key = std::make_pair(id, key_of(effective));
        if (const auto found = moved_.find(key); found != moved_.end()) return found->second;
        Located now = from;
        // The minor axis first: a value sharded twice along one dim is minor in axis 1.
        for (const int axis : {1, 0}) {
            now = move_to(graph_.value(id).name, now, axis, effective[at(axis)]);
        }
        moved_.emplace(key, now);
        return now;
    }

    static std::string key_of(const Placements& placed) {
        return placed[0].text() + "|" + placed[1].text();
    }

    // --- nodes ---

    // Inputs and placements of a node once everything is where its split wants it.
    struct Ready {
        std::vector<Located> inputs;
        std::vector<Placements> outputs;
    };

    Ready ready(const tensor::Node& node, std::vector<Located> inputs) {
        std::vector<Spec> specs;
        for (const Located& input : inputs) specs.push_back(local_spec(input));
        std::vector<Placements> need;
        for (const Located& input : inputs) need.push_back(input.placed);
        Ready result;
        result.outputs.resize(node.outputs.size());
        for (const int axis : {0, 1}) {
            if (mesh_.shape.extent(axis) == 1) continue;
            std::vector<Placement> placed;
            for (const Located& input : inputs) placed.push_back(input.placed[at(axis)]);
            const tensor::Split split = tensor::split(node.op, specs, placed);
            for (std::size_t i = 0; i < inputs.size(); ++i) {
                need[i][at(axis)] = split.inputs[i];
            }
            for (std::size_t i = 0; i < node.outputs.size(); ++i) {
                result.outputs[i][at(axis)] = split.outputs[i];
            }
        }
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            result.inputs.push_back(brought(node.inputs[i], inputs[i], need[i]));
        }
        return result;
    }

    // Partial sums on a 2-D mesh are made in the collectives' format.
    tensor::Op with_payload(const tensor::Node& node, const std::vector<Placements>& out) const {
        tensor::Op op = node.op;
        auto* linear = std::get_if<tensor::Linear>(&op);
        if (linear == nullptr || profile_.payload != Profile::Payload::CclDtype) return op;
        const bool sums = out.front()[0].is_partial() || out.front()[1].is_partial();
        if (sums) linear->out = precision_.ccl;
        return op;
    }

    void place_node(const tensor::Node& node) {
        std::vector<Located> inputs;
        for (const ValueId id : node.inputs) inputs.push_back(locate(id));
        if (std::holds_alternative<tensor::RmsNorm>(node.op) && place_distributed_norm(node, inputs)) {
            return;
        }
        if (std::holds_alternative<tensor::RmsNorm>(node.op)) {
            inputs[1] = persistent(node.inputs[1], {});
        }
        const Ready now = ready(node, std::move(inputs));
        emit_node(node, with_payload(node, now.outputs), now);
    }

    void emit_node(const tensor::Node& node, const tensor::Op& op, const Ready& now) {
        std::vector<Spec> in;
        for (const Located& input : now.inputs) in.push_back(local_spec(input));
        const std::vector<Spec> out = tensor::infer(op, in);
        dispatch::OpCommand body{op, {}, {}, lowered(op, now.inputs, out, node.fidelity_group)};
        for (const Located& input : now.inputs) body.inputs.push_back(input.ref);
        std::vector<Located> results;
        for (std::size_t i = 0; i < node.outputs.size(); ++i) {
            const ValueId id = node.outputs[i];
            if (graph_.value(id).kind != ValueKind::Computed) {
                body.outputs.push_back(now.inputs.front().ref);  // in place
                results.push_back(now.inputs.front());
                continue;
            }
            // A value that is pinned elsewhere moves right away; its final place may be carried.
            const bool settles = !moves(id, now.outputs[i]);
            const BufferRef ref =
                settles ? result(id, out[i], now.outputs[i], body.plan.outputs[i])
                        : activation(graph_.value(id).name, out[i], graph_.value(id).spec,
                                     now.outputs[i], body.plan.outputs[i]);
            body.outputs.push_back(ref);
            results.push_back({ref, now.outputs[i]});
        }
        emit(node.name).body = std::move(body);
        for (std::size_t i = 0; i < node.outputs.size(); ++i) settle(node.outputs[i], results[i]);
    }

    Placements pinned_places(ValueId id, const Placements& placed) const {
        Placements need = placed;
        for (const int axis : {0, 1}) {
            if (mesh_.shape.extent(axis) == 1) continue;
            if (needs_pin(id)) {
                const auto pin = pinned(profile_, graph_.value(id).role, graph_.phase, axis);
                if (pin) need[at(axis)] = *pin;
            }
        }
        return need;
    }

    // Partial residual contributions stay partial: the residual add reduces them.
    bool needs_pin(ValueId id) const {
        return graph_.value(id).role != tensor::Role::Residual || carried_.contains(id);
    }

    bool moves(ValueId id, const Placements& placed) const {
        return graph_.value(id).kind == ValueKind::Computed && pinned_places(id, placed) != placed;
    }

    void settle(ValueId id, Located value) {
        if (graph_.value(id).kind == ValueKind::Computed) {
            const Placements need = pinned_places(id, value.placed);
            core::require(need == value.placed || !carried_.contains(id),
                          "the residual stream comes out where it is pinned");
            value = brought(id, value, need);
        }
        located_[id] = value;
    }

    // Norms that gather statistics only. False when the input is not sharded or the profile
    // gathers the input instead.
    bool place_distributed_norm(const tensor::Node& node, const std::vector<Located>& inputs) {
        const NormForm form = graph_.phase == tensor::Phase::Decode ? profile_.decode_norm
                                                                    : profile_.prefill_norm;
        const int last = local_spec(inputs[0]).shape.rank() - 1;
        int axis = -1;
        for (const int candidate : {0, 1}) {
            if (mesh_.shape.extent(candidate) > 1 &&
                inputs[0].placed[at(candidate)].is_sharded(last)) {
                axis = candidate;
            }
        }
        if (form != NormForm::GatherStatistics || axis < 0) return false;

        const Located& x = inputs[0];
        const Spec& spec = local_spec(x);
        const auto& norm = std::get<tensor::RmsNorm>(node.op);
        const std::int64_t ranks = mesh_.shape.extent(axis);
        const Spec all_stats{{spec.shape[0], tensor::kTileSide * ranks}, spec.dtype, spec.layout};
        Placements sharded{};
        sharded[at(axis)] = Placement::sharded(last);
        const Located stats = local_op(node.name + ".stats", tensor::RmsNormStats{spec.dtype}, {x},
                                       all_stats, sharded);
        const Located gathered = all_gather(node.name + ".stats", stats, axis);
        Placements gamma{};
        gamma[at(axis)] = Placement::sharded(0);
        const Located weight = persistent(node.inputs[1], gamma);
        const Located y = local_op(node.name, tensor::RmsNormApply{norm.epsilon},
                                   {x, gathered, weight}, graph_.value(node.outputs[0]).spec,
                                   x.placed);
        settle(node.outputs[0], y);
        return true;
    }

    // --- blocks ---

    void place_block(const tensor::Block& block) {
        block_ = &block;
        moved_.clear();
        std::erase_if(located_, [this](const auto& entry) { return carried_.contains(entry.first); });
        program_.segments.push_back({block.name, block.first_layer, block.repeat, {}});
        segment_ = &program_.segments.back();
        for (const tensor::Node& node : block.nodes) place_node(node);
        if (options_.taps == PartitionOptions::Taps::HiddenStates && block.carry_out.value >= 0) {
            emit("hidden_states").body = dispatch::ReadCommand{
                {carried_buffer_, Instance::CarryOut}, "hidden_states"};
        }
        if (&block == &graph_.blocks.back()) keep_outputs();
        set_lifetimes();
    }

    // Results the host reads live as long as the model, like inputs.
    void keep_outputs() {
        for (const ValueId id : graph_.outputs) {
            const Located value = located_.at(id);
            Buffer& buffer = program_.buffers[static_cast<std::size_t>(value.ref.buffer)];
            buffer.name = options_.name + "." + tensor_output_name(id);
            buffer.kind = ValueKind::State;
            buffer.global = graph_.value(id).spec;
            buffer.global.dtype = buffer.spec.dtype;
            buffer.memory = {mesh::BufferType::Dram};
        }
    }

    std::string tensor_output_name(ValueId id) const {
        return graph_.value(id).role == tensor::Role::Logits ? "logits" : graph_.value(id).name;
    }

    static std::vector<BufferRef> reads(const Command& command) {
        if (const auto* op = std::get_if<dispatch::OpCommand>(&command.body)) return op->inputs;
        if (const auto* move = std::get_if<CollectiveCommand>(&command.body)) return {move->input};
        if (const auto* read = std::get_if<dispatch::ReadCommand>(&command.body)) {
            return {read->buffer};
        }
        return {};
    }

    static std::vector<BufferRef> writes(const Command& command) {
        if (const auto* op = std::get_if<dispatch::OpCommand>(&command.body)) return op->outputs;
        if (const auto* move = std::get_if<CollectiveCommand>(&command.body)) {
            std::vector<BufferRef> made{move->output};
            if (move->staging.buffer >= 0) made.push_back(move->staging);
            return made;
        }
        return {};
    }

    bool is_temporary(BufferRef ref) const {
        return program_.buffer(ref).kind == ValueKind::Computed;
    }

    // Outputs are allocated before their command; a buffer dies after the last command of the
    // segment that touches it. What is carried on stays.
    void set_lifetimes() {
        std::vector<Command>& commands = segment_->commands;
        const auto key = [](BufferRef ref) { return std::make_pair(ref.buffer, ref.instance); };
        std::map<std::pair<std::int32_t, Instance>, std::size_t> last;
        std::set<std::pair<std::int32_t, Instance>> born;
        const bool more = block_ != &graph_.blocks.back();
        for (std::size_t i = 0; i < commands.size(); ++i) {
            for (const BufferRef ref : writes(commands[i])) {
                if (is_temporary(ref) && born.insert(key(ref)).second) {
                    commands[i].allocates.push_back(ref);
                }
                if (is_temporary(ref)) last[key(ref)] = i;
            }
            for (const BufferRef ref : reads(commands[i])) {
                if (is_temporary(ref)) last[key(ref)] = i;
            }
        }
        for (const auto& [ref, index] : last) {
            const bool carries_on =
                more && ref.first == carried_buffer_ &&
                (ref.second == Instance::CarryOut || block_->carry_in.value < 0);
            if (!carries_on) commands[index].releases.push_back({ref.first, ref.second});
        }
    }

    const tensor::Graph& graph_;
    const Profile& profile_;
    const Precision& precision_;
    const fabric::Mesh& mesh_;
    const PartitionOptions& options_;
    dispatch::Program program_;
    std::set<ValueId> carried_;
    std::int32_t carried_buffer_ = -1;
    const tensor::Block* block_ = nullptr;
    dispatch::Segment* segment_ = nullptr;
    std::map<std::pair<ValueId, std::string>, std::int32_t> persistent_;
    std::map<ValueId, Located> located_;
    std::map<std::pair<ValueId, std::string>, Located> moved_;
};

}  // namespace

std::shared_ptr<const dispatch::Program> partition(const tensor::Graph& graph,
                                                   const Profile& profile,
                                                   const Precision& precision,
                                                   const fabric::Mesh& mesh,
                                                   const PartitionOptions& options) {
    return Partitioner(graph, profile, precision, mesh, options).run();
}

}  // namespace model

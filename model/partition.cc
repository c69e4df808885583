#include "model/partition.h"

#include <map>
#include <set>

#include "core/error.h"
#include "model/expert_exchange.h"
#include "model/fusion.h"
#include "model/lifetimes.h"
#include "model/persistents.h"
#include "model/prefetch.h"
#include "model/program_writer.h"
#include "model/residence.h"
#include "model/transitions.h"

namespace model {
namespace {

using dispatch::Buffer;
using dispatch::BufferRef;
using dispatch::Instance;
using tensor::Placement;
using tensor::Spec;
using tensor::ValueId;
using tensor::ValueKind;

constexpr std::size_t at(int index) { return static_cast<std::size_t>(index); }

class Partitioner {
public:
    Partitioner(const tensor::Graph& graph, const Profile& profile, const Precision& precision,
                const fabric::Mesh& mesh, const PartitionOptions& options)
        : graph_(graph),
          profile_(profile),
          precision_(precision),
          mesh_(mesh),
          options_(options),
          writer_(profile, precision, mesh, options, graph.phase),
          persistents_(graph, writer_, options.name),
          residence_(graph, profile, options.worker_grid) {
        for (const tensor::Block& block : graph.blocks) {
            if (block.carry_in.value >= 0) carried_.insert(block.carry_in);
            if (block.carry_out.value >= 0) carried_.insert(block.carry_out);
        }
    }

    std::shared_ptr<const dispatch::Program> run() {
        for (const tensor::Block& block : graph_.blocks) place_block(block);
        add_prefetcher(writer_.program, profile_);
        return std::make_shared<const dispatch::Program>(std::move(writer_.program));
    }

private:
    // --- values and buffers ---

    // The buffer a node writes: carried, an output of the program, or a plain activation.
    BufferRef result(ValueId id, const Spec& local, const Placements& placed,
                     const dispatch::MemoryConfig& memory) {
        const tensor::Value& value = graph_.value(id);
        if (carried_.contains(id)) return carried_ref(id, local, placed, memory);
        const BufferRef ref = writer_.activation(value.name, local, value.spec, placed, memory);
        return ref;
    }

    BufferRef carried_ref(ValueId id, const Spec& local, const Placements& placed,
                          const dispatch::MemoryConfig& memory) {
        if (carried_buffer_ < 0) {
            const BufferRef ref =
                writer_.activation("residual", local, graph_.value(id).spec, placed, memory);
            carried_buffer_ = ref.buffer;
            writer_.program.buffers[static_cast<std::size_t>(ref.buffer)].instances = 2;
        }
        const Buffer& buffer = writer_.program.buffers[static_cast<std::size_t>(carried_buffer_)];
        core::require(buffer.spec == local && buffer.placement == placed,
                      "the residual stream is the same between all layers");
        return {carried_buffer_, id == block_->carry_out ? Instance::CarryOut : Instance::CarryIn};
    }

    Located locate(ValueId id) {
        const tensor::Value& value = graph_.value(id);
        if (value.kind != ValueKind::Computed) {
            return persistents_.place(*block_, id,
                                      placement_of(profile_, value.role, graph_.phase));
        }
        if (const auto found = located_.find(id); found != located_.end()) return found->second;
        core::require(carried_.contains(id), "a value is made before it is used");
        const Buffer& buffer = writer_.program.buffers[static_cast<std::size_t>(carried_buffer_)];
        return {{carried_buffer_, Instance::CarryIn}, buffer.placement};
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
        Located now = writer_.at_memory(graph_.value(id).name, from, residence_.before_gather(id));
        // The minor axis first: a value sharded twice along one dim is minor in axis 1. Cut from a
        // whole value it comes last.
        const bool cut_twice = from.placed == Placements{} && effective[0].is_sharded() &&
                               effective[0] == effective[1];
        for (const int axis : cut_twice ? std::array{0, 1} : std::array{1, 0}) {
            now = move_to(writer_, graph_.value(id).name, now, axis, effective[at(axis)],
                          all_reduce_form(profile_, graph_.value(id).role, graph_.phase, axis));
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
        for (const Located& input : inputs) specs.push_back(writer_.local_spec(input));
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
            result.inputs.push_back(resident(node, i, brought(node.inputs[i], inputs[i], need[i])));
        }
        return result;
    }

    // Brings input `index` to the memory the node reads it in, once per block.
    Located resident(const tensor::Node& node, std::size_t index, const Located& from) {
        const auto memory = residence_.input(node, index, writer_.local_spec(from));
        const auto* turns = std::get_if<tensor::RotaryEmbedding>(&node.op);
        if (turns != nullptr && tensor::is_block_float(writer_.local_spec(from).dtype)) {
            // attention.py: "Rotary embeddings require bfloat16 inputs".
            return writer_.append(graph_.value(node.inputs[index]).name + ".typecast",
                                  tensor::Typecast{tensor::DType::BFloat16}, {from},
                                  graph_.value(node.inputs[index]).spec, from.placed, memory);
        }
        const BufferRef at_first = from.ref;
        if (!memory || writer_.program.buffer(from.ref).memory == *memory) return from;
        const auto key = std::make_pair(
            from.ref.buffer, dispatch::to_text(*memory) + std::to_string(memory->shards));
        const bool carried = from.ref.buffer == carried_buffer_;
        if (const auto found = resided_.find(key); found != resided_.end() && !carried) {
            return found->second;
        }
        const Located now = writer_.at_memory(graph_.value(node.inputs[index]).name, from, memory);
        if (now.ref != at_first) resided_.emplace(key, now);
        return now;
    }

    // What the profile says of an op: partial sums on a 2-D mesh are made in the collectives'
    // format, and experts are given the rows that the software gives them.
    tensor::Op with_payload(const tensor::Node& node, const std::vector<Placements>& out) const {
        tensor::Op op = node.op;
        auto* linear = std::get_if<tensor::Linear>(&op);
        auto* experts = std::get_if<tensor::Experts>(&op);
        if (experts != nullptr) experts->rows = profile_.expert_rows;
        const bool sums = out.front()[0].is_partial() || out.front()[1].is_partial();
        if (!sums || profile_.payload != Profile::Payload::CclDtype) return op;
        if (linear != nullptr) linear->out = precision_.ccl;
        if (experts != nullptr) experts->out = precision_.ccl;
        return op;
    }

    void place_node(const tensor::Node& node) {
        if (std::holds_alternative<tensor::Linear>(node.op) &&
            graph_.value(node.inputs[1]).role == tensor::Role::WeightLmHead &&
            place_lm_head(node, locate(node.inputs[0]))) {
            return;
        }
        std::vector<Located> inputs;
        for (const ValueId id : node.inputs) inputs.push_back(locate(id));
        if (std::holds_alternative<tensor::ConcatHeads>(node.op) && writer_.fuses()) {
            // all_gather_concat: the users of the other columns come before heads are merged.
            inputs[0] =
                brought(node.inputs[0], inputs[0], {inputs[0].placed[0], Placement::replicated()});
        }
        if (std::holds_alternative<tensor::RmsNorm>(node.op) &&
            place_distributed_norm(node, inputs)) {
            return;
        }
        if (std::holds_alternative<tensor::RmsNorm>(node.op)) {
            inputs[1] = persistents_.place(*block_, node.inputs[1], {});
        }
        if (place_exchanged(node, inputs)) return;
        const Ready now = ready(node, std::move(inputs));
        std::vector<Located> results = emitted(node, with_payload(node, now.outputs), now);
        if (std::holds_alternative<tensor::Experts>(node.op)) {
            results[0] = copies_in_stream(writer_, node.name, results[0]);
        }
        for (std::size_t i = 0; i < node.outputs.size(); ++i) settle(node.outputs[i], results[i]);
    }

    // Experts whose rows travel to them and back (expert_exchange.h). False where they do not.
    bool place_exchanged(const tensor::Node& node, const std::vector<Located>& inputs) {
        const auto* experts = std::get_if<tensor::Experts>(&node.op);
        if (experts == nullptr) return false;
        const auto axis = exchange_axis(profile_, writer_.local_spec(inputs[0]).shape[0]);
        if (!axis) return false;
        const Located routing = brought(node.inputs[1], inputs[1], {});
        Ready now = ready(node, inputs);
        now.inputs[0] = dispatch_rows(writer_, node.name, now.inputs[0], routing, *axis, *experts);
        const Located made = emitted(node, with_payload(node, now.outputs), now).front();
        settle(node.outputs[0], combine_rows(writer_, node.name, made, routing, *axis, *experts));
        return true;
    }

    // The LM head in column splits, one matmul each, and their concatenation (lm_head.py). False
    // when one split holds all columns.
    bool place_lm_head(const tensor::Node& node, const Located& x) {
        const ValueId weight = node.inputs[1];
        const Placements placed = placement_of(profile_, graph_.value(weight).role, graph_.phase);
        const std::int64_t columns =
            writer_.shard(graph_.value(weight).spec, placed, graph_.value(weight).name).shape[1];
        if (columns <= profile_.lm_head_columns) return false;
        std::vector<Located> parts;
        for (std::int64_t first = 0; first < columns; first += profile_.lm_head_columns) {
            const std::int64_t count = std::min(profile_.lm_head_columns, columns - first);
            const Ready now = ready(
                node, {x, persistents_.lm_head_split(weight, placed, parts.size(), first, count)});
            const Spec part{{graph_.value(node.outputs[0]).spec.shape[0], count}};
            const std::string label = node.name + "." + std::to_string(parts.size());
            const Spec columns_of{{part.shape[0], count}};
            const Located made = writer_.append(
                label, with_payload(node, now.outputs), now.inputs, part, now.outputs.front(),
                residence_.output(node, columns_of, memory_of(now.inputs.front())));
            parts.push_back(
                writer_.at_memory(label, made, residence_.rest(node.outputs[0], columns_of)));
        }
        const Located logits = writer_.append(node.name + ".concat", tensor::Concat{}, parts,
                                              graph_.value(node.outputs[0]).spec,
                                              parts.front().placed, memory_of(parts.front()));
        settle(node.outputs[0], logits);
        return true;
    }

    // The outputs of the command, where it leaves them.
    std::vector<Located> emitted(const tensor::Node& node, const tensor::Op& op, const Ready& now) {
        std::vector<Spec> in;
        for (const Located& input : now.inputs) in.push_back(writer_.local_spec(input));
        const std::vector<Spec> out = tensor::infer(op, in);
        dispatch::OpCommand body = writer_.lowered(op, now.inputs, out, node.fidelity_group);
        for (std::size_t i = 0; i < out.size(); ++i) {
            const auto memory = residence_.output(node, out[i], memory_of(now.inputs.front()));
            if (memory) body.plan.outputs[i] = *memory;
        }
        writer_.run_on_shards(body);
        std::vector<Located> results;
        for (std::size_t i = 0; i < node.outputs.size(); ++i) {
            const ValueId id = node.outputs[i];
            if (graph_.value(id).kind != ValueKind::Computed) {
                body.outputs.push_back(now.inputs.front().ref);  // in place
                results.push_back(now.inputs.front());
                continue;
            }
            // A value that is pinned elsewhere moves right away; its final place may be carried.
            const auto rest = rest_of(id, out[i]);
            const bool stays = !rest || *rest == body.plan.outputs[i];
            const bool settles = stays && !moves(id, now.outputs[i]);
            const BufferRef ref =
                settles ? result(id, out[i], now.outputs[i], body.plan.outputs[i])
                        : writer_.activation(graph_.value(id).name, out[i], graph_.value(id).spec,
                                             now.outputs[i], body.plan.outputs[i]);
            body.outputs.push_back(ref);
            results.push_back({ref, now.outputs[i]});
        }
        const core::Bytes scratch = tensor::scratch(op, in, {});
        if (scratch.value > 0) body.scratch = writer_.scratch(node.name + ".scratch", scratch);
        writer_.emit(node.name).body = std::move(body);
        place_on_ring(writer_.program, profile_, graph_, node, mesh_.system.chip.dram.banks);
        if (profile_.wo == Profile::AttentionOut::ColumnParallel) {
            fuse_gather_and_wo(writer_.segment(), graph_, node);
        }
        return results;
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
            // Logits leave their cores before anything gathers them (lm_head.py).
            const bool logits = graph_.value(id).role == tensor::Role::Logits;
            if (logits) value = rested(id, value);
            value = brought(id, value, need);
            if (!logits) value = rested(id, value);
        }
        located_[id] = value;
    }

    // What is added to the stream stays where it is made until it is added.
    Residence::Memory rest_of(ValueId id, const Spec& spec) const {
        const bool term = graph_.value(id).role == tensor::Role::Residual && !carried_.contains(id);
        return term ? Residence::Memory{} : residence_.rest(id, spec);
    }

    // Brings a value to the memory it rests in. One that is carried is moved into its buffer.
    Located rested(ValueId id, const Located& value) {
        const auto rest = rest_of(id, writer_.local_spec(value));
        if (!rest || memory_of(value) == *rest) return value;
        if (!carried_.contains(id)) return writer_.at_memory(graph_.value(id).name, value, rest);
        const Spec spec = writer_.local_spec(value);
        dispatch::OpCommand body = writer_.moved(value, *rest);
        const auto route = std::get<tensor::ToMemory>(body.op).route;
        const BufferRef ref = result(id, spec, value.placed, *rest);
        body.outputs = {ref};
        writer_.emit(graph_.value(id).name + std::string(suffix_of(route))).body = std::move(body);
        return {ref, value.placed};
    }

    dispatch::MemoryConfig memory_of(const Located& value) const {
        return writer_.program.buffer(value.ref).memory;
    }

    // Norms that gather statistics only. False when the input is not sharded or the profile
    // gathers the input instead.
    bool place_distributed_norm(const tensor::Node& node, const std::vector<Located>& inputs) {
        const NormForm form =
            graph_.phase == tensor::Phase::Decode ? profile_.decode_norm : profile_.prefill_norm;
        const int last = writer_.local_spec(inputs[0]).shape.rank() - 1;
        int axis = -1;
        for (const int candidate : {0, 1}) {
            if (mesh_.shape.extent(candidate) > 1 &&
                inputs[0].placed[at(candidate)].is_sharded(last)) {
                axis = candidate;
            }
        }
        if (form != NormForm::GatherStatistics || axis < 0) return false;

        const Located x = resident(node, 0, inputs[0]);
        const Spec spec = writer_.local_spec(x);
        const auto& norm = std::get<tensor::RmsNorm>(node.op);
        const std::int64_t ranks = mesh_.shape.extent(axis);
        const Spec all_stats{{spec.shape[0], tensor::kTileSide * ranks}, spec.dtype, spec.layout};
        Placements sharded{};
        sharded[at(axis)] = Placement::sharded(last);
        const Located stats = writer_.append(node.name + ".stats", tensor::RmsNormStats{spec.dtype},
                                             {x}, all_stats, sharded, residence_.statistics());
        const Located gathered = all_gather(writer_, node.name + ".stats", stats, axis);
        Placements gamma{};
        gamma[at(axis)] = Placement::sharded(0);
        const Located weight = persistents_.place(*block_, node.inputs[1], gamma);
        const Located y = writer_.append(node.name, tensor::RmsNormApply{norm.epsilon},
                                         {x, gathered, weight}, graph_.value(node.outputs[0]).spec,
                                         x.placed, residence_.output(node, spec, memory_of(x)));
        // On one axis distributed_norm.py gathers whatever it normalized, outputs of a block too.
        const bool output = graph_.value(node.outputs[0]).role == tensor::Role::Contribution;
        const bool gathers = output && !profile_.is_2d();
        settle(node.outputs[0], gathers ? gathered_and_cut(writer_, node.name, y, axis) : y);
        return true;
    }

    // --- blocks ---

    void place_block(const tensor::Block& block) {
        block_ = &block;
        moved_.clear();
        resided_.clear();
        std::erase_if(located_,
                      [this](const auto& entry) { return carried_.contains(entry.first); });
        writer_.begin_segment(block.name, block.first_layer, block.repeat);
        for (const tensor::Node& node : block.nodes) place_node(node);
        if (writer_.fuses()) fuse(writer_.segment(), profile_.decode_fusions);
        if (options_.taps == PartitionOptions::Taps::HiddenStates && block.carry_out.value >= 0) {
            dispatch::Command& tap = writer_.emit("hidden_states");
            tap.body =
                dispatch::ReadCommand{{carried_buffer_, Instance::CarryOut}, "hidden_states"};
            tap.chips = dispatch::holders(
                writer_.program.buffer({carried_buffer_, Instance::CarryOut}), mesh_.shape);
        }
        const bool more = &block != &graph_.blocks.back();
        if (!more) keep_outputs();
        set_lifetimes(writer_.program, writer_.segment(), [&](BufferRef ref) {
            if (shared_.contains(ref.buffer)) return true;
            // The stream goes on to the next layer; the first block's output is not read there.
            return more && ref.buffer == carried_buffer_ &&
                   (ref.instance == Instance::CarryOut || block.carry_in.value < 0);
        });
        if (&block == &graph_.blocks.front()) share();
        if (more) return;
        for (const std::int32_t buffer : shared_) {
            writer_.segment().commands.back().releases.push_back({buffer, Instance::Only});
        }
    }

    // What the first block makes for the layers (rows of rotary tables) lives until the step ends.
    void share() {
        std::set<ValueId> read;
        for (std::size_t i = 1; i < graph_.blocks.size(); ++i) {
            for (const tensor::Node& node : graph_.blocks[i].nodes) {
                read.insert(node.inputs.begin(), node.inputs.end());
            }
        }
        for (const auto& [id, value] : located_) {
            const bool made = graph_.value(id).kind == ValueKind::Computed;
            if (made && read.contains(id) && !carried_.contains(id))
                shared_.insert(value.ref.buffer);
        }
        for (dispatch::Command& command : writer_.segment().commands) {
            std::erase_if(command.releases,
                          [this](BufferRef ref) { return shared_.contains(ref.buffer); });
        }
    }

    // Results the host reads live as long as the model, like inputs.
    void keep_outputs() {
        for (const ValueId id : graph_.outputs) {
            Located value = located_.at(id);
            if (memory_of(value).type != mesh::BufferType::Dram) {
                // Frees L1 for what comes after the step (model.py: logits to DRAM).
                value = writer_.at_memory(tensor_output_name(id), value,
                                          dispatch::MemoryConfig{mesh::BufferType::Dram});
            }
            Buffer& buffer = writer_.program.buffers[static_cast<std::size_t>(value.ref.buffer)];
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

    const tensor::Graph& graph_;
    const Profile& profile_;
    const Precision& precision_;
    const fabric::Mesh& mesh_;
    const PartitionOptions& options_;
    ProgramWriter writer_;
    std::set<ValueId> carried_;
    std::int32_t carried_buffer_ = -1;
    Persistents persistents_;
    Residence residence_;
    const tensor::Block* block_ = nullptr;
    std::map<ValueId, Located> located_;
    std::map<std::pair<ValueId, std::string>, Located> moved_;
    std::map<std::pair<std::int32_t, std::string>, Located> resided_;
    std::set<std::int32_t> shared_;
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

#include "model/program_writer.h"

#include <algorithm>

#include "core/error.h"
#include "model/residence.h"

namespace model {

using dispatch::Buffer;
using dispatch::BufferRef;
using tensor::Spec;

namespace {

// model_config.py: XQKV_PREFILL_PROGCFG; WO_PREFILL_PROGCFG has the depth of one device's heads,
// PREFILL_MLP_W2_PRG_CONFIG that of all devices'; matmul_config has no wide sub-blocks on a Galaxy.
// llama3_70b_galaxy has configs of its own.
dispatch::Projection projection_of(OpGroup group, const Profile& profile, const Spec& weight) {
    using Makes = dispatch::Projection::Makes;
    dispatch::Projection projection;
    if (profile.is_2d()) projection.sub_blocks = dispatch::Projection::SubBlocks::Single;
    if (profile.fuses()) return projection;
    if (group == OpGroup::LiQkvPrefill) projection.makes = Makes::Qkv;
    if (group == OpGroup::LiOPrefill) projection.makes = Makes::Output;
    if (group == OpGroup::LiFf2) projection.makes = Makes::Down;
    if (profile.is_2d()) return projection;
    if (projection.makes == Makes::Output) {
        projection.depth_tiles = weight.tile_rows() / profile.shape.chips();
    }
    if (projection.makes == Makes::Down) projection.depth_tiles = weight.tile_rows();
    return projection;
}

}  // namespace

ProgramWriter::ProgramWriter(const Profile& profile, const Precision& precision,
                             const fabric::Mesh& mesh, const PartitionOptions& options,
                             tensor::Phase phase)
    : profile_(profile),
      precision_(precision),
      mesh_(mesh),
      worker_grid_(options.worker_grid),
      release_(options.release) {
    program.name = options.name;
    program.phase = phase;
    program.shape = mesh.shape;
}

void ProgramWriter::begin_segment(std::string name, std::int32_t first_layer, std::int32_t repeat) {
    program.segments.push_back({std::move(name), first_layer, repeat, {}});
}

Spec ProgramWriter::shard(const Spec& global, const Placements& placed,
                          const std::string& name) const {
    Spec local = global;
    for (const std::size_t axis : {0U, 1U}) {
        const std::int64_t chips = mesh_.shape.extent(static_cast<int>(axis));
        if (!placed[axis].is_sharded() || chips == 1) continue;
        const int dim = placed[axis].dim();
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

std::int32_t ProgramWriter::add_buffer(Buffer buffer) {
    program.buffers.push_back(std::move(buffer));
    return static_cast<std::int32_t>(program.buffers.size()) - 1;
}

BufferRef ProgramWriter::activation(const std::string& name, const Spec& local, const Spec& global,
                                    const Placements& placed, const dispatch::MemoryConfig& memory,
                                    dispatch::Owner owner) {
    Buffer buffer;
    buffer.name = name;
    buffer.spec = local;
    buffer.global = global;
    buffer.placement = placed;
    buffer.memory = memory;
    buffer.owner = owner;
    return {add_buffer(std::move(buffer)), dispatch::Instance::Only};
}

BufferRef ProgramWriter::scratch(const std::string& name, core::Bytes size, dispatch::Owner owner) {
    constexpr tensor::DType kDtype = tensor::DType::BFloat16;
    const std::int64_t tiles = core::ceil_div(size.value, tensor::tile_bytes(kDtype).value);
    const Spec spec{{tiles * tensor::kTileSide, tensor::kTileSide}, kDtype};
    return activation(name, spec, spec, {}, {mesh::BufferType::Dram}, owner);
}

dispatch::MemoryConfig ProgramWriter::activation_memory(const Spec& local) const {
    return dispatch::activation_memory(local, program.phase, worker_grid_);
}

dispatch::MemoryConfig ProgramWriter::stacked_memory(const Spec& local) const {
    const std::int32_t cores = dispatch::nearest_core_count(local.tile_cols(), worker_grid_);
    if (program.phase == tensor::Phase::Prefill || cores == 0) return activation_memory(local);
    return {mesh::BufferType::L1, dispatch::MemoryLayout::WidthSharded, cores};
}

dispatch::Command& ProgramWriter::emit(std::string label) {
    dispatch::Command command;
    command.label = std::move(label);
    segment().commands.push_back(std::move(command));
    return segment().commands.back();
}

dispatch::OpCommand ProgramWriter::lowered(const tensor::Op& op, const std::vector<Located>& inputs,
                                           const std::vector<Spec>& out, int fidelity_group) const {
    std::vector<Spec> in;
    std::vector<dispatch::MemoryConfig> memories;
    dispatch::OpCommand body;
    body.op = op;
    for (const Located& input : inputs) {
        in.push_back(local_spec(input));
        memories.push_back(program.buffer(input.ref).memory);
        body.inputs.push_back(input.ref);
    }
    const auto layers = static_cast<std::int32_t>(precision_.layers.size());
    const std::int32_t layer = std::min(program.segments.back().first_layer, layers - 1);
    const mesh::Fidelity fidelity = precision_.layers[static_cast<std::size_t>(layer)].fidelity_of(
        static_cast<OpGroup>(fidelity_group));
    body.plan =
        dispatch::lower(op, in, out, memories,
                        {&mesh_.system.chip, worker_grid_, program.phase, fidelity, release_});
    // llama3_70b_galaxy/tt/llama_attention.py: llama_rs_create_heads leaves rows of heads, and
    // rotary_embedding_llama_fused_qk takes them as they are (row_major_QK).
    if (std::holds_alternative<tensor::RotaryEmbedding>(op) && profile_.fuses()) {
        body.plan.head_rows = dispatch::HeadRows::Packed;
    }
    if (std::holds_alternative<tensor::Linear>(op)) {
        body.plan.projection = projection_of(static_cast<OpGroup>(fidelity_group), profile_,
                                             program.buffer(inputs[1].ref).global);
    }
    return body;
}

Located ProgramWriter::append(const std::string& label, const tensor::Op& op,
                              const std::vector<Located>& inputs, const Spec& global,
                              const Placements& placed,
                              const std::optional<dispatch::MemoryConfig>& memory) {
    std::vector<Spec> in;
    for (const Located& input : inputs) in.push_back(local_spec(input));
    const std::vector<Spec> out = tensor::infer(op, in);
    dispatch::OpCommand body = lowered(op, inputs, out, static_cast<int>(OpGroup::Other));
    if (memory) body.plan.outputs.front() = *memory;
    run_on_shards(body);
    const BufferRef ref = activation(label, out.front(), global, placed, body.plan.outputs.front());
    body.outputs = {ref};
    emit(label).body = std::move(body);
    return {ref, placed};
}

Located ProgramWriter::at_memory(const std::string& label, const Located& from,
                                 const std::optional<dispatch::MemoryConfig>& memory) {
    const Buffer here = program.buffer(from.ref);
    if (!memory || here.memory == *memory || here.kind != tensor::ValueKind::Computed) return from;
    const auto& commands = segment().commands;
    const auto* last = commands.empty()
                           ? nullptr
                           : std::get_if<dispatch::CollectiveCommand>(&commands.back().body);
    const bool sharded = memory->layout != dispatch::MemoryLayout::Interleaved;
    if (last != nullptr && last->output == from.ref && sharded) {
        program.buffers[static_cast<std::size_t>(from.ref.buffer)].memory = *memory;
        return from;
    }
    dispatch::OpCommand body = moved(from, *memory);
    const std::string name =
        label + std::string(suffix_of(std::get<tensor::ToMemory>(body.op).route));
    body.outputs = {activation(name, here.spec, here.global, from.placed, *memory)};
    const BufferRef ref = body.outputs.front();
    emit(name).body = std::move(body);
    return {ref, from.placed};
}

dispatch::OpCommand ProgramWriter::moved(const Located& from,
                                         const dispatch::MemoryConfig& memory) const {
    const Buffer& here = program.buffer(from.ref);
    const tensor::ToMemory op{route_between(here.memory, memory), here.spec.dtype};
    dispatch::OpCommand body = lowered(op, {from}, {here.spec}, static_cast<int>(OpGroup::Other));
    body.plan.outputs = {memory};
    run_on_shards(body);
    return body;
}

void ProgramWriter::run_on_shards(dispatch::OpCommand& body) const {
    const bool own_cores = std::holds_alternative<tensor::Linear>(body.op) ||
                           std::holds_alternative<tensor::SdpaDecode>(body.op) ||
                           std::holds_alternative<tensor::Experts>(body.op) ||
                           std::holds_alternative<tensor::Opaque>(body.op);
    if (own_cores) return;
    std::int32_t shards = 0;
    for (const auto& memory : body.plan.inputs) shards = std::max(shards, memory.shards);
    for (const auto& memory : body.plan.outputs) shards = std::max(shards, memory.shards);
    if (shards == 0) return;
    const std::int32_t columns = std::min(shards, worker_grid_.x);
    body.plan.cores = shards;
    body.plan.grid = {columns, (shards + columns - 1) / columns};
}

}  // namespace model

// The program of one step: an SPMD command list for every chip of a mesh. Plain data with three
// readers: the memory plan, the simulator and the executor.
// Layers that are alike are one segment with a repeat count; buffers of a segment are named by
// (buffer, instance), so nothing is written once per layer.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "ccl/plan.h"
#include "core/ids.h"
#include "dispatch/kernel_plan.h"
#include "mesh/shape.h"
#include "tensor/graph.h"
#include "tensor/op.h"
#include "tensor/placement.h"

namespace dispatch {

using QueueId = core::Id<struct QueueTag>;  // 0 or 1
using SubDeviceId =
    core::Id<struct SubDeviceTag>;  // 0 is the whole worker grid unless loaded otherwise

enum class Owner {
    Weights,
    Embedding,
    LmHead,
    Norms,
    RopeTables,
    KvCache,
    Inputs,
    Activations,
    Collectives,  // staging of collectives
    Binaries,
    Trace,
};
std::string to_text(Owner owner);

/// A tensor of the program on every chip (same address everywhere).
struct Buffer {
    std::string name;
    tensor::Spec spec;    // one chip's part
    tensor::Spec global;  // the whole value
    std::array<tensor::Placement, 2> placement;
    MemoryConfig memory;
    Owner owner = Owner::Activations;
    tensor::ValueKind kind =
        tensor::ValueKind::Computed;  // all but Computed live as long as the model
    // Per-layer weights and caches have one instance for each layer of their segment; the name
    // says which: "layers.0-30.attention.wqkv".
    std::int32_t instances = 1;
    std::int32_t first_layer = 0;
    // A column split of a weight holds spec.shape[1] columns of each chip's part, from this one on.
    std::int64_t first_column = 0;
    std::vector<tensor::WeightSource> sources;
};

enum class Instance { Only, Layer, CarryIn, CarryOut };

struct BufferRef {
    std::int32_t buffer = -1;
    Instance instance = Instance::Only;
    bool operator==(const BufferRef&) const = default;
};
/// Which instance of `buffer` `instance` means in layer `layer`: per-layer values count from the
/// first layer of their segment, carried values alternate between two.
std::int32_t instance_of(const Buffer& buffer, Instance instance, std::int32_t layer);
/// What people call instance `index`: "layers.12.attention.wqkv".
std::string instance_name(const Buffer& buffer, std::int32_t index);

struct OpCommand {
    tensor::Op op;
    std::vector<BufferRef> inputs;
    std::vector<BufferRef> outputs;
    KernelPlan plan;
    BufferRef scratch{};  // memory while it runs, tensor::scratch bytes; buffer -1: none
};

/// A collective along one mesh axis, or (axis -1) over the whole mesh in row-major order.
/// AllGather along `dim`: output.shape[dim] = ranks x input's. `stacked`: the parts become a new
/// outermost axis instead. ReduceScatter along `dim`: output.shape[dim] = input's / ranks.
/// AllToAll of rows around experts that are shared out over the axis (expert_exchange.h), N ranks:
///   Dispatch  own rows [rows / N, K] -> [rows, K]: those of all chips that go to an expert of this
///             chip, at their place; others are zeros
///   Combine   [rows, K] -> [slots, rows / N, K]: what the chips made of the own rows, in the order
///             of the chips; a row has as many slots as it may have chips, unused ones are zeros
struct CollectiveCommand {
    ccl::Collective collective;
    int axis = 1;
    int dim = 0;
    enum class Form { AlongDim, Stacked, Dispatch, Combine } form = Form::AlongDim;
    BufferRef input;
    BufferRef output;
    BufferRef staging;  // buffer -1: none
    BufferRef routing;  // Dispatch, Combine: weights [rows, experts] on every chip; else buffer -1
    bool exchanges_rows() const { return form == Form::Dispatch || form == Form::Combine; }
};

/// Host memory to a buffer / a buffer to host memory, on every chip of the mesh. `tag` names the
/// host side: "token_ids", "logits", "hidden_states".
struct WriteCommand {
    BufferRef buffer;
    std::string tag;
};
struct ReadCommand {
    BufferRef buffer;
    std::string tag;
};

struct Command {
    std::string label;  // "attention.wqkv"
    std::variant<OpCommand, CollectiveCommand, WriteCommand, ReadCommand> body;
    QueueId queue{0};
    SubDeviceId sub_device{0};
    // Lifetimes are part of the plan: allocated before the command is enqueued, freed after.
    std::vector<BufferRef> allocates;
    std::vector<BufferRef> releases;
    /// A persistent program never completes: it keeps its sub-device for good. One that streams
    /// (tensor::Prefetch) keeps it until the last of its weights is taken.
    enum class Completion { Normal, Persistent, Streams } completion = Completion::Normal;
    /// Neighbours of the same name are parts of one program on the device, which is launched once.
    /// slices > 1: works on that many slices of what the part before it lands, as they land.
    struct Fused {
        std::string program;
        std::int32_t slices = 1;
        /// Behind the part before it; on other cores beside it; or done by the writes of the part
        /// before it, which land where this one would bring things.
        enum class Runs { Behind, Beside, Written } runs = Runs::Behind;
    } fused = {};
    /// The weight of a matmul that a prefetcher streams from DRAM into a global circular buffer on
    /// the cores that multiply, in the order of the commands. No bytes: it is read in place.
    struct Prefetched {
        core::Bytes weight;
        core::Bytes room;  // of the global circular buffer, all cores
    } prefetched = {};
    /// The chips a program is placed on (row-major, ascending); empty: every chip of the mesh.
    std::vector<std::int32_t> chips;
};

struct Segment {
    std::string name;
    std::int32_t first_layer = 0;
    std::int32_t repeat = 1;
    std::vector<Command> commands;
};

/// Cores that run programs of their own.
struct SubDeviceCores {
    std::string name;
    mesh::Grid grid;
};

struct Program {
    std::string name;  // "decode", "prefill 128"
    tensor::Phase phase = tensor::Phase::Decode;
    mesh::Shape shape;
    std::vector<Buffer> buffers;
    std::vector<Segment> segments;
    /// What the commands' sub-devices are; empty: one, all workers.
    std::vector<SubDeviceCores> sub_devices;

    const Buffer& buffer(BufferRef ref) const {
        return buffers.at(static_cast<std::size_t>(ref.buffer));
    }
    /// Calls `visit(command, layer)` for every command in order, repeats unrolled.
    void for_each(const std::function<void(const Command&, std::int32_t)>& visit) const;
    std::int64_t command_count() const;
};

/// The chips (row-major) that together hold a buffer once: of replicated parts the first.
std::vector<std::int32_t> holders(const Buffer& buffer, mesh::Shape shape);

/// What the allocator is asked for: one formula for the planner and the device.
struct AllocationRequest {
    mesh::BufferType type = mesh::BufferType::Dram;
    core::Bytes size;
    std::int64_t pages = 0;
    core::Bytes page;
    std::int32_t banks = 0;  // 0: all banks of the type
};
AllocationRequest allocation_request(const tensor::Spec& spec, const MemoryConfig& memory,
                                     std::int32_t dram_banks);

}  // namespace dispatch

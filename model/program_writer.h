// Appends buffers and commands to a program under construction; every command is lowered here.
// Invariant: a buffer's spec is one chip's part of its global spec under its placement.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "dispatch/lower.h"
#include "dispatch/program.h"
#include "fabric/mesh.h"
#include "model/partition.h"
#include "model/precision.h"
#include "model/profile.h"

namespace model {

/// A value somewhere on the mesh: which buffer, how it is placed.
struct Located {
    dispatch::BufferRef ref;
    Placements placed;
};

class ProgramWriter {
public:
    ProgramWriter(const Profile& profile, const Precision& precision, const fabric::Mesh& mesh,
                  const PartitionOptions& options, tensor::Phase phase);

    dispatch::Program program;

    const Profile& profile() const { return profile_; }
    const fabric::Mesh& mesh() const { return mesh_; }
    tensor::Phase phase() const { return program.phase; }
    /// Commands become parts of fused programs, which need nothing moved between them.
    bool fuses() const { return profile_.fuses() && phase() == tensor::Phase::Decode; }
    /// A copy: the next buffer that is added may move all others.
    tensor::Spec local_spec(const Located& value) const { return program.buffer(value.ref).spec; }
    dispatch::Segment& segment() { return program.segments.back(); }
    void begin_segment(std::string name, std::int32_t first_layer, std::int32_t repeat);

    /// One chip's part of `global`. Throws core::Error naming `name` and both numbers when an axis
    /// does not divide.
    tensor::Spec shard(const tensor::Spec& global, const Placements& placed,
                       const std::string& name) const;
    std::int32_t add_buffer(dispatch::Buffer buffer);
    /// A buffer that commands make and drop.
    dispatch::BufferRef activation(const std::string& name, const tensor::Spec& local,
                                   const tensor::Spec& global, const Placements& placed,
                                   const dispatch::MemoryConfig& memory,
                                   dispatch::Owner owner = dispatch::Owner::Activations);
    dispatch::MemoryConfig activation_memory(const tensor::Spec& local) const;
    /// What a command needs while it runs, in DRAM as intermediate tensors of prefill are.
    dispatch::BufferRef scratch(const std::string& name, core::Bytes size,
                                dispatch::Owner owner = dispatch::Owner::Activations);

    dispatch::Command& emit(std::string label);
    /// The op on these inputs, lowered for the chip; outputs are the caller's to fill in.
    dispatch::OpCommand lowered(const tensor::Op& op, const std::vector<Located>& inputs,
                                const std::vector<tensor::Spec>& out, int fidelity_group) const;
    /// Programs on sharded L1 tensors run on the cores that hold the most shards of them; matmuls,
    /// attention and what `lower` knows no place for have cores of their own.
    void run_on_shards(dispatch::OpCommand& body) const;
    /// The program that brings `from` to `memory`.
    dispatch::OpCommand moved(const Located& from, const dispatch::MemoryConfig& memory) const;
    /// Appends an op with one output whose whole value is `global`.
    /// It is left at `memory` where one is given.
    Located append(const std::string& label, const tensor::Op& op,
                   const std::vector<Located>& inputs, const tensor::Spec& global,
                   const Placements& placed,
                   const std::optional<dispatch::MemoryConfig>& memory = {});
    /// `from` at `memory`: as it is, or behind a program that brings it there. What the last
    /// command, a collective, has just made is made there at once.
    Located at_memory(const std::string& label, const Located& from,
                      const std::optional<dispatch::MemoryConfig>& memory);
    /// Where a collective leaves parts that are stacked: decode over the cores of one row.
    dispatch::MemoryConfig stacked_memory(const tensor::Spec& local) const;

private:
    const Profile& profile_;
    const Precision& precision_;
    const fabric::Mesh& mesh_;
    mesh::Grid worker_grid_;
    dispatch::Release release_;
};

}  // namespace model

// A software profile: how a given piece of software lays a model on a mesh. Data plus a short
// table of transitions; `partition` and every verb take it as an input.
// tt-transformers: tenstorrent/tt-metal models/tt_transformers/tt (attention.py, mlp.py, ccl.py,
// lm_head.py, model_config.py; tree of 2026-05-23). expert-parallel: the same, but experts whole on
// their chips and tokens brought to them (models/demos/deepseek_v3/tt/moe.py). llama-galaxy:
// model/profile_galaxy.h.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dispatch/program.h"
#include "fabric/mesh.h"
#include "model/config.h"
#include "tensor/graph.h"

namespace model {

using Placements = std::array<tensor::Placement, 2>;  // per mesh axis

/// What a sum over chips becomes where a replicated value is needed.
enum class AllReduceForm {
    ReduceScatterAllGather,  // along the last axis
    GatherAndSum,            // all-gather stacked, then fast_reduce_nc
};

/// How a norm copes with an input whose last axis is sharded.
enum class NormForm { GatherInput, GatherStatistics };

/// Commands in a row that are one program on the device, by the names of their ops and collectives.
struct Fusion {
    struct Part {
        std::string_view op;
        dispatch::Command::Fused::Runs runs = dispatch::Command::Fused::Runs::Behind;
        /// Works on the parts of the chips as the collective before it lands them.
        enum class Takes { All, Slices } takes = Takes::All;
    };
    std::string_view program;
    std::vector<Part> parts;
    /// EndOfLayer: what the next layer begins with is of the same program.
    enum class Where { Anywhere, EndOfLayer } where = Where::Anywhere;
};

/// Weights of the layers of a decode step come through a global circular buffer.
struct Prefetcher {
    std::int32_t cores = 0;  // that multiply, in a ring
    core::Bytes room;        // of the buffer on each of them
    mesh::Grid senders;      // cores that read DRAM, a sub-device of their own
    mesh::Grid workers;      // all others of a decode step
};

struct Profile {
    std::string name;  // "tt-transformers"
    mesh::Shape shape;
    std::array<fabric::Topology, 2> topology{};  // of collectives, per axis
    std::array<std::int32_t, 2> links{1, 1};
    /// Columns of the stored LM head.
    std::int64_t padded_vocab = 0;
    /// The LM head is multiplied in splits of at most so many columns per chip, then concatenated.
    std::int64_t lm_head_columns = 0;
    /// Row-parallel wo followed by a reduce-scatter, or all-gather and column-parallel wo.
    enum class AttentionOut { RowParallel, ColumnParallel } wo = AttentionOut::RowParallel;
    AllReduceForm reduce_rows = AllReduceForm::ReduceScatterAllGather;  // along axis 0
    AllReduceForm reduce_cols = AllReduceForm::GatherAndSum;            // along axis 1
    /// Of decode steps along both axes, logits too; nullopt: as the two above say.
    std::optional<AllReduceForm> decode_reduce;
    /// 2-D: w1 and w3 are reduce-scattered (and their product gathered), or all-reduced.
    enum class GateUp { ReduceScatter, AllReduce } gate_up = GateUp::AllReduce;
    NormForm decode_norm = NormForm::GatherInput;
    NormForm prefill_norm = NormForm::GatherInput;
    /// What the experts of a layer share out along each axis: the columns of every expert, the
    /// experts themselves, or nothing: its chips have copies.
    enum class ExpertsOver { Width, Experts, Copies };
    std::array<ExpertsOver, 2> experts_over{};
    /// Whether every chip sees all rows of a step, or rows travel to the chips of their experts.
    enum class ExpertRows { Stay, Travel } expert_rows_travel = ExpertRows::Stay;
    /// The rows an expert multiplies.
    tensor::Experts::Rows expert_rows = tensor::Experts::Rows::Chosen;
    /// Partial sums on 2-D meshes travel in the precision's ccl format.
    enum class Payload { OwnDtype, CclDtype } payload = Payload::OwnDtype;
    /// User slots of every step; 0: as many as the batch, rounded up to the columns.
    std::int64_t slots = 0;
    /// Logits of a decode step stay where they are made, and top-k and a draw pick from them there.
    enum class Sampling { ByRelease, OnDevice } sampling = Sampling::ByRelease;
    std::vector<Fusion> decode_fusions;  // the first that matches wins
    std::optional<Prefetcher> prefetcher;
    /// The side of the chip whose cores dispatch, where the software asks for one.
    std::optional<mesh::DispatchAxis> dispatch_axis;

    bool is_2d() const { return shape.rows > 1 && shape.cols > 1; }
    /// Values of decode steps lie where the fused programs make and read them.
    bool fuses() const { return !decode_fusions.empty(); }
};

/// Names for --software.
std::vector<std::string_view> software_names();

/// The profile of `software` for this model on this mesh. Throws core::Error for other names.
Profile software_profile(std::string_view software, const Config& config, const fabric::Mesh& mesh);

/// The network as `software` stores it on this mesh: feed-forwards padded where it pads them.
Config stored_config(const Profile& profile, const Config& config);

/// Where a persistent value lives.
Placements placement_of(const Profile& profile, tensor::Role role, tensor::Phase phase);
/// Where a computed value must be before anything else uses it; nullopt: wherever it comes out.
std::optional<tensor::Placement> pinned(const Profile& profile, tensor::Role role,
                                        tensor::Phase phase, int axis);
/// What a sum of this role over the chips of an axis becomes where all of them need it.
AllReduceForm all_reduce_form(const Profile& profile, tensor::Role role, tensor::Phase phase,
                              int axis);
/// DRAM-sharded or interleaved.
dispatch::MemoryConfig weight_memory(const Profile& profile, tensor::Role role);

/// Cores of the LM head: the most rows of 8 that divide dim, else fewer columns; 1 where nothing
/// divides (model_config.py: lm_head_core_grid).
std::int64_t lm_head_cores(std::int64_t dim, std::int64_t chips);

}  // namespace model

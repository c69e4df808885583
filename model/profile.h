// A software profile: how a given piece of software lays a model on a mesh. Data plus a short
// table of transitions; `partition` and every verb take it as an input.
// tt-transformers: tenstorrent/tt-metal models/tt_transformers/tt (attention.py, mlp.py, ccl.py,
// lm_head.py, model_config.py; tree of 2026-05-23). expert-parallel: the same, but experts whole on
// their chips and tokens brought to them (models/demos/deepseek_v3/tt/moe.py). A profile for the
// Galaxy demo of Llama-70B (prefetcher, fused collectives) is a second value of this struct.
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

    bool is_2d() const { return shape.rows > 1 && shape.cols > 1; }
};

/// Names for --software.
std::vector<std::string_view> software_names();

/// The profile of `software` for this model on this mesh. Throws core::Error for other names.
Profile software_profile(std::string_view software, const Config& config, const fabric::Mesh& mesh);

/// Where a persistent value lives.
Placements placement_of(const Profile& profile, tensor::Role role, tensor::Phase phase);
/// Where a computed value must be before anything else uses it; nullopt: wherever it comes out.
std::optional<tensor::Placement> pinned(const Profile& profile, tensor::Role role,
                                        tensor::Phase phase, int axis);
/// What a sum of this role over the chips of an axis becomes where all of them need it.
AllReduceForm all_reduce_form(const Profile& profile, tensor::Role role, int axis);
/// DRAM-sharded or interleaved.
dispatch::MemoryConfig weight_memory(const Profile& profile, tensor::Role role);

/// Cores of the LM head: the most rows of 8 that divide dim, else fewer columns; 1 where nothing
/// divides (model_config.py: lm_head_core_grid).
std::int64_t lm_head_cores(std::int64_t dim, std::int64_t chips);

}  // namespace model

// "Do the heads split": what the layout needs to divide, what tt_transformers asserts beyond it,
// and what works instead.
// A reason stops the model. A warning is a limit of the real stack where our run goes on;
// Limits::Strict makes it a reason. Every message has both numbers, in the words of
// tenstorrent/tt-metal models/tt_transformers/tt/{model_config,attention}.py (tree of 2026-05-23).
// A layer that differs from the others is named.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/units.h"
#include "fabric/mesh.h"
#include "model/config.h"
#include "model/precision.h"

namespace model {

/// What a model is asked to do on a mesh.
struct SplitQuestion {
    enum class Limits { Ours, Strict };

    std::string base_model;  // as base_model_name gives it
    std::string software = "tt-transformers";
    std::int64_t dp = 1;                        // data-parallel groups
    std::int64_t batch = 1;                     // users of a group
    std::int64_t context = 1024;                // positions a user may reach
    std::int64_t prefill_chunk = 0;             // longest chunk of a prompt; 0: prompts are not cut
    std::optional<std::int64_t> pad_mlp_cores;  // PAD_MLP_CORES
    Limits limits = Limits::Ours;
};

/// Something that splits where what was asked does not. Costs are those of one chip, beyond an
/// even share of the model as it is.
struct SplitOption {
    enum class Kind { DataParallel, SubMesh, KvReplication, HeadPadding };

    Kind kind = Kind::DataParallel;
    std::int64_t tp = 1;
    std::int64_t dp = 1;
    mesh::Shape shape;             // of one group
    std::int64_t added_heads = 0;  // of the layer that grows most
    std::int64_t added_kv_heads = 0;
    core::Bytes added_weight_bytes;
    core::Bytes added_kv_bytes_per_token;  // of one user, on the chips that hold it
    double added_flops_percent = 0;        // of a decode step at the end of the context
    std::string text;                      // as a user types it: "--dp 4", "--mesh t3k:1x2"
    std::string why;                       // "tensor parallel over 2 chips, 1x2"
};

/// Cores that tt_transformers gives its decode matmuls and norms (find_grid, find_grid_k_n,
/// lm_head_core_grid). One core divides any number of tiles, so none of its searches can fail;
/// few cores are slow. Zero where there is no whole tile.
struct DecodeGrids {
    std::int64_t norm = 0;
    std::int64_t gate_up = 0;
    std::int64_t down = 0;
    std::int64_t lm_head = 0;

    bool operator==(const DecodeGrids&) const = default;
};

struct SplitReport {
    std::int64_t tp = 1;
    std::int64_t dp = 1;
    mesh::Shape shape;                  // of one group
    std::vector<std::string> reasons;   // why not; empty: it splits
    std::vector<std::string> warnings;  // where the real stack is narrower
    std::vector<std::string> notes;     // what is padded
    std::vector<SplitOption> options;   // only where it does not split
    std::int64_t padded_vocab = 0;
    std::int64_t padded_intermediate = 0;
    DecodeGrids grids;

    bool splits() const { return reasons.empty(); }
};

/// What our layout needs and one group (`mesh`) does not give: empty when the model splits.
std::vector<std::string> split_problems(const Config& config, const fabric::Mesh& mesh,
                                        std::string_view software = "tt-transformers");

/// Why one group does not split: split_problems, and what tt_transformers refuses by name
/// (Qwen2.5-7B).
std::vector<std::string> split_reasons(const Config& config, const fabric::Mesh& group,
                                       std::string_view base_model,
                                       std::string_view software = "tt-transformers");

/// The whole answer for `mesh`, which question.dp groups share; `precision` says how many bytes an
/// option adds. Throws core::Error for groups the mesh does not have and for an unknown software.
SplitReport split_report(const Config& config, const Precision& precision, const fabric::Mesh& mesh,
                         const SplitQuestion& question);

/// What works on this system, each found by the rules of split_report: data-parallel groups of the
/// mesh, sub-meshes, and padded heads.
std::vector<SplitOption> split_options(const Config& config, const Precision& precision,
                                       const fabric::Mesh& mesh, const SplitQuestion& question);

}  // namespace model

// A model laid on one mesh (one data-parallel group): profile, precision, step shapes and the
// programs of its steps. Specs only: what `check` plans, `sim` times and a replica runs.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dispatch/memory_plan.h"
#include "dispatch/program.h"
#include "fabric/mesh.h"
#include "model/build.h"
#include "model/config.h"
#include "model/partition.h"
#include "model/precision.h"
#include "model/profile.h"

namespace model {

struct DeploymentOptions {
    std::string software = "tt-transformers";
    std::int64_t batch = 1;       // users of this group
    std::int64_t context = 1024;  // positions a user may reach
    std::int64_t block_size = 0;  // of the paged cache; 0: contiguous (one block per user)
    // Blocks of the pool that the users of the group share, over all columns of a 2-D mesh;
    // 0: enough for every user to reach `context`.
    std::int64_t max_num_blocks = 0;
    // Blocks in a random order, as in tt_transformers' demo (a permutation of the pool, the same
    // for every column and group); absent: in order.
    std::optional<std::uint64_t> page_seed = {};
    std::int64_t prefill_chunk = 4096;
    PartitionOptions::Taps taps = PartitionOptions::Taps::None;
    dispatch::DeviceOptions device;
};

/// Padded length of a prompt: 128, 1024 or the next power of two (get_padded_prefill_len, tree of
/// 2026-05-23).
std::int64_t padded_prefill_length(std::int64_t tokens);

class Deployment {
public:
    /// Throws core::Error when something does not divide; see split_problems for the report.
    Deployment(const Config& config, Precision precision, const fabric::Mesh& mesh,
               DeploymentOptions options);

    const Config& config() const { return config_; }
    const Precision& precision() const { return precision_; }
    const fabric::Mesh& mesh() const { return mesh_; }
    const Profile& profile() const { return profile_; }
    const DeploymentOptions& options() const { return options_; }
    /// User slots: the profile's, or the batch padded so that users split evenly over the columns
    /// of a 2-D mesh.
    std::int64_t slots() const { return slots_; }
    /// Width of the page table: blocks a user needs to reach the context.
    std::int64_t blocks_per_user() const { return blocks_per_user_; }
    /// Blocks of the pool, over all columns of a 2-D mesh.
    std::int64_t blocks() const { return blocks_; }
    /// Positions a user may reach when all slots are taken: an even share of the pool.
    std::int64_t paged_cache_max_seq_len() const;
    /// Throws core::Error with the text of tt_transformers' demo when a user's share of the pool
    /// cannot hold `prompt` + `generated` tokens.
    void require_room(std::int64_t prompt, std::int64_t generated) const;

    std::shared_ptr<const dispatch::Program> decode() const { return decode_; }
    /// `rows` padded positions; built once per (rows, chunk).
    std::shared_ptr<const dispatch::Program> prefill(std::int64_t rows, StepShape::Chunk chunk);

    /// What each chip knows in a decode step; `positions` has one entry per slot, -1 for idle ones.
    dispatch::ChipBindings decode_bindings(const std::vector<std::int32_t>& positions) const;
    /// What each chip knows in a prefill chunk of `tokens` valid rows for user slot `user`.
    dispatch::ChipBindings prefill_bindings(std::int64_t user, std::int64_t start,
                                            std::int64_t tokens) const;

    /// Gives the first blocks of user slot `from` to `user` as well, those that hold `positions`
    /// positions whole. Result: the positions in them; 0 where the slots are on different chips.
    std::int64_t share_prefix(std::int64_t user, std::int64_t from, std::int64_t positions);
    /// Every user's blocks are its own again.
    void deal_blocks();

    /// Decode and the largest prefill chunk together. Prefill programs are built only when what
    /// comes before them fits.
    dispatch::MemoryPlan plan_memory(dispatch::Detail detail = dispatch::Detail::Addresses,
                                     dispatch::Rounds rounds = dispatch::Rounds::Folded);

private:
    StepShape step_shape() const;
    std::shared_ptr<const dispatch::Program> build(const tensor::Graph& graph,
                                                   std::string name) const;
    tensor::Bindings chip_bindings(std::int32_t chip) const;
    bool users_split() const { return profile_.is_2d(); }
    std::int64_t users_per_chip() const;
    std::int64_t columns() const { return users_split() ? mesh_.shape.cols : 1; }
    std::int64_t share() const;
    std::span<std::int32_t> pages_of(std::int64_t user);
    void size_pool();
    void set_pool();

    Precision precision_;
    fabric::Mesh mesh_;
    Profile profile_;
    DeploymentOptions options_;
    Config config_;
    mesh::Grid worker_grid_;
    std::int64_t slots_ = 1;
    std::int64_t block_size_ = 0;
    std::int64_t blocks_per_user_ = 1;
    std::int64_t blocks_ = 1;
    std::vector<std::int32_t> block_order_;  // of a column's pool
    std::vector<std::int32_t> page_table_;  // [slots, blocks_per_user], blocks of the slot's column
    std::shared_ptr<const dispatch::Program> decode_;
    std::map<std::pair<std::int64_t, StepShape::Chunk>, std::shared_ptr<const dispatch::Program>>
        prefills_;
};

/// Splits a mesh into `groups` data-parallel sub-meshes of (1, n / groups); a mesh of 32 chips is
/// laid as 4x8 first and gives (n / 8, 8) to groups of a multiple of 8 chips; others give whole
/// rows. Throws core::Error with the text of tt_transformers when it cannot.
std::vector<fabric::Mesh> data_parallel_groups(const fabric::Mesh& mesh, std::int64_t groups);

}  // namespace model

// How an op sits on a chip, decided once by `lower` and stored in each command: cores, circular
// buffers, runtime arguments, kernel groups, where operands live. L1 budgets, launch costs and op
// times all read it; nobody computes any of it again.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/units.h"
#include "mesh/bank_allocator.h"
#include "mesh/chip_spec.h"

namespace dispatch {

/// How the pages of a tensor are dealt over banks. DramWidthSharded pads the columns to a whole
/// number of tiles per bank; sharded L1 layouts put one shard on each of `shards` cores.
enum class MemoryLayout {
    Interleaved,
    DramWidthSharded,
    WidthSharded,
    HeightSharded,
    BlockSharded
};

struct MemoryConfig {
    mesh::BufferType type = mesh::BufferType::Dram;
    MemoryLayout layout = MemoryLayout::Interleaved;
    std::int32_t shards = 0;  // cores of a sharded L1 layout; 0 otherwise
    bool operator==(const MemoryConfig&) const = default;
};
/// "DRAM_INTERLEAVED", "L1_WIDTH_SHARDED", ... as profiler reports spell it.
std::string to_text(const MemoryConfig& memory);

struct CircularBuffer {
    std::string name;  // "in0", "in1", "out", "intermediate"
    core::Bytes size;  // per core
    bool operator==(const CircularBuffer&) const = default;
};

/// The exponential of softmax: exact, or the fast approximation that ttnn takes unless told not to.
enum class ExpMode { Exact, Approximate };
/// How the cores of a head merge their partial results: one after the other, or pairwise.
enum class Reduction { Tree, Linear };
/// How the query chunks of all heads are dealt: to the cores of their head, or to any core.
enum class WorkSplit { PerHead, Flat };

/// ttnn's SDPAProgramConfig, as far as it decides times.
struct AttentionConfig {
    std::int64_t q_chunk = 0;  // rows of queries a core holds (prefill)
    std::int64_t k_chunk = 0;  // keys and values per step; 0 in decode: by position
    ExpMode exp = ExpMode::Exact;
    Reduction reduction = Reduction::Tree;
    WorkSplit split = WorkSplit::PerHead;
    bool operator==(const AttentionConfig&) const = default;
};

/// Where a matmul keeps the sums of the blocks of K so far: added to in L1 by the packer
/// (packer_l1_acc), or packed out and read back by the cores.
enum class PartialSums { InL1, ReadBack };

/// What a matmul of a model makes, and what else its program config depends on
/// (tenstorrent/tt-metal models/tt_transformers/tt/model_config.py).
struct Projection {
    enum class Makes { Other, Qkv, Output, Down } makes = Makes::Other;
    std::int64_t depth_tiles = 0;  // of K, for which the config is made; 0: the matmul's own
    /// Tiles of the output that a core sums up in its registers at a time: as many as divide its
    /// block, or one.
    enum class SubBlocks { Largest, Single } sub_blocks = SubBlocks::Largest;
    bool operator==(const Projection&) const = default;
};

/// How the heads of a user lie on its core: rows of a tile each, or one after the other in as few
/// tiles as hold them.
enum class HeadRows { Padded, Packed };

struct KernelPlan {
    mesh::Grid grid;         // cores the kernels are placed on
    std::int32_t cores = 1;  // cores that compute
    mesh::Fidelity fidelity = mesh::Fidelity::HiFi2;
    PartialSums partial_sums = PartialSums::InL1;
    Projection projection;  // of matmuls only
    HeadRows head_rows = HeadRows::Padded;
    std::vector<CircularBuffer> circular_buffers;
    std::int32_t common_args = 0;
    std::int32_t unique_args = 0;  // per core
    std::int32_t kernel_groups = 1;
    std::vector<MemoryConfig> inputs;
    std::vector<MemoryConfig> outputs;
    AttentionConfig attention;  // of attention ops only

    core::Bytes circular_buffer_bytes() const;  // per core
};

}  // namespace dispatch

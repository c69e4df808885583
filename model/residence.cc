#include "model/residence.h"

#include <algorithm>

#include "dispatch/lower.h"

namespace model {
namespace {

using dispatch::MemoryConfig;
using dispatch::MemoryLayout;
using mesh::BufferType;
using tensor::Role;
using tensor::Spec;

constexpr MemoryConfig kL1{BufferType::L1, MemoryLayout::Interleaved, 0};
constexpr MemoryConfig kDram{BufferType::Dram, MemoryLayout::Interleaved, 0};

// Wider shards of logits do not fit beside the circular buffers of the matmul. GUESS, as in
// lower.cc.
constexpr std::int64_t kWidestShardTiles = 32;

// DECODE_RESIDUAL_MEMCFG of models/demos/llama3_70b_galaxy/tt/model_config.py: 128 columns a core
// of a 70B.
constexpr std::int64_t kResidualCores = 16;

// find_grid_k_n: the most cores, at most 64, that divide the tiles of both.
std::int64_t shared_cores(std::int64_t k_tiles, std::int64_t n_tiles) {
    std::int64_t cores = 64;
    while (k_tiles % cores != 0 || n_tiles % cores != 0) --cores;
    return cores;
}

std::int64_t part_along(const Profile& profile, std::int64_t whole, tensor::Placement rows,
                        tensor::Placement cols, int dim) {
    if (rows.is_sharded(dim)) whole /= profile.shape.rows;
    if (cols.is_sharded(dim)) whole /= profile.shape.cols;
    return whole;
}

template <class Op>
bool is(const tensor::Node& node) {
    return std::holds_alternative<Op>(node.op);
}

}  // namespace

Residence::Memory Residence::input(const tensor::Node& node, std::size_t index,
                                   const Spec& x) const {
    const bool heads = is<tensor::RotaryEmbedding>(node) || is<tensor::ConcatHeads>(node) ||
                       is<tensor::UpdateCache>(node);
    if (fuses() && !heads) return {};
    if (is<tensor::Linear>(node) && index == 0) return of_linear(node, x);
    if (!decodes()) return {};
    if (is<tensor::RmsNorm>(node) && index == 0) return of_norm(node, x);
    if (is<tensor::Add>(node)) return of_stream(x);
    if (is<tensor::CreateQkvHeads>(node)) return profile_.is_2d() ? Memory{} : kL1;
    if (is<tensor::RotaryEmbedding>(node) || is<tensor::ConcatHeads>(node)) return by_users(x);
    if (is<tensor::UpdateCache>(node) && index == 1) return by_users(x);
    return {};
}

Residence::Memory Residence::output(const tensor::Node& node, const Spec& y,
                                    const MemoryConfig& first) const {
    if (is<tensor::Untilize>(node)) {
        // rope.py and prefill untilize in DRAM; logits of a decode step are untilized in L1.
        const bool logits = graph_.value(node.outputs[0]).role == Role::Logits;
        return logits && decodes() && !profile_.is_2d() ? kL1 : kDram;
    }
    if (is<tensor::Linear>(node)) return of_product(node, y, first);
    if (!decodes()) return {};
    if (is<tensor::Embedding>(node) || is<tensor::SpreadRows>(node) ||
        is<tensor::FirstRows>(node)) {
        return kDram;
    }
    // llama_attention.py: attention leaves the heads over one core per user.
    if (is<tensor::SdpaDecode>(node) && fuses()) return by_users(y);
    if (is<tensor::RmsNorm>(node)) return fuses() ? Memory{} : of_norm(node, y);
    if (is<tensor::AddBias>(node) || is<tensor::GatedMul>(node)) return first;
    if (is<tensor::Add>(node)) return of_stream(y);
    if (is<tensor::CreateQkvHeads>(node) || is<tensor::RotaryEmbedding>(node)) return by_users(y);
    if (is<tensor::ConcatHeads>(node)) {
        // One core per head.
        return width(y.shape[1] / graph_.value(node.inputs[0]).spec.shape[2], y);
    }
    return {};
}

Residence::Memory Residence::of_product(const tensor::Node& node, const Spec& y,
                                        const MemoryConfig& first) const {
    const Role weight = graph_.value(node.inputs[1]).role;
    const bool sharded = first.layout == MemoryLayout::WidthSharded;
    if (weight == Role::WeightLmHead) {
        const bool narrow = sharded && y.tile_cols() <= kWidestShardTiles * first.shards;
        return narrow ? width(first.shards, y) : Memory{};
    }
    if (!decodes()) return {};
    const bool fused = profile_.wo == Profile::AttentionOut::ColumnParallel;
    // memory_config_mm of the fused all-gather matmul
    if (weight == Role::WeightO && fused) return of_stream(y);
    // Results of DRAM-sharded matmuls go to the cores that hold the input.
    return sharded && !profile_.is_2d() ? width(first.shards, y) : Memory{};
}

Residence::Memory Residence::rest(tensor::ValueId id, const Spec& y) const {
    const Role role = graph_.value(id).role;
    if (role == Role::Logits && y.layout == tensor::Layout::Tile) return kL1;
    if (!decodes()) return {};
    if (role == Role::RopeRows && y.shape.rank() == 3) return by_users(y);
    return role == Role::Residual ? of_stream(y) : Memory{};
}

Residence::Memory Residence::before_gather(tensor::ValueId id) const {
    // ATTN_ALL_GATHER_MATMUL_OUTPUT_MEMCFG: as many cores as devices for the gathered row, so a
    // chip's own part is on one.
    const bool fused = profile_.wo == Profile::AttentionOut::ColumnParallel;
    if (!decodes() || !fused || graph_.value(id).role != Role::AttentionOut) return {};
    return MemoryConfig{BufferType::L1, MemoryLayout::WidthSharded, 1};
}

// One tile, made by the cores of the row (fused_rms_minimal).
Residence::Memory Residence::statistics() const { return fuses() ? Memory{kL1} : Memory{}; }

// --- who is where ---

Residence::Memory Residence::width(std::int64_t cores, const Spec& spec) const {
    if (cores <= 0 || spec.shape.rank() != 2 || spec.tile_rows() != 1) return {};
    const std::int64_t shards = std::min(cores, spec.tile_cols());
    if (shards > grid_.cores()) return {};  // the software's grid is larger than this device's
    return MemoryConfig{BufferType::L1, MemoryLayout::WidthSharded,
                        static_cast<std::int32_t>(shards)};
}

// One core per user (rope.py batch_grid, L1_HEIGHT_SHARDED of nlp_create_qkv_heads_decode).
Residence::Memory Residence::by_users(const Spec& spec) const {
    if (spec.shape.rank() != 3 || spec.shape[0] > grid_.cores()) return {};
    return MemoryConfig{BufferType::L1, MemoryLayout::HeightSharded,
                        static_cast<std::int32_t>(spec.shape[0])};
}

// DECODE_RESIDUAL_MEMCFG: sharded on 1-D meshes, interleaved on 2-D ones.
Residence::Memory Residence::of_stream(const Spec& x) const {
    if (fuses()) return width(kResidualCores, x);
    if (profile_.is_2d()) return kL1;
    return dispatch::activation_memory(x, graph_.phase, grid_);
}

Residence::Memory Residence::of_linear(const tensor::Node& node, const Spec& x) const {
    const tensor::Value& weight = graph_.value(node.inputs[1]);
    if (weight.role == Role::WeightLmHead) {
        return width(
            lm_head_cores(graph_.value(node.inputs[0]).spec.shape.cols(), profile_.shape.chips()),
            x);
    }
    if (!decodes()) return {};
    if (profile_.is_2d()) {
        if (weight.role == Role::WeightDown) return kL1;
        // MLP_ACT_MEMCFG: 8 x 2 cores.
        return weight.role == Role::WeightGateUp ? width(16, x) : Memory{};
    }
    return width(cores_of(weight, x.tile_cols()), x);
}

// Norms take and leave a row where the matmul behind them reads it; those of heads interleave.
Residence::Memory Residence::of_norm(const tensor::Node& node, const Spec& x) const {
    if (is_head_norm(node)) return kL1;
    if (profile_.is_2d()) {
        // distributed_norm.py: 8 columns of at most 4 cores.
        const std::int64_t rows = std::clamp<std::int64_t>(x.tile_cols() / 8, 1, 4);
        return x.tile_cols() % (8 * rows) == 0 ? width(8 * rows, x) : Memory{};
    }
    const tensor::Value* weight = weight_behind(node.outputs[0]);
    return weight == nullptr ? Memory{} : width(cores_of(*weight, x.tile_cols()), x);
}

std::int64_t Residence::cores_of(const tensor::Value& weight, std::int64_t k_tiles) const {
    switch (weight.role) {
        case Role::WeightQkv:
            return dispatch::nearest_core_count(k_tiles, grid_);
        case Role::WeightGateUp:
        case Role::WeightDown: {
            const Placements placed = placement_of(profile_, weight.role, graph_.phase);
            const std::int64_t n =
                part_along(profile_, weight.spec.shape[1], placed[0], placed[1], 1);
            return shared_cores(k_tiles, core::ceil_div(n, tensor::kTileSide));
        }
        case Role::WeightO:
            // Behind a gather the row lies on as many cores as there are devices.
            return profile_.wo == Profile::AttentionOut::ColumnParallel ? profile_.shape.chips()
                                                                        : 0;
        case Role::WeightLmHead:
            return lm_head_cores(k_tiles * tensor::kTileSide, profile_.shape.chips());
        default:
            return 0;
    }
}

// The weight of the first matmul that reads the value.
const tensor::Value* Residence::weight_behind(tensor::ValueId id) const {
    for (const tensor::Block& block : graph_.blocks) {
        for (const tensor::Node& node : block.nodes) {
            if (is<tensor::Linear>(node) && node.inputs[0] == id) {
                return &graph_.value(node.inputs[1]);
            }
        }
    }
    return nullptr;
}

bool Residence::is_head_norm(const tensor::Node& node) const {
    return graph_.value(node.inputs[1]).role == Role::HeadNormWeight &&
           graph_.value(node.inputs[0]).spec.shape.rank() == 3;
}

tensor::ToMemory::Route route_between(const MemoryConfig& from, const MemoryConfig& to) {
    using Route = tensor::ToMemory::Route;
    const bool was = from.layout == MemoryLayout::Interleaved;
    const bool becomes = to.layout == MemoryLayout::Interleaved;
    if (was) return becomes ? Route::Copy : Route::InterleavedToSharded;
    return becomes ? Route::ShardedToInterleaved : Route::Reshard;
}

std::string_view suffix_of(tensor::ToMemory::Route route) {
    switch (route) {
        case tensor::ToMemory::Route::InterleavedToSharded:
            return ".to_sharded";
        case tensor::ToMemory::Route::ShardedToInterleaved:
            return ".to_interleaved";
        case tensor::ToMemory::Route::Reshard:
            return ".reshard";
        case tensor::ToMemory::Route::Copy:
            break;
    }
    return ".copy";
}

}  // namespace model
